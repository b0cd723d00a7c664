"""What is kept of the demonstration when it is over: its traces."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

from workers.telemetry.store import Store
from workers.telemetry.summary import summed

# The worker writes once a second what has ended; after that nothing more comes.
WRITTEN_WITHIN = 10.0
ALL = 1000


async def traced(state: Path, last: str) -> dict[str, Any]:
    """What the traces are, as soon as that of the run that ended last is complete; nothing where none are kept."""
    store = Store(state, read_only=True)
    if not store.path.exists():
        return summed([])
    deadline = time.monotonic() + WRITTEN_WITHIN
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
