"""What lies between two incidents: a second loss, a watch that was away, one that was terminated, old memory."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client

from cluster.events import Event, EventBatch
from cluster.watching import WatchRequest, WatchState
from runbooks.loss import SiteLossReport
from tests.incidents.conftest import SPEED, Site, Watched, ended, nothing_runs, watching
from tests.runs import said, steps, until
from workers.inventory_file import load
from workers.settings import Settings
from workers.worker.run import worker
from workflows.watch import ClusterWatch

pytestmark = pytest.mark.slow


async def waits_for(run: Any, site: str = "site-a", within: float = 60) -> None:
    title = f"{site} {'are' if ', ' in site else 'is'} back"
    await until(run, lambda found: any(step.title == title for step in found), "the guests", within)


def loss_of(state: WatchState, site: str) -> str:
    return next((one.run for one in state.incidents if one.kind == "SiteLoss" and one.where == (site,)), "")


async def test_a_second_site_that_is_lost_has_an_incident_of_its_own(site: Site, watched: Watched):
    """The first one is paused, its site is back: the loss of the other one opens all the same, and both are told."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    site.fail("site-power", "site-a")
    run = await watched.loss()
    await waits_for(run)
    await said(run, "pause", {"by": "ana", "why": "lunch"})
    site.restore("site-power", "site-a")
    await watched.says("healthy", 60)

    site.fail("site-power", "site-b")
    state = await watched.until(lambda state: bool(loss_of(state, "site-b")), "the loss of site-b", 60)

    second = watched.client.get_workflow_handle(loss_of(state, "site-b"))
    assert loss_of(state, "site-a") == run.id
    await until(run, lambda found: any(one.title == "Evidence" for one in found), "the second loss on the first page")
    assert "site-b" in (await run.query("page")).partition("| T+")[0]
    await waits_for(second, "site-b", 90)
    assert site.world.cluster.ha.resources["vm:301"]["failback"] == 0
    progress = await second.query("progress")
    assert {one["sid"] for one in progress["back"] if one["ok"]} == {"vm:300", "vm:301"}


async def test_two_losses_without_a_failback_forget_neither_homes_nor_switches(
    site: Site, watched: Watched, client: Client
):
    """The second loss finds no guest at the site; the failback brings them to where they were before the first."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    for _ in range(2):
        site.fail("site-power", "site-a")
        state = await watched.until(lambda state: bool(loss_of(state, "site-a")), "a loss", 60)
        run = client.get_workflow_handle(loss_of(state, "site-a"))
        await waits_for(run)
        site.restore("site-power", "site-a")
        await ended(run, 90)
        await watched.says("healthy", 60)
        await watched.until(lambda state: state.open is None, "the end")
    report = SiteLossReport.model_validate(await run.result())
    book = await client.get_workflow_handle("ledger/pxmx-cluster").query("book")

    assert report.homes == {}
    assert {sid: home["node"] for sid, home in book["homes"].items()} == {"vm:300": "pxmx01-01", "vm:301": "pxmx01-02"}
    assert [entry["switch"]["name"] for entry in book["switches"]] == ["vm:301"]


@pytest.mark.parametrize("event", [False, True], ids=["no event", "an event one second after the loss"])
async def test_an_event_in_the_first_second_changes_nothing(site: Site, watched: Watched, *, event: bool):
    """T0, homes and fencing are those of the loss, not of the last verdict: a guest had moved away in between."""

    async def elsewhere() -> None:
        site.world.cluster.ha.commands.append(("migrate", "vm:301", "pxmx02-03"))
        site.world.cluster.ha.begins("vm:301")
        while site.world.cluster.guests[301].node != "pxmx02-03":
            await site.world.clock.sleep(1)

    site.call(elsewhere())
    await asyncio.sleep(20)
    lost_at = datetime.now(UTC)
    site.fail("site-power", "site-a")
    if event:
        await asyncio.sleep(1 / SPEED)
        one = Event(id="1", source="purity", kind="alert 122", subject="X90R3-SiteB", severity="critical")
        await watched.handle.signal("events", EventBatch(events=(one,)))
    run = await watched.loss()
    await waits_for(run)

    progress = await run.query("progress")
    t0 = datetime.fromisoformat(progress["timeline"]["t0"])
    assert abs((lost_at - t0).total_seconds()) * SPEED < 30
    assert progress["guests"] == {"vm:300": "pxmx01-01"}
    assert set(progress["timeline"]["fenced"]) == {"pxmx01-01"}
    assert not any("late" in note for note in (await run.query("page")).splitlines()[:8])


async def test_a_new_watch_takes_over_what_is_open(site: Site, watched: Watched, client: Client):
    """Stopped while the witness is lost, started when it is back: the old incident is told, and ends."""
    site.fail("witness")
    run = await watched.incident(60)
    queue = (await watched.handle.describe()).task_queue
    await watched.handle.execute_update(ClusterWatch.stop)
    site.restore("witness")
    again = await client.start_workflow(ClusterWatch.run, WatchRequest(), id="watch/pxmx-cluster", task_queue=queue)
    seen = Watched(client, again, "pxmx-cluster")

    state = await seen.until(lambda state: state.verdict is not None, "a verdict")
    assert [one.run for one in state.incidents] in ([run.id], [])
    await ended(run, 40)
    await seen.until(lambda state: state.open is None, "the end")
    site.fail("witness")
    assert (await seen.incident(60)).id != run.id


async def test_an_incident_without_a_watch_looks_for_itself(site: Site, watched: Watched):
    """The watch is stopped, the cause goes away: the incident notices, says so, and ends."""
    site.fail("witness")
    run = await watched.incident(60)
    await watched.handle.execute_update(ClusterWatch.stop)
    site.restore("witness")

    await ended(run, 60)
    assert "no watch of pxmx-cluster runs: this incident watches the cluster itself" in (await run.result())["notes"]


async def test_an_incident_that_is_terminated_is_told_and_opened_again(site: Site, watched: Watched):
    """Its cause stands, so another one follows it."""
    site.fail("witness")
    run = await watched.incident(60)
    await run.terminate("a slip of the hand")

    state = await watched.until(lambda state: state.open is not None and state.open.run != run.id, "another one", 60)
    assert state.remark == f"{run.id} was terminated before its end"
    site.restore("witness")
    assert state.open is not None
    await ended(watched.client.get_workflow_handle(state.open.run), 60)


async def test_a_witness_that_blinks_hides_no_loss(site: Site, watched: Watched):
    """The ordinary rolling power failure: the witness twice, then the site; the loss opens as soon as ever."""
    for _ in range(2):
        site.fail("witness")
        await watched.says("witness-lost", 60)
        site.restore("witness")
        await watched.says("healthy", 60)
    began = datetime.now(UTC)
    site.fail("site-power", "site-a")

    await watched.until(lambda state: bool(loss_of(state, "site-a")), "the loss", 60)
    assert (datetime.now(UTC) - began).total_seconds() * SPEED < 60


async def test_a_loss_that_is_started_by_hand_reads_what_ha_lists(client: Client, site: Site):
    """Nobody had watched: homes and fencing come from HA's own list, and T0 is said not to be known."""
    inventory = load(site.path)
    settings = Settings(task_queue=f"test-{uuid.uuid4()}", grace=timedelta(seconds=1), speed=site.speed)
    await asyncio.sleep(8)  # HA has a master and knows its guests
    site.fail("site-power", "site-a")
    await asyncio.sleep(3)
    async with worker(client, inventory, site.path.parent, settings):
        run: Any = await client.start_workflow(
            "SiteLoss", {"site": "site-a", "mode": "apply"}, id="site-loss/by-hand", task_queue=settings.task_queue
        )
        try:
            await waits_for(run)
            progress = await run.query("progress")
            found = {step.title: step for step in await steps(run)}
        finally:
            await nothing_runs(client, inventory.name)

    assert progress["guests"] == {"vm:300": "pxmx01-01", "vm:301": "pxmx01-02"}
    assert progress["timeline"]["assumed"]
    assert {node: found[f"{node} is fenced"].state for node in ("pxmx01-01", "pxmx01-02", "pxmx01-03")} == {
        "pxmx01-01": "done",
        "pxmx01-02": "done",
        "pxmx01-03": "unneeded",
    }


async def test_a_loss_that_was_started_by_hand_is_taken_over_by_a_watch(client: Client, site: Site):
    """No second one is opened: the watch finds it, tells it, and it ends with the loss."""
    inventory = load(site.path)
    settings = Settings(task_queue=f"test-{uuid.uuid4()}", grace=timedelta(seconds=1), speed=site.speed)
    await asyncio.sleep(8)
    site.fail("site-power", "site-a")
    await asyncio.sleep(3)
    async with worker(client, inventory, site.path.parent, settings):
        run: Any = await client.start_workflow(
            "SiteLoss", {"site": "site-a", "mode": "apply"}, id="site-loss/by-hand", task_queue=settings.task_queue
        )
        await until(run, lambda found: any(step.title == "Forecast" for step in found), "its beginning")
        watch = await client.start_workflow(
            ClusterWatch.run, WatchRequest(), id="watch/pxmx-cluster", task_queue=settings.task_queue
        )
        seen = Watched(client, watch, inventory.name)
        try:
            state = await seen.says("site-lost")
            await asyncio.sleep(2)
            state = await seen.state()
            assert [one.run for one in state.incidents] == [run.id]
            await waits_for(run)
            site.restore("site-power", "site-a")
            await ended(run, 90)
            await seen.until(lambda state: state.open is None, "the end")
        finally:
            await nothing_runs(client, inventory.name)


async def test_a_healthy_verdict_that_came_first_ends_an_incident(client: Client, site: Site):
    """The change was told before the incident waited for one."""
    async with watching(client, site) as watched:
        state = await watched.state()
        opening = {
            "verdict": {"main": {"kind": "witness-lost", "where": ["qdevice"], "reasons": ["x"]}},
            "memory": {},
            "at": datetime.now(UTC).isoformat(),
            "odd_since": datetime.now(UTC).isoformat(),
        }
        assert state.verdict is not None
        change = {"verdict": state.verdict.model_dump(mode="json"), "at": datetime.now(UTC).isoformat()}
        queue = (await watched.handle.describe()).task_queue
        run = await client.start_workflow(
            "ClusterIncident", {"opening": opening}, id="incident/early", task_queue=queue,
            start_signal="changed", start_signal_args=[change],
        )  # fmt: skip
        await ended(run, 30)
