"""Real servers for every test: the twin over HTTPS and SSH, and a Temporal server."""

import contextlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from cluster.inventory import Inventory
from cluster.plan import Mode
from runbooks.deploy import DeployReport, DeployStretchedCluster
from tests.ledgers import erase
from tests.thrift import keep_imports
from tests.twin import TwinThread, inventory_file
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer, free_port
from workers.worker.run import worker
from workflows.catalogue import RunbookRequest

Deployment = WorkflowHandle[DeployStretchedCluster, DeployReport]
Start = Callable[..., Awaitable[Deployment]]

APPLY = RunbookRequest(mode=Mode.APPLY)

# Workers that tests start in processes of their own keep audit records, and not in the state folder of this copy.
AUDIT = tempfile.TemporaryDirectory(prefix="quorate-audit-")
os.environ["QUORATE_AUDIT"] = f"{AUDIT.name}/audit"
os.environ["QUORATE_AUDIT_KEY"] = f"{AUDIT.name}/audit.key"

# What takes longest begins first, or one process is still at it when the others have ended.
FIRST = (
    "tests/ledger/test_ledger",
    "tests/storage/test_paths",
    "tests/runbooks/test_refusals",
    "tests/workflows/test_operator",
    "tests/incidents/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order of their files' length, as far as it matters."""
    items.sort(key=lambda item: next((at for at, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST)))


def pytest_collection_finish() -> None:
    """All tests and what they import are there now."""
    keep_imports()


@pytest.fixture(scope="session")
def running_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinThread]:
    twin = TwinThread(inventory_file(tmp_path_factory.mktemp("twin")))
    yield twin
    twin.stop()


@pytest.fixture
def twin(running_twin: TwinThread) -> TwinThread:
    """A twin with bare arrays and a bare cluster."""
    running_twin.reset()
    return running_twin


@pytest_asyncio.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    folder = tmp_path_factory.mktemp("temporal")
    server = TemporalServer(database=None, port=free_port(), ui_port=None, log=folder / "temporal.log")
    await server.start(print)
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session")
async def client(temporal: TemporalServer) -> Client:
    return await connect(temporal.address)


@pytest_asyncio.fixture
async def no_ledger(client: Client, running_twin: TwinThread) -> None:
    """The ledger of an earlier test waits on a queue that nobody polls any more."""
    await erase(client, running_twin.inventory.name)


@asynccontextmanager
async def working(
    client: Client, inventory: Inventory, base: Path, *, cached: int = 200, hooks: tuple[str, ...] = ()
) -> AsyncIterator[Callable[..., Awaitable[Deployment]]]:
    """A worker on a queue of its own, and the way to start a deployment on it."""
    queue = f"test-{uuid.uuid4()}"
    started: list[Deployment] = []
    settings = Settings(task_queue=queue, cached_workflows=cached, grace=timedelta(seconds=1), hooks=hooks)

    async def start(
        request: RunbookRequest | None = APPLY, *, empty: bool = False, raw: object = None, limit: float = 120
    ) -> Deployment:
        """`empty` sends no input at all and `raw` anything, as the UI's start form may."""
        run: Any = "DeployStretchedCluster" if empty or raw is not None else DeployStretchedCluster.run
        arguments = [] if empty else [raw if raw is not None else request]
        started.append(
            await client.start_workflow(
                run,
                args=arguments,
                id=f"deploy/test/{uuid.uuid4()}",
                task_queue=queue,
                execution_timeout=timedelta(seconds=limit),
            )
        )
        return started[-1]

    async def ended() -> None:
        for handle in (*started, client.get_workflow_handle(f"deploy/{inventory.name}")):
            with contextlib.suppress(RPCError):
                await handle.terminate("the test is over")
        await erase(client, inventory.name)

    await erase(client, inventory.name)  # a worker's last activity may have begun one after its test's end
    async with worker(client, inventory, base, settings):
        try:
            yield start
        finally:
            # a test that failed may leave a run that waits for an answer, and holds its claim
            await ended()


@pytest_asyncio.fixture
async def start(client: Client, twin: TwinThread) -> AsyncIterator[Start]:
    """Start a deployment of the example cluster on the twin."""
    inventory = load(twin.path)
    async with working(client, inventory, twin.path.parent) as start_one:
        yield start_one
