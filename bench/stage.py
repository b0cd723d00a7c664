"""What a measurement stands on: a built twin, a Temporal server and a worker, each a process of its own."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from workers.children import TWIN_READY, WORKER_READY, Child
from workers.embedded import TemporalServer, free_port
from workers.options import EXAMPLE


@asynccontextmanager
async def staged() -> AsyncIterator[tuple[Client, Child]]:
    """A client of the server, and the worker; all of it ends with the measurement."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        twin = Child("the twin", ["lab", "up", "--built", "-i", str(EXAMPLE)], log=state / "twin.log")
        server = TemporalServer(database=state / "t.db", port=free_port(), ui_port=None, log=state / "log")
        client = await server.start(print)
        worker = None
        try:
            await twin.says(TWIN_READY, 120)
            address = {"TEMPORAL_ADDRESS": server.address}
            worker = Child("the worker", ["worker", "-i", str(EXAMPLE)], log=state / "worker.log", environment=address)
            await worker.says(WORKER_READY)
            yield client, worker
        finally:
            if worker is not None:
                worker.stop()
            twin.stop()
            await server.stop()
