"""Planned work, announced to the watch: no incident for what was said, one for everything else."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from cluster.answers.model import together
from cluster.memory import Memory
from cluster.silences import SilenceWish, UnsilenceWish
from cluster.watching import WatchRequest, WatchState
from lab.built import add_guest
from tests.incidents.conftest import Site, Watched, watching
from tests.patience import Deadline
from tests.receivers import Receiver
from workers.cli.freshness import freshness
from workers.cli.watch import lines
from workers.inventory_file import load
from workflows.watch import ClusterWatch

pytestmark = pytest.mark.slow

A1, A2, A3 = "pxmx01-01", "pxmx01-02", "pxmx01-03"


def wish(*where: str, seconds: float = 3600) -> SilenceWish:
    return SilenceWish(
        where=where, by="ana", why="replacing PDUs", until=datetime.now(UTC) + timedelta(seconds=seconds)
    )


async def in_maintenance(watched: Watched, site: Site, *nodes: str) -> None:
    """HA has moved every guest away, and the watch has seen it."""

    async def ask() -> None:
        for node in nodes:
            site.world.cluster.ha.commands.append(("node-maintenance", node, "enable"))

    site.call(ask())
    asked = datetime.now(UTC)

    def rested(memory: Memory) -> bool:
        return all(
            node in memory.rested and memory.rested[node] > max(asked, memory.worked.get(node, asked)) for node in nodes
        )

    deadline = Deadline(120)
    while not rested(await beside(watched)):
        assert not deadline.over, f"waited for {nodes} in maintenance: {site.manager.nodes}"
        await deadline.a_while()


async def beside(watched: Watched) -> Memory:
    """What the look that is under way knows."""
    beat = (await freshness(watched.client, watched.cluster)).beat
    return beat.memory if beat else Memory()


async def dark(watched: Watched, kind: str) -> WatchState:
    def planned(state: WatchState) -> bool:
        found = state.verdict
        return found is not None and found.kind == kind and found.main.planned is not None

    return await watched.until(planned, f"{kind}, as planned", 90)


def told(state: WatchState, site: Site) -> str:
    return "\n".join(line.plain for line in lines(state, load(site.path), datetime.now(UTC)))


async def test_an_announced_site_goes_dark_without_an_incident_and_has_one_when_the_silence_ends(
    site: Site, watched: Watched
):
    """Page, terminal and answer say planned; ended by hand, the dark site opens its loss."""
    await in_maintenance(watched, site, A1, A2, A3)
    said = await watched.handle.execute_update(ClusterWatch.silence, wish("site-a"))
    assert said.startswith("announced: site-a until ")

    site.fail("site-power", "site-a")
    state = await dark(watched, "site-lost")

    answer = together(state.answers)
    assert answer is not None
    assert answer.urgency == "watch"
    assert answer.head.startswith("Planned: site-a is dark, as ana announced until ")
    assert not state.incidents
    page = await watched.handle.query(ClusterWatch.page)
    assert "Planned: site-a is dark, as ana announced until " in page
    assert "- planned: **site-lost** site-a" in page
    assert "Planned: site-a is dark, as ana announced until " in told(state, site)

    await watched.handle.execute_update(ClusterWatch.unsilence, UnsilenceWish(where=("site-a",), by="ana"))
    loss = await watched.loss("site-a")
    assert loss.id.startswith("site-loss/")


async def test_a_silence_ends_by_its_time_after_people_were_told(site: Site, client: Client):
    """The watch's own clock ends it; what is dark then is a loss."""
    receiver, text = Receiver(), site.path.read_text()
    site.path.write_text(f'{text}\nnotify: [{{"name": "desk", "webhook": "{receiver.url}"}}]\n')
    try:
        async with watching(client, site) as watched:
            await in_maintenance(watched, site, A1)
            await watched.handle.execute_update(ClusterWatch.silence, wish(A1, seconds=60))
            site.fail("node", A1)
            state = await dark(watched, "node-lost")
            assert not state.incidents

            loss = await watched.nodes(A1, within=120)

            assert loss.id.startswith("node-loss/")
            assert not (await watched.state()).silences
    finally:
        site.path.write_text(text)
        receiver.stop()
    told = [json.loads(body) for _, body in receiver.got]
    warned = next(one for one in told if one["occasion"] == "asked" and "announcement" in one["title"])
    assert warned["title"].startswith(f"The announcement for {A1} ends at ")
    assert f"{A1} is still dark, as ana announced (replacing PDUs)." in warned["text"]


async def test_a_watch_that_goes_on_as_a_new_run_holds_what_was_announced(site: Site, client: Client, watched: Watched):
    """With its memory; one that is started anew knows neither, and takes the dark node for lost."""
    await in_maintenance(watched, site, A1)
    await watched.handle.execute_update(ClusterWatch.silence, wish(A1))
    site.fail("node", A1)
    known = await dark(watched, "node-lost")
    queue = (await watched.handle.describe()).task_queue
    await watched.handle.terminate("the test goes on as its next run")

    carried = WatchRequest(memory=known.memory, silences=known.silences)
    handle = await client.start_workflow(ClusterWatch.run, carried, id=watched.handle.id, task_queue=queue)
    after = Watched(client, handle, watched.cluster)
    assert not (await dark(after, "node-lost")).incidents
    await handle.terminate("the test begins anew")

    handle = await client.start_workflow(ClusterWatch.run, WatchRequest(), id=watched.handle.id, task_queue=queue)
    assert await Watched(client, handle, watched.cluster).nodes(A1)


async def test_another_node_that_dies_meanwhile_has_an_incident_of_its_own(site: Site, watched: Watched):
    """Only of the node that nobody has announced."""
    await in_maintenance(watched, site, A1)
    await watched.handle.execute_update(ClusterWatch.silence, wish(A1))
    site.fail("node", A1)
    await dark(watched, "node-lost")

    site.fail("node", A2)

    state = await watched.until(lambda state: bool(state.incidents), "the loss of a node", 120)
    assert [(one.kind, one.where) for one in state.incidents] == [("NodeLoss", (A2,))]


async def test_a_silent_site_with_a_guest_is_lost_at_once(site: Site, watched: Watched):
    """A silence hides no guest: neither one of HA nor one that HA does not know."""

    async def stranger() -> None:
        add_guest(site.world, 900, A3)

    site.call(stranger())
    await watched.handle.execute_update(ClusterWatch.silence, wish("site-a"))

    site.fail("site-power", "site-a")

    assert (await watched.loss("site-a", within=90)).id.startswith("site-loss/")


async def test_what_cannot_be_announced_is_refused(watched: Watched):
    """With field, value and remedy; nothing is half taken."""
    handle = watched.handle
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(ClusterWatch.silence, wish("site-x"))
    with pytest.raises(WorkflowUpdateFailedError) as nothing:
        await handle.execute_update(ClusterWatch.unsilence, UnsilenceWish(where=("site-a",), by="ana"))

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.message.startswith(
        "where: 'site-x' is neither a site nor a node here: name one of site-a"
    )
    assert isinstance(nothing.value.cause, ApplicationError)
    assert nothing.value.cause.message == "where: 'site-a' is not announced: nothing is announced"
    assert (await watched.state()).silences == ()
