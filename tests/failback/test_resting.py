"""Nodes that people have put into maintenance: no illness, no target, and not ours to release."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from runbooks.homecoming import FailbackReport
from tests.failback.conftest import POLICY, Begin, listed, starting
from tests.failback.people import Person
from tests.failback.test_site_work import agreed, under_way
from tests.failback.test_stops import asked, runs_once
from tests.incidents.conftest import Site, ended
from tests.runs import said, steps, until
from tests.twin import inventory_file, only_lab, with_policy
from workflows.page import SIGNS, StepRecord

pytestmark = pytest.mark.slow


def rested(site: Site, node: str) -> None:
    """A person puts it into maintenance, and HA has seen it."""

    async def rest() -> None:
        site.world.cluster.ha.commands.append(("node-maintenance", node, "enable"))
        await site.world.clock.sleep(60)

    site.call(rest())


def finding(found: list[StepRecord], title: str) -> str:
    return next(one.finding for one in found if one.title == title)


@pytest.fixture(scope="module")
def running_metro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = inventory_file(tmp_path_factory.mktemp("resting"), "resting", "metro")
    twin = Site(with_policy(path, POLICY), 40.0)
    yield twin
    twin.stop()


@pytest.fixture
def metro(running_metro: Site) -> Site:
    """The cluster as people have it: `pve-s4` is in maintenance since before the world began."""
    running_metro.rebuild()
    return running_metro


@pytest_asyncio.fixture
async def people_there(metro: Site) -> dict[str, Person]:
    return listed(metro)


@pytest_asyncio.fixture
async def start_there(client: Client, metro: Site, people_there: dict[str, Person]) -> AsyncIterator[Begin]:
    async with starting(client, metro) as started:
        yield started


async def test_a_node_at_rest_holds_no_quarantine_and_takes_no_guest(metro: Site, start_there: Begin):
    """A failback to its site reaches the gate; who belongs on that node stays, with the reason."""
    homes = {"vm:300": "pve-s1", "vm:301": "pve-s4"}
    run = await start_there("Failback", site="south", homes=homes)
    await asked(run)
    found = await steps(run)
    print("\n".join(f"{SIGNS[step.state]} {step.title}: {step.finding}" for step in found))
    assert finding(found, "HA is armed, every LRM is well").endswith("; in maintenance, not looked at: pve-s4")
    assert finding(found, "pve-s4 stays in maintenance") == "not put there by Quorate: no guest goes to it"
    assert finding(found, "vm:301 stays") == "its home pve-s4 is in maintenance"
    view: Any = await run.query("gate")
    assert [one["target"] for one in view["planned"] if one["what"] == "bring home"] == ["vm:300"]
    await said(run, "abort")


async def test_a_site_of_which_every_node_rests_shows_nothing(metro: Site, start_there: Begin):
    """Nothing there may take a guest, so nothing is proven of it: it is held back with what to do."""
    for node in ("pve-s1", "pve-s2", "pve-s3"):
        rested(metro, node)
    run = await start_there("Failback", site="south", homes={"vm:300": "pve-s1"})
    await until(
        run, lambda found: any("every node is in maintenance and takes no guest" in one.finding for one in found), "it"
    )
    await said(run, "abort")


@only_lab
async def test_a_node_that_rested_before_a_run_that_was_terminated_is_not_released(
    site: Site, start: Begin, people: dict[str, Person]
):
    """No report of that run exists: the ledger knows which node was whose."""
    rested(site, "pxmx01-03")
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people)
    await until(run, under_way("site-a is dark, and no node was fenced"), "the dark", 60)
    await run.terminate("its people have gone home")

    back = await start("ReturnSite", site="site-a")
    await agreed(back, people)
    await ended(back, 90)
    found = await steps(back)
    print("\n".join(f"{SIGNS[step.state]} {step.title}: {step.finding}" for step in found))
    assert finding(found, "pxmx01-03 stays in maintenance") == "it was in maintenance before the site was emptied"
    assert FailbackReport.model_validate(await back.result()).staying == {}
    states = site.manager.nodes
    assert {node: states[node] for node in states if states[node] != "online"} == {"pxmx01-03": "maintenance"}
    assert runs_once(site) == {300: "pxmx01-01", 301: "pxmx01-02"}
