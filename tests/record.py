"""`python -m tests.record`: record the histories that the replay test reads."""

import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

from temporalio.client import WorkflowFailureError

from cluster.plan import Mode
from runbooks.deploy import DeployRequest
from tests.conftest import APPLY, working
from tests.twin import TwinThread, inventory_file
from workers.embedded import TemporalServer, free_port

FOLDER = Path(__file__).parent / "histories"


async def record() -> None:
    """Four runs on one twin: a plan, an apply, another apply, and one that is refused."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        twin = TwinThread(inventory_file(Path(folder)))
        server = TemporalServer(database=None, port=free_port(), ui_port=None, log=Path(folder) / "temporal.log")
        client = await server.start(print)
        async with working(client, twin.inventory, twin.path.parent) as start:
            for name, request in (
                ("deploy-plan", DeployRequest(mode=Mode.PLAN)),
                ("deploy-apply", APPLY),
                ("deploy-nothing-to-do", APPLY),
                ("deploy-refused", DeployRequest(cluster="elsewhere")),
            ):
                run = await start(request)
                try:
                    await run.result()
                except WorkflowFailureError as error:
                    print(f"{name}: {error.cause}")
                history = (await run.fetch_history()).to_json()
                # a stack trace names paths of the machine that recorded it, and replay does not read it
                history = re.sub(r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""', history)
                (FOLDER / f"{name}.json").write_text(history + "\n")
                print(f"recorded {name}")
        await server.stop()
        twin.stop()


if __name__ == "__main__":
    asyncio.run(record())
    sys.stdout.flush()
    os._exit(0)
