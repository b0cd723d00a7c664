"""Heads told to somebody outside the folder: whoever holds folder and key can write all of it anew but these words.

A place that does not take one is told of once in the log, and tried again; no run and no record waits for it. What was
told is noted in the folder (`anchored.jsonl`), as a help to whoever looks for it and as a proof of nothing.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import rfc8785
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.clients import timestamps, webhook
from activities.clients.secrets import Secrets
from activities.errors import Word
from cluster.audit.head import Anchor, Head
from cluster.audit.line import stamp
from cluster.ledger import ledger_id
from cluster.nouns import Value
from workers.audit.keeper import Heads

LOG = logging.getLogger("quorate.audit")
TOLD = "anchored.jsonl"
AGAIN_IN = timedelta(seconds=30)
WEBHOOK_WITHIN = 20.0  # seconds
# So long the others wait for a place, seconds: a disk of another machine that has gone may hold its writers for ever.
PATIENCE = 30.0
LEDGER = "ClusterLedger"
MISSING = "time stamps need an extra: pip install 'quorate[audit]'"


Answer = TypeVar("Answer")


class Told(Value):
    """A head that a place has taken, and what it said to that."""

    at: datetime
    place: str
    number: int
    sha256: str
    answer: str = ""


class Place(Protocol):
    """Somebody outside."""

    name: str

    def wants(self, head: Head) -> bool:
        """Whether it is told of this one; those that it is not told of are in the chain of the next."""

    async def tell(self, anchor: Anchor, head: Head) -> str:
        """Tell it; what it has answered. OSError, RPCError or a Word where it does not take it."""


class File:
    """A file elsewhere that only grows: on another machine's disk, or one that can be written once."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def wants(self, _: Head) -> bool:
        """Every one."""
        return True

    async def tell(self, anchor: Anchor, _: Head) -> str:
        """A line more, on its disk when this returns."""
        await aside(lambda: self._append(anchor.canonical))
        return str(self._path)

    def _append(self, text: bytes) -> None:
        """What a full disk or a crash has left of a line gets an end of its own: it must not spoil the next one."""
        torn = False
        with contextlib.suppress(OSError), self._path.open("rb") as file:  # it may be one that is only written to
            torn = file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read() != b"\n"
        left = memoryview(b"\n" + text if torn else text)
        with self._path.open("ab", buffering=0) as file:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())


class Webhook:
    """An address that takes JSON; the address is a secret, and a reference here."""

    name = "webhook"

    def __init__(self, reference: str, secrets: Secrets) -> None:
        self._reference, self._secrets = reference, secrets

    def wants(self, _: Head) -> bool:
        """Every one."""
        return True

    async def tell(self, anchor: Anchor, _: Head) -> str:
        """Posted."""
        url = self._secrets.address(self._reference)
        document = {"kind": "audit-head", **anchor.model_dump(mode="json")}
        status = await aside(lambda: webhook.post(url, document, {}, WEBHOOK_WITHIN))
        return f"HTTP {status}"


class TimeStamps:
    """A service that signs when it has seen a digest (RFC 3161); its answer is kept beside the head."""

    name = "time stamp"

    def __init__(self, url: str, place: Path) -> None:
        self._url, self._place = url, place

    def wants(self, _: Head) -> bool:
        """Every one."""
        return True

    async def tell(self, _: Anchor, head: Head) -> str:
        """Stamped, and the stamp looked at."""
        answer = await aside(lambda: timestamps.stamp(self._url, head.canonical))
        path = self._place / f"{head.name}.tsr"
        await asyncio.to_thread(path.write_bytes, answer)
        when, _why = timestamps.stamped(answer, head.canonical)
        return stamp(when) if when else ""


class Ledger:
    """The cluster's ledger at Temporal: another store than the folder, and it outlives every run."""

    name = "ledger"

    def __init__(self, client: Client, cluster: str) -> None:
        self._client, self._run = client, ledger_id(cluster)

    def wants(self, head: Head) -> bool:
        """Those of runs that have ended; the ledger's own would tell it about itself without an end."""
        return head.closed and head.runbook != LEDGER

    async def tell(self, anchor: Anchor, _: Head) -> str:
        """As a signal: it is in the ledger's history, and in its memory from then on."""
        try:
            await self._client.get_workflow_handle(self._run).signal("audited", anchor)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return "there is no ledger yet"
        return str(self._run)


class Anchors(Heads):
    """Tells each place of the newest head, in its own time."""

    def __init__(self, folder: Path, places: Sequence[Place]) -> None:
        self._folder, self._places = folder, places
        self._due: dict[str, Head] = {}
        self._something = asyncio.Event()
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._troubles: dict[str, str] = {}
        # by the head itself and not by its number: a chain may have been begun anew
        self._told = {one.place: one.sha256 for one in told(folder)}

    def signed(self, head: Head) -> None:
        """Every place that wants it is told soon."""
        for place in self._places:
            if place.wants(head) and head.digest != self._told.get(place.name):
                self._due[place.name] = head
        self._something.set()

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            await self.tell()
            if self._due:
                await asyncio.sleep(AGAIN_IN.total_seconds())
                self._something.set()

    async def tell(self) -> None:
        """Every place once, all at the same time; what is not taken is still due.

        One that does not come back keeps nobody waiting, and is not asked again before it does.
        """
        self._asked = {name: task for name, task in self._asked.items() if not task.done()}
        for place in self._places:
            if (head := self._due.get(place.name)) and place.name not in self._asked:
                self._asked[place.name] = asyncio.create_task(self._tell(place, head))
        if not self._asked:
            return
        _, waiting = await asyncio.wait(self._asked.values(), timeout=PATIENCE)
        for name, task in self._asked.items():
            if task in waiting and (head := self._due.get(name)):
                self._trouble(name, head, f"it has not answered within {PATIENCE:g} s")

    async def _tell(self, place: Place, head: Head) -> None:
        try:
            answer = await place.tell(Anchor.of(head), head)
        except (OSError, RPCError, Word) as error:
            self._trouble(place.name, head, getattr(error, "message", "") or str(error))
            return
        except ImportError:
            self._trouble(place.name, head, MISSING)
            return
        except Exception as error:  # whatever else one place does must not keep the others from being told
            self._trouble(place.name, head, f"a bug: {type(error).__name__}")
            LOG.debug("telling %s", place.name, exc_info=True)
            return
        self._troubles.pop(place.name, None)
        self._told[place.name] = head.digest
        if self._due.get(place.name) is head:
            del self._due[place.name]
        with contextlib.suppress(OSError):  # only a help: a place that has been told is not told again because of it
            await asyncio.to_thread(self._noted, place, head, answer)

    def _trouble(self, place: str, head: Head, said: str) -> None:
        """Each trouble once."""
        if self._troubles.get(place) != said:
            LOG.warning("head %s is not told outside (%s): %s; it is tried again", head.number, place, said)
        self._troubles[place] = said

    def _noted(self, place: Place, head: Head, answer: str) -> None:
        said = Told(
            at=datetime.now(UTC), place=place.name, number=head.number, sha256=head.digest, answer=answer
        ).model_dump(mode="json")
        with (self._folder / TOLD).open("ab", buffering=0) as file:
            file.write(rfc8785.dumps(said) + b"\n")


async def aside(work: Callable[[], Answer]) -> Answer:
    """Done on a thread that may be left behind: one of asyncio's own would hold its pool, and the process's end."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def told(give: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if answer.done() else give())

    def run() -> None:
        try:
            found = work()
        except BaseException as error:
            failed = error
            told(lambda: answer.set_exception(failed))
        else:
            told(lambda: answer.set_result(found))

    threading.Thread(target=run, name="told outside", daemon=True).start()
    return await answer


def told(folder: Path) -> list[Told]:
    """What was told to whom, oldest first; what cannot be read is left out."""
    try:
        lines = (folder / TOLD).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValidationError):
            found.append(Told.model_validate_json(line))
    return found


def known(path: Path) -> list[Anchor]:
    """The heads of a file elsewhere. OSError where it cannot be read; ValueError where no line of it is a head.

    What a crash has left of a line is left out (`torn`).
    """
    lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    found = [head for line in lines if (head := _anchor(line))]
    if lines and not found:
        raise ValueError(f"no line of {path} is a head")
    return found


def torn(path: Path) -> int:
    """How many lines of a file elsewhere are no heads. OSError where it cannot be read."""
    return sum(_anchor(line) is None for line in path.read_bytes().split(b"\n") if line.strip())


def _anchor(line: bytes) -> Anchor | None:
    with contextlib.suppress(ValidationError):
        return Anchor.model_validate_json(line)
    return None
