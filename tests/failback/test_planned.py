"""Between the yes and the change: what was signed is asked before every attempt, and nothing else is at work."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from lab.built import add_guest
from lab.physics.faults import Fault
from runbooks.homecoming import FailbackReport
from runbooks.site_work import EvacuationReport
from tests.failback.conftest import Begin
from tests.failback.people import Person
from tests.failback.test_site_work import agreed, under_way
from tests.failback.test_stops import asked, runs_once
from tests.incidents.conftest import Site, ended
from tests.ledgers import book
from tests.patience import Deadline
from tests.runs import aborted, parked, refused, said, steps, until
from workflows.page import SIGNS, StepRecord

pytestmark = pytest.mark.slow

DARK = "site-a is dark, and no node was fenced"
REFUSAL = Fault(
    "^pve:", r"^POST .*/cluster/ha/resources/vm:300/migrate", "fail", 1, status=500, message="cannot do that now"
)


def story(found: list[StepRecord]) -> str:
    return "\n".join(f"{SIGNS[one.state]} {one.title}: {one.finding}" for one in found)


def touched(site: Site) -> list[str]:
    """What was told to HA, and what became of guests."""
    return [line for line in site.change_lines() if " ha.command" in line or " guest.migrate" in line]


def commanded(site: Site) -> Callable[[list[StepRecord]], bool]:
    """HA was told to move a guest since now."""
    before = len(touched(site))
    return lambda _: len(touched(site)) > before


def planted(site: Site, *faults: Fault) -> None:
    async def plant() -> None:
        for fault in faults:
            site.world.faults.plant(Fault(**{**vars(fault), "met": []}))

    site.call(plant())


def more_guests(site: Site, *guests: tuple[int, str, str, str | None]) -> None:
    """Guests of number, node and kind, and HA's requested state."""

    async def add() -> None:
        for vmid, node, kind, ha in guests:
            add_guest(site.world, vmid, node, kind, ha=ha, running=ha != "stopped", memory=256)  # type: ignore[arg-type]
        await site.world.clock.sleep(60)  # HA has met them by then

    site.call(add())


def held(word: str) -> Callable[[list[StepRecord]], bool]:
    return lambda found: any(one.state == "parked" and "Held" in one.finding and word in one.finding for one in found)


def done(title: str) -> Callable[[list[StepRecord]], bool]:
    return lambda found: any(one.title.startswith(title) and one.state == "done" for one in found)


async def comes(what: str, true: Callable[[], Awaitable[bool]], within: float = 60) -> None:
    """Wait until it is so."""
    deadline = Deadline(within)
    while not await true():
        assert not deadline.over, f"waited for {what}"
        await deadline.a_while()


async def shows(run: Any, words: str) -> None:
    """Wait until the page says that."""

    async def said_so() -> bool:
        return words in await run.query("page")

    await comes(words, said_so)


# --- the way home --------------------------------------------------------------------------------------------------


async def at_the_first_move(site: Site, begin: Begin, people: dict[str, Person]) -> Any:
    """HA refuses the first move for good, once; the run waits for an answer."""
    planted(site, REFUSAL)
    run = await begin()
    await asked(run)
    await people["ben"].says(run)
    await people["cleo"].says(run)
    assert (await parked(run)).title == "vm:300 runs at home on pxmx02-01"
    return run


async def test_a_retry_begins_nothing_when_a_yes_was_withdrawn(site: Site, begin: Begin, people: dict[str, Person]):
    """It is held, with the name of who has withdrawn; an abort then leaves every guest where it was."""
    run = await at_the_first_move(site, begin, people)
    before = touched(site)
    await people["ben"].says(run, "reject")
    await said(run, "answer", {"answer": "retry", "by": "dora"})
    await until(run, held("ben"), "the step is held")
    assert touched(site) == before
    assert runs_once(site) == {300: "pxmx01-01", 301: "pxmx01-02"}
    await said(run, "abort")
    assert "vm:300 was not moved, it is on pxmx01-01 (started)." in await aborted(run)


async def test_a_retry_begins_nothing_while_the_home_is_not_well(site: Site, begin: Begin, people: dict[str, Person]):
    """A watchdog that stopped since: nothing would reset that node, so no guest is moved to it; then it goes on."""
    run = await at_the_first_move(site, begin, people)
    before = touched(site)
    site.fail("watchdog-stopped", "pxmx02-01")
    await said(run, "answer", {"answer": "retry", "by": "dora"})
    await until(run, held("watchdog-mux does not run on pxmx02-01"), "the step is held")
    assert touched(site) == before
    site.restore("watchdog-stopped", "pxmx02-01")
    await said(run, "answer", {"answer": "retry", "by": "dora"})
    await ended(run, 90)
    assert runs_once(site) == {300: "pxmx02-01", 301: "pxmx02-02"}


async def test_a_switch_that_is_on_again_between_two_moves_holds_the_next(
    site: Site, begin: Begin, people: dict[str, Person]
):
    """A person turns on what was turned off for the moves: nothing more is moved until it is off, or left to others."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    run = await at_the_first_move(site, begin, people)
    assert site.world.cluster.ha.resources["vm:301"]["failback"] == 0
    before = touched(site)
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    await said(run, "answer", {"answer": "retry", "by": "dora"})
    await until(run, held("vm:301 failback was disabled for this run and is on again"), "the step is held")
    assert touched(site) == before
    site.world.cluster.ha.resources["vm:301"]["failback"] = 0
    await said(run, "answer", {"answer": "retry", "by": "dora"})
    await ended(run, 90)
    assert runs_once(site) == {300: "pxmx02-01", 301: "pxmx02-02"}
    assert FailbackReport.model_validate(await run.result()).restored == ("vm:301 failback 1",)


async def test_a_switch_that_is_on_again_during_a_move_is_asked_for_anew(
    site: Site, begin: Begin, people: dict[str, Person]
):
    """The move that goes on is ended; the next one waits for people, who see the switch in the new plan."""
    for sid in ("vm:300", "vm:301"):
        site.world.cluster.ha.resources[sid]["failback"] = 1
    run = await begin()
    await asked(run)
    moved = commanded(site)
    await people["ben"].says(run)
    await people["cleo"].says(run)
    await until(run, moved, "the first move")
    site.world.cluster.ha.resources["vm:300"]["failback"] = 1  # of the guest that is about to be at home
    await asked(run, 2)
    planned = (await run.query("gate"))["planned"]
    assert [(one["target"], one["detail"]) for one in planned] == [
        ("vm:300", "failback 0"), ("vm:301", "from pxmx01-02"),
    ]  # fmt: skip
    await people["ben"].says(run)
    await people["cleo"].says(run)
    await ended(run, 90)
    assert runs_once(site) == {300: "pxmx02-01", 301: "pxmx02-02"}
    report = FailbackReport.model_validate(await run.result())
    assert set(report.restored) == {"vm:300 failback 1", "vm:301 failback 1"}


async def test_a_resume_asks_again_as_a_retry_does(site: Site, begin: Begin, people: dict[str, Person]):
    """Paused between yes and move for long enough that the plan is another one: the second guest has gone meanwhile."""
    run = await at_the_first_move(site, begin, people)
    await said(run, "pause", {"by": "dora"})
    await said(run, "answer", {"answer": "retry"})
    before = touched(site)
    site.fail("replication")
    await said(run, "resume", {"by": "dora"})
    await until(run, held("quarantine"), "the step is held")
    assert touched(site) == before


async def test_an_abort_waits_for_the_move_that_ha_has_begun(site: Site, begin: Begin, people: dict[str, Person]):
    """Nothing calls a migration back: the run says where the guest ended, and gives its switches back after that."""
    site.world.cluster.ha.resources["vm:300"]["failback"] = 1
    run = await begin()
    await asked(run)
    await people["ben"].says(run)
    await people["cleo"].says(run)

    await until(run, commanded(site), "the command", 60)
    left = await said(run, "abort")
    assert "vm:300 has ended at home on pxmx02-01" in left
    assert runs_once(site)[300] == "pxmx02-01"
    assert site.world.cluster.ha.resources["vm:300"]["failback"] == 1
    assert "Aborted" in await run.query("page")


async def test_a_pause_names_what_ha_goes_on_with(site: Site, begin: Begin, people: dict[str, Person]):
    """ "Nothing is changed" would be untrue."""
    run = await begin()
    await asked(run)
    site.world.clock.speed = 3  # a move takes many seconds of our time: a pause comes in its middle
    before = commanded(site)
    await people["ben"].says(run)
    await people["cleo"].says(run)
    await until(run, before, "the command", 60)
    assert "HA may still be moving vm:300 to pxmx02-01" in await said(run, "pause")
    site.world.clock.speed = 10
    await said(run, "resume")
    await ended(run, 90)
    assert len([line for line in site.change_lines() if " guest.migrate" in line]) == 2, "no move is begun twice"


async def test_homes_come_from_the_ledger_when_none_are_given(
    site: Site, start: Begin, client: Client, people: dict[str, Person]
):
    """An evacuation that was aborted in the middle has left them there."""
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people)
    await until(run, done("vm:300 runs on"), "a move", 90)
    await said(run, "abort")
    await ended(run)
    assert (await book(client, "pxmx-cluster")).homes.keys() >= {"vm:300"}
    back = await start("ReturnSite", site="site-a")
    await agreed(back, people)
    await ended(back, 120)
    report = FailbackReport.model_validate(await back.result())
    assert {one.sid: one.home for one in report.moved}["vm:300"] == "pxmx01-01"
    assert runs_once(site) == {300: "pxmx01-01", 301: "pxmx01-02"}


async def test_a_guest_that_stays_is_not_taken_home_by_ha(site: Site, start: Begin, people: dict[str, Person]):
    """HA remembers where maintenance took it from: its failback is part of the plan and off before the release."""
    for sid in ("vm:300", "vm:301"):
        site.world.cluster.ha.resources[sid]["failback"] = 1

    async def rest() -> None:  # by hand, and without this project: HA itself takes vm:301 away
        site.world.cluster.ha.commands.append(("node-maintenance", "pxmx01-02", "enable"))
        while site.world.cluster.guests[301].node == "pxmx01-02":
            await site.world.clock.sleep(5)
        await site.world.clock.sleep(30)

    site.call(rest())
    where = runs_once(site)[301]
    back = await start("ReturnSite", site="site-a", homes={"vm:300": "pxmx01-01"})
    await until(back, lambda found: any(step.state == "asked" for step in found), "the gate", 60)
    planned = [f"{one['target']} {one['detail']}" for one in (await back.query("gate"))["planned"]]
    assert "vm:301 failback 0" in planned
    await agreed(back, people)
    await ended(back, 90)
    assert runs_once(site)[301] == where


# --- a site that is emptied ----------------------------------------------------------------------------------------


async def test_nothing_is_emptied_when_the_witness_has_gone_since_the_plan(
    site: Site, start: Begin, people: dict[str, Person]
):
    """Signed was that the witness is well: the first change is held, and no node is in maintenance."""
    run = await start("EvacuateSite", site="site-a")
    await until(run, lambda found: any(step.state == "asked" for step in found), "the gate", 60)
    site.fail("witness")
    for name in ("ben", "cleo"):
        await people[name].says(run)
    await until(run, held("survivor"), "the first change is held", 60)
    assert touched(site) == []
    left = await said(run, "abort")
    assert "No node is in maintenance" in left


async def test_a_person_is_told_not_to_cut_the_power_when_the_witness_goes(
    site: Site, start: Begin, people: dict[str, Person]
):
    """At first the page asks for it; then it warns, in state attention; then it asks again."""
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people)
    await until(run, under_way(DARK), "the dark", 90)

    await shows(run, "Act now: Switch off the machines of site-a")
    site.fail("witness")
    await shows(run, "Act now: Do not cut the power of site-a now")
    await shows(run, "6 of 7 votes")
    site.restore("witness")
    await shows(run, "Act now: Switch off the machines of site-a")
    site.fail("site-power", "site-a")
    await ended(run)
    assert runs_once(site).keys() == {300, 301}


async def test_real_numbers(site: Site, start: Begin, client: Client, people: dict[str, Person]):
    """Forty guests, a container, a stopped one, a node that rested before: each is moved once, to the other site."""
    busy = [(400 + number, f"pxmx01-0{1 + number % 2}", "qemu", "started") for number in range(37)]
    more_guests(site, *busy, (500, "pxmx01-02", "lxc", "started"), (501, "pxmx01-03", "qemu", "stopped"))

    async def rest() -> None:
        site.world.cluster.ha.commands.append(("node-maintenance", "pxmx01-03", "enable"))
        await site.world.clock.sleep(60)

    site.call(rest())
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people)
    view = await run.query("gate")
    details = {one["target"]: one["detail"] for one in view["planned"]}
    assert details["ct:500"] == "from pxmx01-02, with a restart"
    assert "vm:501" not in details
    await until(run, under_way(DARK), "the dark", 600)
    moves = [line for line in site.change_lines() if " guest.migrate" in line or " guest.relocate" in line]
    print(story(await steps(run))[-6000:])
    print(len(moves), "moves")
    assert len(runs_once(site)) == 40
    assert all(node.startswith("pxmx02") for node in runs_once(site).values())
    site.fail("site-power", "site-a")
    await ended(run)
    report = EvacuationReport.model_validate(await run.result())
    assert report.rested == ("pxmx01-03",)
    assert len(report.moved) == 40
    assert {one.sid for one in report.moved if one.downtime > 0} == {"ct:500"}
    assert not [line for line in site.change_lines() if "fence" in line]


async def test_what_lives_at_the_site_and_is_not_seen_is_no_emptiness(
    site: Site, start: Begin, people: dict[str, Person]
):
    """A paused guest that HA does not know: named before the yes, and it keeps the proof from being given."""
    more_guests(site, (900, "pxmx01-03", "qemu", None))
    site.world.cluster.guests[900].qmp = "paused"
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people, "unmanaged-vm-900")
    await until(run, lambda found: any(s.title == "site-a is empty" and s.state == "parked" for s in found), "it", 90)
    finding = next(step.finding for step in await steps(run) if step.title == "site-a is empty")
    assert finding.startswith("Refuted: vm:900 on pxmx01-03 is ")
    await said(run, "abort")
    assert "In maintenance: pxmx01-01, pxmx01-02, pxmx01-03." in await aborted(run)


# --- among others --------------------------------------------------------------------------------------------------


async def watching(client: Client, run: Any) -> Any:
    """A watch on the same worker, which has found the cluster healthy."""
    queue = (await run.describe()).task_queue
    watch = await client.start_workflow("ClusterWatch", {}, id="watch/pxmx-cluster", task_queue=queue)

    async def healthy() -> bool:
        verdict = (await watch.query("state"))["verdict"]
        return bool(verdict) and verdict["main"]["kind"] == "healthy"

    await comes("healthy", healthy)
    return watch


async def incidents_ended(client: Client) -> None:
    query = (
        "WorkflowType IN ('SiteLoss', 'NodeLoss', 'ClusterIncident', 'ClusterWatch') AND ExecutionStatus = 'Running'"
    )
    async for one in client.list_workflows(query):
        try:
            await client.get_workflow_handle(one.id).terminate("the test is over")
        except RPCError:
            continue


@pytest.mark.parametrize("lost", ["site-a", "site-b"])
async def test_no_yes_is_taken_and_nothing_is_written_while_a_site_is_lost(
    site: Site, start: Begin, client: Client, people: dict[str, Person], lost: str
):
    """The evacuation waits at its gate when a site loses its power: HA fences, and nobody else says a word to it."""
    run = await start("EvacuateSite", site="site-a")
    await until(run, lambda found: any(step.state == "asked" for step in found), "the gate", 60)
    await watching(client, run)
    try:
        site.fail("site-power", lost)
        await shows(run, "No approval is taken now")
        text = people["ben"].ballot(await run.query("gate"))
        assert "no approval is taken now" in await refused(run, "approve", text)
        assert not [line for line in touched(site) if "maintenance" in line]
        await said(run, "abort")
    finally:
        await incidents_ended(client)


async def test_a_run_that_begins_while_a_node_is_lost_waits_and_goes_on(
    site: Site, begin: Begin, client: Client, people: dict[str, Person]
):
    """It says what it waits for on its first line, and nothing has to be answered when that is over."""
    first = await begin(site="site-b", mode="plan")
    await ended(first, 60)  # or it is in the way itself
    await watching(client, first)
    try:
        site.fail("node", "pxmx01-03")
        watch = client.get_workflow_handle("watch/pxmx-cluster")

        async def opened() -> bool:
            return (await watch.query("state"))["open"] is not None

        await comes("an incident", opened)
        run = await begin()
        await until(
            run, lambda found: any(one.says.startswith("Waiting until no incident") for one in found), "the wait", 30
        )
        page = await run.query("page")
        assert "Waiting until no incident" in page
        assert "Act now" not in page
        site.restore("node", "pxmx01-03")
        await asked(run)
        await said(run, "abort")
    finally:
        await incidents_ended(client)


async def test_a_second_run_that_moves_guests_is_refused(
    site: Site, start: Begin, begin: Begin, people: dict[str, Person]
):
    """In either order, with the run that it would disturb by name."""
    run = await start("EvacuateSite", site="site-a")
    await until(run, lambda found: any(step.state == "asked" for step in found), "the gate", 60)
    other = await begin()
    assert f"{run.id} is open: both move guests" in await aborted(other)
    await said(run, "abort")
    await ended(run)
    run = await begin()
    await asked(run)
    other = await start("EvacuateSite", site="site-a")
    assert f"{run.id} is open: both move guests" in await aborted(other)
    await said(run, "abort")
