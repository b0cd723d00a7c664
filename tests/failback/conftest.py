"""A built twin, people with keys, and failbacks to site-b: what runs at site-a belongs there by the wish of a test."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from runbooks.failback import Failback
from runbooks.homecoming import FailbackRequest
from tests.failback.people import Person, list_of
from tests.incidents.conftest import Site
from tests.twin import inventory_file
from workers.inventory_file import load
from workers.run import worker
from workers.settings import Settings

HOMES = {"vm:300": "pxmx02-01", "vm:301": "pxmx02-02"}
POLICY = """
approvals:
  needed: 2
  within: 10m
failback:
  soak: 121s
"""

Begin = Callable[..., Awaitable[WorkflowHandle[Any, Any]]]


@pytest.fixture(scope="session")
def running_far_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = inventory_file(tmp_path_factory.mktemp("failback"), "failback")
    path.write_text(path.read_text().partition("\n# Who may agree")[0] + POLICY)
    twin = Site(path, 40.0)
    yield twin
    twin.stop()


@pytest.fixture
def site(running_far_site: Site) -> Site:
    """A healthy, built cluster."""
    running_far_site.rebuild()
    return running_far_site


@pytest.fixture
def people(site: Site) -> dict[str, Person]:
    """Ana asks, Ben and Cleo agree."""
    known = {name: Person(name) for name in ("ana", "ben", "cleo")}
    list_of(site.path.parent / "allowed_signers", *known.values())
    return known


@pytest_asyncio.fixture
async def begin(client: Client, site: Site, people: dict[str, Person]) -> AsyncIterator[Begin]:
    """Start failbacks to site-b with a worker of its own; what is left at the end is terminated."""
    inventory = load(site.path)
    settings = Settings(task_queue=f"test-{uuid.uuid4()}", grace=timedelta(seconds=1))
    runs: list[WorkflowHandle[Any, Any]] = []

    async def started(**request: Any) -> WorkflowHandle[Any, Any]:
        wish = FailbackRequest.model_validate(
            {"site": "site-b", "by": "ana", "mode": "apply", "homes": HOMES} | request
        )
        runs.append(
            await client.start_workflow(
                Failback.run, wish, id=f"failback/{inventory.name}", task_queue=settings.task_queue
            )
        )
        return runs[-1]

    async with worker(client, inventory, site.path.parent, settings):
        yield started
        for run in runs:
            with contextlib.suppress(RPCError):
                await run.terminate("the test is over")


def signers(site: Site) -> Path:
    """The list of approvers, to be changed by a test."""
    return site.path.parent / "allowed_signers"
