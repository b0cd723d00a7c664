"""No change of planned work begins while it cannot be learned how the cluster stands."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.records import interlock
from activities.records.interlock import Interlock
from activities.records.ledger import LedgerBook
from cluster.inventory import Inventory
from cluster.ledger import INCIDENTS
from cluster.memory import rounds
from cluster.together import BREAKING, MOVING
from cluster.watching import watch_id
from tests.standins import standing
from tests.twin import inventory_file
from workers.inventory_file import load
from workers.temporal.bootstrap import bootstrap

HEALTHY = {"main": {"kind": "healthy", "where": []}, "also": []}


@workflow.defn(name="ClusterWatch")
class Told:
    """A watch that says what it is started with, and looks as the activity of these tests does."""

    def __init__(self) -> None:
        self._state: dict[str, Any] = {}

    @workflow.run
    async def run(self, state: dict[str, Any]) -> None:
        """Until it is terminated."""
        self._state = state
        await workflow.execute_activity(
            "watch.look", state.get("beats"), start_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(minutes=5),
        )  # fmt: skip

    @workflow.query
    def state(self) -> dict[str, Any]:
        """What it knows."""
        return self._state


@activity.defn(name="watch.look")
async def looks(beats: str | None) -> None:
    """Tell once when the newest look was made, and go on looking."""
    activity.heartbeat({"looked_at": beats} if beats else None)
    await asyncio.sleep(3600)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """A cluster of this test alone: no other run is about it."""
    return load(inventory_file(tmp_path)).model_copy(update={"name": f"c-{uuid.uuid4().hex[:8]}"})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interlock, "MORE_PATIENT", 1.0)


@asynccontextmanager
async def watched(client: Client, inventory: Inventory, **state: Any) -> AsyncIterator[None]:
    """While a watch runs that knows this; its look has been heard of once it goes on."""
    await bootstrap(client)
    queue = f"test-{uuid.uuid4()}"
    async with Worker(
        client, task_queue=queue, workflows=[Told], activities=[looks], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        run = await client.start_workflow("ClusterWatch", state, id=watch_id(inventory.name), task_queue=queue)
        try:
            async with asyncio.timeout(20):
                while not (await run.describe()).raw_description.pending_activities:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            yield
        finally:
            await run.terminate("the test is over")


async def held(client: Client, inventory: Inventory, kind: str = "Failback") -> str:
    """Why a run of that type parks before its change; empty when it may make it."""
    lock = Interlock(inventory, LedgerBook(inventory))
    found = (await asyncio.gather(lock.before_a_change(client, kind), return_exceptions=True))[0]
    if found is None:
        return ""
    assert isinstance(found, ApplicationError)
    assert (found.type, found.non_retryable) == ("Held", True)  # a person answers; it is not tried again by itself
    return found.message


def ago(inventory: Inventory, rounds_ago: float) -> str:
    return (datetime.now(UTC) - rounds(inventory) * rounds_ago).isoformat()


@pytest.mark.parametrize("kind", ["DeployStretchedCluster", *MOVING])
async def test_a_watch_that_does_not_answer_holds_every_change(client: Client, inventory: Inventory, kind: str):
    """Its worker is gone, and a loss may stand that it would tell: silence is no calm."""
    await bootstrap(client)
    async with standing(client, inventory.name, "ClusterWatch", watch_id(inventory.name)):
        assert (await held(client, inventory, kind)).startswith(
            f"watch/{inventory.name} does not report its verdict (its worker is busy or gone): it is not known"
        )


@pytest.mark.parametrize("kind", [*INCIDENTS, *BREAKING])
async def test_an_incident_is_held_by_no_silence(client: Client, inventory: Inventory, kind: str):
    """It freezes and reads, whoever answers; a break-glass run judges the cluster itself."""
    await bootstrap(client)
    async with standing(client, inventory.name, "ClusterWatch", watch_id(inventory.name)):
        assert await held(client, inventory, kind) == ""


async def test_a_watch_that_has_looked_within_its_rounds_holds_nothing(client: Client, inventory: Inventory):
    """It told its verdict an hour ago, and the look that goes on is of now."""
    async with watched(client, inventory, verdict=HEALTHY, at=ago(inventory, 100), beats=ago(inventory, 0.1)):
        assert await held(client, inventory) == ""


async def test_a_watch_whose_newest_look_is_old_holds_every_change(client: Client, inventory: Inventory):
    """It answers, and says healthy; so it was."""
    async with watched(client, inventory, verdict=HEALTHY, at=ago(inventory, 100), beats=ago(inventory, 2)):
        assert f"watch/{inventory.name} last looked at" in await held(client, inventory)


async def test_a_watch_that_has_not_judged_yet_holds_every_change(client: Client, inventory: Inventory):
    """It has been started this moment."""
    async with watched(client, inventory, verdict=None, at=None):
        assert f"watch/{inventory.name} has given no verdict yet" in await held(client, inventory)


async def test_a_loss_that_the_watch_sees_is_told_as_that(client: Client, inventory: Inventory):
    """It holds before its incident is open, as before."""
    lost = {"main": {"kind": "site-lost", "where": ["site-a"]}, "also": []}
    async with watched(client, inventory, verdict=lost, at=ago(inventory, 0)):
        assert (await held(client, inventory)).startswith("the watch sees site-lost site-a: a site is lost")


async def test_a_cluster_that_nobody_watches_has_no_verdict_to_wait_for(client: Client, inventory: Inventory):
    """The run's own conditions are asked before each change all the same."""
    await bootstrap(client)
    assert await held(client, inventory) == ""
