"""Workers that can be killed in an instant: `python -m tests.fuzz_runs.worker INVENTORY [PLANTED]`.

A process that has everything imported reads orders from its standard input, a line each: ``start`` forks a worker,
``kill`` ends it with SIGKILL, ``stop`` and ``go`` make it stand still and go on, ``end`` ends both. A `PLANTED` fault
bends the engine in the worker alone.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from pypureclient.flasharray.FA_2_44 import api

from tests.endurance.hasty import hurry
from tests.fuzz_runs.planted import PLANTED
from tests.thrift import keep_imports
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.connect import connect
from workers.worker.run import worker

# What the vendor's SDK imports at the first use takes seconds, and would be imported by every worker anew.
USED = ("Arrays", "ArrayConnections", "Pods", "Ports", "Volumes", "Hosts", "HostGroups", "Connections")
STILL = {"stop": signal.SIGSTOP, "go": signal.SIGCONT}


async def work(path: Path) -> None:
    """A worker, until it is killed."""
    async with worker(await connect(), load(path), path.parent, Settings()):
        await asyncio.Event().wait()


def main(path: Path, planted: str) -> None:
    """Fork and kill as ordered."""
    hurry()
    for name in USED:
        getattr(api, f"{name}Api")
    keep_imports()
    if planted:
        PLANTED[planted]()
    child = 0
    for order in (line.strip() for line in sys.stdin):
        if order in STILL:
            if child:
                os.kill(child, STILL[order])
            continue
        child = _ended(child)
        if order == "end":
            break
        if order == "start":
            child = os.fork()
            if child == 0:
                asyncio.run(work(path))
                os._exit(1)
    _ended(child)  # also when whoever gives the orders is gone


def _ended(child: int) -> int:
    """Kill it where there is one; nobody is left."""
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
