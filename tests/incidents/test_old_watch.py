"""A watch that is a day old: it judges and times the loss of a site as one that has just begun."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client

from cluster.events import Event, EventBatch
from cluster.watching import WatchRequest
from runbooks.loss import SiteLossReport
from tests.incidents.conftest import Site, Watched, ended, nothing_runs
from tests.incidents.test_levels import waits_for
from tests.twin import inventory_file
from workers.inventory_file import load
from workers.settings import Settings
from workers.worker.run import worker
from workflows import lasting
from workflows.watch import ClusterWatch

pytestmark = pytest.mark.aged

SPEED = 60.0
AGE = timedelta(hours=26)
# In lab time: how often somebody sends an event, and how long a worker lives.
EVENT_EVERY, WORKER_LIVES = timedelta(minutes=13), timedelta(hours=4)
# Lab seconds by which the two losses may differ: a look of each, and for what HA does a round of its daemons more.
DIFFERS = {"T0": 40.0, "declared": 60.0, "fenced": 60.0, "running": 60.0}


@pytest.fixture
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A built cluster whose time goes sixty times as fast."""
    twin = Site(inventory_file(tmp_path_factory.mktemp("old"), "old"), SPEED)
    twin.rebuild()
    yield twin
    twin.stop()


class Old:
    """A watch with workers that come and go."""

    def __init__(self, client: Client, site: Site) -> None:
        self._client, self._site = client, site
        self._inventory = load(site.path)
        self._settings = Settings(task_queue=f"test-{uuid.uuid4()}", grace=timedelta(seconds=1), speed=site.speed)
        self._next = asyncio.Event()
        self._work = asyncio.create_task(self._workers())
        self.workers = 0
        self.watch: Watched

    async def _workers(self) -> None:
        while True:
            self._next.clear()
            async with worker(self._client, self._inventory, self._site.path.parent, self._settings):
                self.workers += 1
                await self._next.wait()

    async def begin(self) -> Watched:
        name = self._inventory.name
        handle = await self._client.start_workflow(
            ClusterWatch.run, WatchRequest(), id=f"watch/{name}", task_queue=self._settings.task_queue
        )
        self.watch = Watched(self._client, handle, name)
        await self.watch.says("healthy")
        await self.watch.until(lambda state: state.open is None, "the end of what the first look has opened")
        return self.watch

    async def ages(self, age: timedelta) -> set[str]:
        """Let it grow old: events come, workers change. The kinds of verdict that were seen on the way."""
        kinds: set[str] = set()
        until = time.monotonic() + age / timedelta(seconds=SPEED)
        event = lives = time.monotonic()
        number = 0
        while (now := time.monotonic()) < until:
            if now - event > EVENT_EVERY / timedelta(seconds=SPEED):
                event, number = now, number + 1
                batch = EventBatch(events=(Event(id=f"old-{number}", source="purity", kind="alert", severity="info"),))
                await self.watch.handle.signal(ClusterWatch.events, batch)
            if now - lives > WORKER_LIVES / timedelta(seconds=SPEED):
                lives = now
                self._next.set()
            with contextlib.suppress(Exception):  # no worker answers while one goes and the next one comes
                state = await asyncio.wait_for(self.watch.state(), 5)
                kinds |= {state.verdict.kind} if state.verdict else set()
                assert state.open is None, state.open
            await asyncio.sleep(0.5)
        return kinds

    async def end(self) -> None:
        await nothing_runs(self._client, self._inventory.name)
        self._work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._work


async def moved(site: Site, vmid: int, node: str) -> None:
    """A person moves a guest by HA's command, and waits until it is there."""
    ha, guest = site.world.cluster.ha, site.world.cluster.guests[vmid]

    async def move() -> None:
        ha.commands.append(("migrate", f"vm:{vmid}", node))
        ha.begins(f"vm:{vmid}")
        while guest.node != node or ha.manager is None or ha.manager.services[f"vm:{vmid}"].state != "started":
            await site.world.clock.sleep(1)

    await asyncio.to_thread(site.call, move())


async def lost(site: Site, watch: Watched) -> tuple[dict[str, Any], dict[str, float]]:
    """A site loses its power and comes back: what was judged, and when, in lab seconds after the loss."""
    began = datetime.now(UTC)
    site.fail("site-power", "site-a")
    run = await watch.loss()
    await waits_for(run, within=90)
    site.restore("site-power", "site-a")
    await ended(run, 120)
    report = SiteLossReport.model_validate(await run.result())
    judged = {
        "homes": report.homes,
        "fenced": sorted(report.timeline.fenced),
        "unfenced": sorted(report.unfenced),
        "running": sorted(report.timeline.running),
        "outages": [(one.sid, one.times) for one in report.outages],
        "forecast": report.forecast,
    }
    times = {
        "T0": (report.timeline.t0 - began).total_seconds() * SPEED,
        "declared": report.timeline.declared or 0.0,
        "fenced": max(report.timeline.fenced.values()),
        "running": max(report.timeline.running.values()),
    }
    return judged, times


async def test_a_watch_of_26_hours_judges_and_times_a_loss_as_a_fresh_one(
    fast: Site, client: Client, monkeypatch: pytest.MonkeyPatch
):
    """Events, new workers, new runs of the watch and a guest's way there and back lie in between."""
    fresh = Old(client, fast)
    judged, times = await lost(fast, await fresh.begin())
    await fresh.end()

    fast.rebuild()
    monkeypatch.setattr(lasting, "LONG", 100)
    old = Old(client, fast)
    watch = await old.begin()
    kinds = await old.ages(AGE / 2)
    await moved(fast, 300, "pxmx02-03")
    await moved(fast, 300, "pxmx01-01")
    kinds |= await old.ages(AGE / 2)
    monkeypatch.setattr(lasting, "LONG", 2000)
    runs = [run async for run in client.list_workflows(f"WorkflowId = '{watch.handle.id}'")]
    again, later = await lost(fast, watch)
    await old.end()

    print(f"{len(runs)} runs of the watch, {old.workers} workers; fresh {times}; old {later}")
    assert kinds == {"healthy"}
    assert len(runs) > 5
    assert old.workers > 5
    assert again == judged
    assert {name: abs(later[name] - at) < DIFFERS[name] for name, at in times.items()} == dict.fromkeys(times, True)
