"""A report written to a file: by whoever asks for one, and by itself when an incident has ended.

By itself it is drawn in a process of its own: the worker's loop is not held, and what drawing needs of memory is given
back.
"""

import asyncio
import logging
import os
import re
import sys
from pathlib import Path
from typing import Literal

from cluster.audit.head import Head
from cluster.report.loss import LOSSES
from cluster.report.model import Report
from workers.audit.keeper import Heads
from workers.report.markdown import markdown

LOG = logging.getLogger("quorate.report")
Format = Literal["html", "md", "json"]
FOLDER = "reports"
INCIDENTS = (*LOSSES, "ClusterIncident")
# A page is drawn within seconds; a machine that is busy with an incident may take its time.
WITHIN = 180.0
# So long a worker that ends waits for them, seconds; `quorate report` draws what it has left.
LAST_WORDS = 10.0


def drawn(report: Report, how: Format) -> str:
    """The report as text of that kind. HTML needs the extra `report`."""
    if how == "json":
        return report.model_dump_json(indent=2) + "\n"
    if how == "md":
        return markdown(report)
    from workers.report.html import html  # matplotlib takes seconds to import: only who draws pays for it

    return html(report)


def file_of(run: str, execution: str, how: Format) -> str:
    """The name of its file: readable, safe on any disk, and no other run's."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", run).strip("._")[:100]
    return f"{readable}.{re.sub(r'[^A-Za-z0-9-]+', '_', execution)[:8]}.{how}"


def written(report: Report, to: Path, how: Format = "html") -> Path:
    """Write it, whole or not at all. OSError where that cannot be."""
    to.parent.mkdir(parents=True, exist_ok=True)  # first: to draw takes seconds
    text = drawn(report, how)
    beside = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(to)
    finally:
        beside.unlink(missing_ok=True)
    return to


class Reports(Heads):
    """Writes the report of each incident when the head of its end is signed, into a folder; tells of it in the log.

    `others` are told of each head before. Nothing that fails here disturbs them, or a run.
    """

    def __init__(self, others: Heads, audit: Path, to: Path) -> None:
        self._others, self._audit, self._to = others, audit, to
        self._writing: set[asyncio.Task[None]] = set()
        self._one = asyncio.Semaphore(1)  # a keeper that begins anew closes the incidents of years at once
        self._told = False

    def signed(self, head: Head) -> None:
        """An incident whose record is closed is reported."""
        self._others.signed(head)
        if head.closed and head.runbook in INCIDENTS:
            task = asyncio.create_task(self._write(head))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def finished(self, within: float | None = None) -> None:
        """Every report that was begun is written, or so many seconds are over."""
        if self._writing:
            await asyncio.wait(set(self._writing), timeout=within)

    async def _write(self, head: Head) -> None:
        async with self._one:
            try:
                why = await self._drawn(head)
            except TimeoutError:
                why = f"it was not drawn within {WITHIN:g} s"
            except OSError as error:
                why = f"{error.filename or self._to}: {error.strerror}"
        if why and not self._told:  # once: what is missing for one report is missing for the next
            self._told = True
            LOG.warning("the report of %s is not written: %s", head.run, why)

    async def _drawn(self, head: Head) -> str:
        """In a process of its own; why it is not there, empty where it is."""
        to = self._to / file_of(head.run, head.first, "html")
        if to.exists():  # the keeper was stopped after it had signed, and signs nothing twice
            return ""
        command = (sys.executable, "-m", "workers.report.child", str(self._audit), head.folder, str(to))
        child = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, said = await asyncio.wait_for(child.communicate(), WITHIN)
        except (TimeoutError, asyncio.CancelledError):
            child.kill()
            await child.wait()
            raise
        if child.returncode == 0:
            LOG.info("the report of %s is in %s", head.run, to)
            return ""
        lines = said.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its process ended with {child.returncode} and says nothing"
