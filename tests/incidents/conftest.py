"""A built cluster on the twin, a worker, and a watch of it."""

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from cluster.conditions import Kind
from cluster.watching import WatchRequest, WatchState
from lab.control.drills import Drills
from tests.audit.explaining import agrees, recorded
from tests.ledgers import erase
from tests.patience import Deadline
from tests.twin import CHOSEN, TwinThread, inventory_file
from workers.inventory_file import load
from workers.settings import Settings
from workers.worker.run import worker
from workflows.watch import ClusterWatch

SPEED = 10.0


class Site(TwinThread):
    """The twin as it is after the deployment, with faults by name; the article's names are said of any example.

    `speed` is how much faster than the wall its time runs, which its workers have to be told.
    """

    def __init__(self, path: Path, speed: float = SPEED) -> None:
        super().__init__(path, speed=speed)
        self.speed = speed
        self.drills = Drills(self.world)

    def rebuild(self) -> None:
        """As built, every fault ended."""
        self.world.clock.speed = 20
        self.call(self._twin.reset(built=True))
        self.world.clock.speed = self.speed
        self.drills = Drills(self.world)

    def fail(self, fault: str, *where: str) -> None:
        async def play() -> None:
            self.drills.fail(fault, [self.named(word) for word in where], by="test")

        self.call(play())

    def restore(self, fault: str, *where: str) -> None:
        async def play() -> None:
            self.drills.restore(fault, [self.named(word) for word in where], by="test")

        self.call(play())


def _known(state: WatchState) -> str:
    """Who was alive, and counted, so many seconds before the last look; since when sources are silent."""
    memory = state.memory
    if memory is None or memory.looked is None:
        return "it remembers nothing"
    ages = {
        what: {name: round((memory.looked - when).total_seconds(), 1) for name, when in times.items()}
        for what, times in (("alive", memory.alive), ("counted", memory.counted), ("quiet", memory.quiet))
    }
    return f"{ages}, looked {round(time.time() - memory.looked.timestamp(), 1)} s ago, {memory.judged}"


class Watched:
    """A watch that looks at the twin, and the incidents it opens. `queue`: its worker takes other runs there too."""

    def __init__(self, client: Client, handle: WorkflowHandle[Any, Any], cluster: str, queue: str = "") -> None:
        self.client, self.handle, self.cluster, self.queue = client, handle, cluster, queue

    async def state(self) -> WatchState:
        return await self.handle.query(ClusterWatch.state)

    async def until(self, true: Callable[[WatchState], bool], what: str, within: float = 40) -> WatchState:
        deadline = Deadline(within)
        while not true(state := await self.state()):
            told = state.verdict.main if state.verdict else None
            said = f"waited for {what}: {told}, open {state.open}, {state.trouble}, {_known(state)}"
            assert not deadline.over, said
            await deadline.a_while()
        return state

    async def says(self, kind: Kind, within: float = 40) -> WatchState:
        return await self.until(lambda state: state.verdict is not None and state.verdict.kind == kind, kind, within)

    async def loss(self, site: str = "site-a", within: float = 60) -> WorkflowHandle[Any, Any]:
        """The incident of that site's loss; what was explained before has handed over to it."""

        def opened(state: WatchState) -> list[str]:
            return [one.run for one in state.incidents if one.kind == "SiteLoss" and one.where == (site,)]

        state = await self.until(lambda state: bool(opened(state)), f"the loss of {site}", within)
        return self.client.get_workflow_handle(opened(state)[0])

    async def nodes(self, *names: str, within: float = 60) -> WorkflowHandle[Any, Any]:
        """The incident of the loss of these nodes."""

        def opened(state: WatchState) -> list[str]:
            return [one.run for one in state.incidents if one.kind == "NodeLoss" and set(names) <= set(one.where)]

        state = await self.until(lambda state: bool(opened(state)), f"the loss of {names}", within)
        return self.client.get_workflow_handle(opened(state)[0])

    async def incident(self, within: float = 40) -> WorkflowHandle[Any, Any]:
        state = await self.until(lambda state: state.open is not None, "an incident", within)
        assert state.open is not None
        return self.client.get_workflow_handle(state.open.run)


@pytest.fixture(scope="session")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    twin = Site(inventory_file(tmp_path_factory.mktemp("site"), "site", CHOSEN))
    yield twin
    twin.stop()


@pytest.fixture
def site(running_site: Site) -> Site:
    """A healthy, built cluster."""
    running_site.rebuild()
    return running_site


@asynccontextmanager
async def watching(client: Client, site: Site, first: Kind = "healthy") -> AsyncIterator[Watched]:
    """A worker, and a watch that has found the cluster healthy, or as it is `first`."""
    inventory = load(site.path)
    settings = Settings(task_queue=f"test-{uuid.uuid4()}", grace=timedelta(seconds=1), speed=site.speed)
    await erase(client, inventory.name)  # a worker's last activity may have begun one after its test's end
    async with worker(client, inventory, site.path.parent, settings):
        handle = await client.start_workflow(
            ClusterWatch.run, WatchRequest(), id=f"watch/{inventory.name}", task_queue=settings.task_queue
        )
        watch = Watched(client, handle, inventory.name, settings.task_queue)
        try:
            await watch.says(first)
            if first == "healthy":
                await watch.until(lambda state: state.open is None, "the end of what the first look has opened")
            yield watch
            await judged_right(client, handle)
        finally:
            await nothing_runs(client, watch.cluster)


async def judged_right(client: Client, watch: WorkflowHandle[Any, Any]) -> None:
    """Every judgement of the watch, and of the incidents that it has opened, was right given what was seen."""
    found = await agrees(watch)
    assert [one for one in found if one.kind == "verdict"], "the watch has told no verdict"
    for line in await recorded(watch):
        if line.kind == "run" and line.data.get("runbook") in ("SiteLoss", "NodeLoss", "ClusterIncident"):
            await agrees(client.get_workflow_handle(line.data["run"]))


@pytest_asyncio.fixture
async def watched(client: Client, site: Site) -> AsyncIterator[Watched]:
    """A watch of that cluster."""
    async with watching(client, site) as watch:
        yield watch


INCIDENTS = "WorkflowType IN ('SiteLoss', 'NodeLoss', 'ClusterIncident', 'Claim') AND ExecutionStatus = 'Running'"


async def nothing_runs(client: Client, cluster: str) -> None:
    """Nothing is left running, whatever a test found; the watch first, or it opens again what is ended here."""
    await _terminated(client, f"watch/{cluster}")
    async for run in client.list_workflows(INCIDENTS):
        await _terminated(client, run.id)
    await erase(client, cluster)


async def _terminated(client: Client, run: str) -> None:
    with contextlib.suppress(RPCError):
        await client.get_workflow_handle(run).terminate("the test is over")


async def ended(run: WorkflowHandle[Any, Any], within: float = 60) -> None:
    deadline = Deadline(within)
    while (await run.describe()).status == WorkflowExecutionStatus.RUNNING:
        assert not deadline.over, "waited for the incident's end"
        await deadline.a_while()
