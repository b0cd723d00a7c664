"""Workers that die where they are told: `python -m tests.endurance.zygote INVENTORY before|after`.

Each worker is killed (SIGKILL) right before, or right after, the first change that none of its forebears has died at,
and the next one is forked at once from a process that has everything imported. One line for each death, as JSON.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from activities.attempt import CURRENT, Attempt
from activities.errors import NotYet
from cluster.plan import Intent
from tests.endurance.hasty import hurry
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.connect import connect
from workers.worker.pulse import _Inbound
from workers.worker.run import worker


class Fate:
    """Where this worker dies."""

    def __init__(self, when: str, spared: set[str], pipe: int) -> None:
        self._when, self._spared, self._pipe = when, spared, pipe

    def rule(self) -> None:
        """Stand at the engine's own places: before each change, and at the end of each attempt."""
        begin, execute = Attempt.begin, _Inbound.execute_activity
        armed: dict[int, str] = {}  # by attempt: the change after whose return it dies

        one_at_a_time = threading.Lock()

        def begin_or_die(attempt: Attempt, intent: Intent) -> None:
            with one_at_a_time:
                if due := armed.get(id(attempt)):
                    self._die(due)
                if armed:  # a change beside it would be made without a death of its own
                    raise NotYet("another change is about to be the last one of this worker")
                begin(attempt, intent)
                if str(intent) in self._spared:
                    return
                if self._when == "before":
                    self._die(str(intent))
                armed[id(attempt)] = str(intent)

        async def execute_or_die(inbound: _Inbound, given: Any) -> Any:
            try:
                return await execute(inbound, given)
            finally:
                if due := armed.pop(id(CURRENT.get()), None):
                    self._die(due)

        Attempt.begin = begin_or_die  # type: ignore[method-assign, assignment]  # its self has a name of its own
        _Inbound.execute_activity = execute_or_die  # type: ignore[method-assign, assignment]

    def _die(self, change: str) -> None:
        os.write(self._pipe, change.encode())
        os.kill(os.getpid(), signal.SIGKILL)


async def work(path: Path) -> None:
    """A worker, until its fate."""
    settings = Settings()
    async with worker(await connect(), load(path), path.parent, settings):
        await asyncio.Event().wait()


def main(path: Path, when: str) -> None:
    """Fork workers until killed."""
    hurry()
    spared: set[str] = set()
    child = 0

    def end(*_: object) -> None:
        if child:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            Fate(when, spared, writable).rule()
            asyncio.run(work(path))
            os._exit(1)
        os.close(writable)
        last_word = os.read(readable, 4096).decode()
        os.close(readable)
        os.waitpid(child, 0)
        if not last_word:
            raise SystemExit("a worker ended without being told")
        spared.add(last_word)
        print(json.dumps({"died": when, "change": last_word}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
