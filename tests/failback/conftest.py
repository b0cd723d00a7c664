"""A built twin, people with keys, and failbacks to site-b: what runs at site-a belongs there by the wish of a test."""

import contextlib
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

from tests.audit.explaining import agrees
from tests.failback.desk import Desk, opened
from tests.failback.people import Person, list_of
from tests.incidents.conftest import Site
from tests.ledgers import erase
from tests.twin import CHOSEN, inventory_file, with_policy
from workers.inventory_file import load
from workers.settings import Settings
from workers.worker.run import worker

HOMES = {"vm:300": "pxmx02-01", "vm:301": "pxmx02-02"}
POLICY = """
approvals:
  needed: 2
  within: 10m
failback:
  soak: 121s
"""

Begin = Callable[..., Awaitable[WorkflowHandle[Any, Any]]]


def far_site(folder: Path) -> Site:
    """A twin whose inventory says who may agree."""
    return Site(with_policy(inventory_file(folder, "failback", CHOSEN), POLICY), 40.0)


@pytest.fixture(scope="session")
def running_far_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    twin = far_site(tmp_path_factory.mktemp("failback"))
    yield twin
    twin.stop()


@pytest.fixture
def site(running_far_site: Site) -> Site:
    """A healthy, built cluster."""
    running_far_site.rebuild()
    return running_far_site


def listed(site: Site) -> dict[str, Person]:
    """Ana asks, Ben and Cleo agree."""
    known = {name: Person(name) for name in ("ana", "ben", "cleo")}
    list_of(site.path.parent / "allowed_signers", *known.values())
    return known


@pytest.fixture
def people(site: Site) -> dict[str, Person]:
    """People on the list."""
    return listed(site)


@asynccontextmanager
async def starting(client: Client, site: Site) -> AsyncIterator[Begin]:
    """Start runbooks with a worker of their own; what is left at the end is terminated."""
    inventory = load(site.path)
    settings = Settings(task_queue=f"test-{uuid.uuid4()}", grace=timedelta(seconds=1), speed=site.speed)
    runs: list[WorkflowHandle[Any, Any]] = []

    async def started(kind: str, **request: Any) -> WorkflowHandle[Any, Any]:
        wish = {"by": "ana", "mode": "apply"} | request
        name = f"{kind}/{uuid.uuid4().hex[:8]}"
        runs.append(await client.start_workflow(kind, wish, id=name, task_queue=settings.task_queue))
        return runs[-1]

    await erase(client, inventory.name)  # a worker's last activity may have begun one after its test's end
    async with worker(client, inventory, site.path.parent, settings):
        yield started
        for run in runs:
            await agrees(run)
            with contextlib.suppress(RPCError):
                await run.terminate("the test is over")
        # what a terminated run has held
        for name in ("failback", "evacuate-site", "return-site"):
            with contextlib.suppress(RPCError):
                await client.get_workflow_handle(f"{name}/{inventory.name}").terminate("the test is over")
        await erase(client, inventory.name)


@pytest_asyncio.fixture
async def start(client: Client, site: Site, people: dict[str, Person]) -> AsyncIterator[Begin]:
    """Start any runbook."""
    async with starting(client, site) as started:
        yield started


@pytest_asyncio.fixture
async def begin(start: Begin, site: Site) -> Begin:
    """Start a failback to site-b, which some guests of site-a call their home."""
    homes = {sid: site.named(node) for sid, node in HOMES.items()}

    async def begun(**request: Any) -> WorkflowHandle[Any, Any]:
        return await start("Failback", **({"site": site.named("site-b"), "homes": homes} | request))

    return begun


@pytest_asyncio.fixture
async def desk(client: Client, tmp_path: Path) -> AsyncIterator[Desk]:
    """A worker for the runbook that only asks; no twin is needed."""
    async with opened(client, tmp_path) as one:
        yield one
