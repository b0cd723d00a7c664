"""What the demonstration's runs have left: their traces, their audit records, verified, and the reports."""

import asyncio
import sqlite3
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cluster.audit.verify import verified
from workers.audit.store import Files, soundness
from workers.report.written import FOLDER
from workers.telemetry.store import Store
from workers.telemetry.summary import summed

# A worker writes the spans that have ended once a second; after that nothing more comes, seconds.
SENT_WITHIN = 10.0
ALL = 1000
# A record is written about a second after its run, seconds.
WITHIN = 15.0
# A page is drawn in a process of its own, which imports for some seconds first, seconds.
DRAWN_WITHIN = 60.0


def kept_in(state: Path) -> dict[str, str]:
    """The environment of a worker that keeps all it leaves in the demonstration's folder."""
    return {
        "QUORATE_STATE": str(state),
        "QUORATE_AUDIT": str(state / "audit"),
        "QUORATE_AUDIT_KEY": str(state / "audit.key"),
    }


async def traced(state: Path, last: str) -> dict[str, Any]:
    """What the traces are, as soon as that of the run that ended last is complete; nothing where none are kept."""
    store = Store(state, read_only=True)
    if not store.path.exists():
        return summed([])
    deadline = time.monotonic() + SENT_WITHIN
    try:
        while time.monotonic() < deadline:
            if any(one.ended == one.spans for one in store.found(last)):
                break
            await asyncio.sleep(0.2)
        return summed(store.newest(ALL))
    except sqlite3.Error:
        return summed([])
    finally:
        store.close()


async def audited(state: Path, runs: list[str]) -> dict[str, Any]:
    """How many records and lines there are, the newest head, and whether all of it is whole; once those runs are in."""
    place, until = state / "audit", time.monotonic() + WITHIN
    while True:
        found = await asyncio.to_thread(verified, Files(place), soundness(place))
        there = {one.run for one in found.records if one.how and one.signed == one.lines}
        if (found.ok and there.issuperset(runs)) or time.monotonic() > until:
            return {
                "folder": str(place),
                "records": len(found.records),
                "lines": sum(one.lines for one in found.records),
                "heads": found.heads,
                "head": found.digest,
                "verified": found.ok,
                "faults": [str(fault) for fault in found.whole],
            }
        await asyncio.sleep(0.5)


async def reported(state: Path, incidents: int) -> list[str]:
    """The reports that the worker has written by itself at the end of so many incidents, in their order."""
    if find_spec("matplotlib") is None:
        return []
    until = time.monotonic() + DRAWN_WITHIN
    while True:
        found = sorted((state / FOLDER).glob("*.html"), key=lambda one: one.stat().st_mtime)
        if len(found) >= incidents or time.monotonic() > until:
            return [str(one) for one in found]
        await asyncio.sleep(0.5)
