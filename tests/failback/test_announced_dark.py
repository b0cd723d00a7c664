"""An evacuation announces its site to the watch, and the return ends that: no incident opens in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from cluster.watching import WatchRequest, watch_id
from tests.failback.conftest import Begin
from tests.failback.people import Person
from tests.failback.test_site_work import agreed, under_way
from tests.incidents.conftest import Site, Watched, ended, nothing_runs
from tests.runs import aborted, steps, until
from workers.inventory_file import load
from workflows.watch import ClusterWatch

pytestmark = pytest.mark.slow


@asynccontextmanager
async def watching_beside(client: Client, site: Site, run: WorkflowHandle[Any, Any]) -> AsyncIterator[Watched]:
    """A watch on the queue of that run."""
    queue, cluster = (await run.describe()).task_queue, load(site.path).name
    handle = await client.start_workflow(ClusterWatch.run, WatchRequest(), id=watch_id(cluster), task_queue=queue)
    try:
        watched = Watched(client, handle, cluster)
        await watched.says("healthy")  # a gate takes no vote before the watch has a verdict
        yield watched
    finally:
        await nothing_runs(client, cluster)


TOLD = "The watch knows that site-a goes dark"


async def test_an_evacuated_site_goes_dark_and_comes_back_without_an_incident(
    site: Site, client: Client, start: Begin, people: dict[str, Person]
):
    """The watch calls it planned, by the requester and for that run, until the site is back."""
    run = await start("EvacuateSite", site="site-a", dark_for="2h")
    async with watching_beside(client, site, run) as watched:
        await agreed(run, people)
        await until(run, under_way("site-a is dark, and no node was fenced"), "the dark", 90)
        said = next(step.finding for step in await steps(run) if step.title == TOLD)
        assert said.startswith("announced: site-a until ")

        site.fail("site-power", "site-a")
        state = await watched.until(
            lambda state: state.verdict is not None and state.verdict.kind == "site-lost", "the dark", 90
        )
        assert state.verdict is not None
        assert state.verdict.main.planned is not None
        assert (state.verdict.main.planned.by, state.verdict.main.planned.why) == ("ana", run.id)
        assert not state.incidents

        site.restore("site-power", "site-a")
        await ended(run, 120)
        back = await start("ReturnSite", site="site-a", incident=run.id)
        await agreed(back, people)
        await ended(back, 120)
        state = await watched.state()
        # a guest that is on its way home may be told as not running yet; no loss is
        assert [one for one in state.incidents if one.kind != "ClusterIncident"] == []
        assert state.silences == ()
        assert not [
            one async for one in client.list_workflows("WorkflowType = 'SiteLoss' AND ExecutionStatus = 'Running'")
        ]


async def test_an_evacuation_that_is_aborted_says_what_stays_announced(
    site: Site, client: Client, start: Begin, people: dict[str, Person]
):
    """The site is empty, and may be off already: whoever ends the work ends the announcement."""
    run = await start("EvacuateSite", site="site-a")
    async with watching_beside(client, site, run) as watched:
        await agreed(run, people)
        await until(run, under_way("site-a is dark, and no node was fenced"), "the dark", 90)
        await run.execute_update("abort")

        said = await aborted(run)
        assert "site-a stays announced to the watch: `quorate silence end site-a` ends that." in said
        assert [one.where for one in (await watched.state()).silences] == [("site-a",)]


async def test_without_a_watch_the_run_says_so_and_goes_on(site: Site, start: Begin, people: dict[str, Person]):
    """Nobody opens an incident then, and nothing is held up."""
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people)
    await until(run, under_way("site-a is dark, and no node was fenced"), "the dark", 90)

    told = next(step for step in await steps(run) if step.title == TOLD)
    assert (told.state, told.finding) == ("warned", "no watch runs: an incident opens when the site goes dark")
