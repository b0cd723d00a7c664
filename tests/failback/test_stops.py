"""What stops a failback, and how it goes on: a home that is not well, people who change their mind, another plan."""

from collections import Counter
from typing import Any

import pytest

from lab.built import add_guest
from runbooks.homecoming import FailbackReport
from tests.failback.conftest import Begin
from tests.failback.people import Person
from tests.incidents.conftest import Site, ended
from tests.runs import aborted, parked, said, steps, until
from workflows.page import StepRecord

pytestmark = pytest.mark.slow

FAULTS = [
    (("clock", "pxmx02-01", "90"), "Clocks agree", "clocks differ: pxmx02-01 is"),
    (("ring", "pxmx02-01", "0"), "Corosync links are connected", "corosync links are disconnected on pxmx02-01"),
    (("witness-link", "site-b"), "All votes are back", "6 of 7 votes, quorum 4; the inventory says 7"),
    (("witness",), "All votes are back", "6 of 7 votes, quorum 4; the inventory says 7"),
    (("watchdog-stopped", "pxmx02-02"), "Watchdogs run", "watchdog-mux does not run on pxmx02-02"),
    (("storage-network",), "Paths are complete", "0 of 4 paths with prio=10 through X90R3-SiteA"),
    (("vg-hidden", "pxmx02-03"), "Storage is active", "storage pxmx-ac-shared is not active on pxmx02-03"),
    (("mediator", "site-b"), "Pod is online on both arrays", "mediator unreachable"),
    (("replication",), "Pod is online on both arrays", "offline"),
    (("stale-lv", "pxmx02-01", "vm-300-disk-0"), "No volume is open on two nodes", "vm-300-disk-0 is active on"),
]  # fmt: skip


async def held_back(run: Any, title: str, words: str) -> str:
    """Until the quarantine says so; the line of the whole."""
    await until(
        run,
        lambda found: any(one.title == title and one.state == "warned" and words in one.finding for one in found),
        f"{title}: {words}",
        30,
    )
    return next(one.finding for one in await steps(run) if one.title == "site-b may be used again")


def touched(site: Site) -> list[str]:
    """Commands to HA, changes of its resources, and what became of guests."""
    return [
        line for line in site.change_lines() if " ha.command" in line or " ha.resource" in line or " guest." in line
    ]


async def asked(run: Any, times: int = 1) -> None:
    """Until the last of that many gates is open."""

    def is_open(found: list[StepRecord]) -> bool:
        gates = [one.state for one in found if one.title.startswith("Bring ")]
        return len(gates) == times and gates[-1] == "asked"

    await until(run, is_open, f"{times} gates", 30)


def runs_once(site: Site) -> dict[int, str]:
    """V1 and V2: no volume is open on two nodes; where the guests run."""
    disks = [disk.vg for disk in site.world.disks.values() if disk.vg]
    assert all(len(lv.open_on) <= 1 for group in disks for lv in group.lvs.values())
    running = [guest.vmid for guest in site.world.cluster.guests.values() if guest.running]
    assert max(Counter(running).values(), default=0) <= 1
    return {guest.vmid: guest.node for guest in site.world.cluster.guests.values() if guest.running}


@pytest.mark.parametrize(("fault", "title", "words"), FAULTS, ids=[fault[0] for fault, *_ in FAULTS])
async def test_a_site_that_is_broken_in_one_way_is_held_back_for_exactly_that(
    site: Site, begin: Begin, fault: tuple[str, ...], title: str, words: str
):
    """Named, held, and nothing is asked or moved meanwhile."""
    site.fail(*fault)
    run = await begin()

    await held_back(run, title, words)

    # What follows from it is named as well: HA judges an LRM by its clock, the witness is one of the clocks, and who
    # does not see the group cannot tell which volumes are open.
    named = {
        "clock": f"{title}, HA is armed, every LRM is well",
        "witness": "Clocks agree, All votes are back",
        "replication": f"{title}, Paths are complete",
        "vg-hidden": f"{title}, No volume is open on two nodes",
    }
    exactly = f"held back by: {named.get(fault[0], title)}"
    await until(run, lambda found: exactly in [one.finding for one in found], exactly, 20)
    assert await run.query("gate") is None
    assert touched(site) == []
    assert runs_once(site) == {300: "pxmx01-01", 301: "pxmx01-02"}


async def test_it_goes_on_by_itself_when_the_resync_is_over(site: Site, begin: Begin, people: dict[str, Person]):
    """Asked for while the pod resyncs: held, then soaked anew, then the people are asked."""
    site.fail("replication")
    run = await begin()
    await held_back(run, "Pod is online on both arrays", "X90R3-Site")
    site.restore("replication")
    await asked(run)

    found = {one.title: one for one in await steps(run)}
    assert "have held for 2 min" in found["site-b may be used again"].finding
    assert found["Pod is online on both arrays"].state == "done"
    await said(run, "abort")


async def test_a_guest_whose_home_is_full_stays_and_has_to_be_waived(
    site: Site, begin: Begin, people: dict[str, Person]
):
    """The others may go home without it only when every approver says so by name."""

    async def fill() -> None:
        add_guest(site.world, 900, "pxmx02-02").config["memory"] = str(1024 * 1024)

    site.call(fill())
    run = await begin()
    await asked(run)
    assert "vm:301 stays behind: its home pxmx02-02: no room, it needs 1 GiB" in await run.query("page")
    await people["ben"].says(run, waives=("stays-vm-301",))
    await people["cleo"].says(run, waives=("stays-vm-301",))
    await ended(run)

    report = FailbackReport.model_validate(await run.result())
    assert [one.sid for one in report.moved] == ["vm:300"]
    assert list(report.staying) == ["vm:301"]
    assert [one for one in report.vetoes if one.startswith("comfort: stays-vm-301")]
    assert runs_once(site) == {300: "pxmx02-01", 301: "pxmx01-02", 900: "pxmx02-02"}


async def test_a_failback_that_was_left_on_is_switched_off_and_set_back(
    site: Site, begin: Begin, people: dict[str, Person]
):
    """It would undo a move by hand; people see the switch in the plan, and it is as before at the end."""
    site.world.cluster.ha.resources["vm:301"]["failback"] = 1
    run = await begin()
    await asked(run)
    planned = [str(one["detail"]) for one in (await run.query("gate"))["planned"]]
    assert planned == ["failback 0", "from pxmx01-01", "from pxmx01-02"]
    await people["ben"].says(run)
    await people["cleo"].says(run)
    await ended(run)

    report = FailbackReport.model_validate(await run.result())
    assert report.restored == ("vm:301 failback 1",)
    assert report.outstanding == {}
    assert site.world.cluster.ha.resources["vm:301"]["failback"] == 1
    assert runs_once(site) == {300: "pxmx02-01", 301: "pxmx02-02"}


async def test_a_home_that_dies_in_the_middle_of_a_move_parks_the_run(
    site: Site, begin: Begin, people: dict[str, Person]
):
    """The guest goes on where it was, nobody follows it, and a person is asked."""
    run = await begin()
    await asked(run)
    await people["ben"].says(run)
    await people["cleo"].says(run)
    await until(run, lambda found: any(one.title.startswith("vm:300 runs at home") for one in found), "the first move")
    site.fail("node", "pxmx02-01")

    step = await parked(run)
    assert step.title == "vm:300 runs at home on pxmx02-01"
    assert "vm:300" in step.finding
    where = runs_once(site)
    assert where[301] == "pxmx01-02"
    left = await said(run, "abort")
    assert "vm:300 was not moved, it is on pxmx01-01 (started)" in left
    assert runs_once(site) == where


async def test_a_yes_that_is_taken_back_stops_the_next_guest(site: Site, begin: Begin, people: dict[str, Person]):
    """The first one is on its way and arrives; for the second one people are asked anew."""
    run = await begin()
    await asked(run)
    await people["ben"].says(run)
    await people["cleo"].says(run)
    await until(run, lambda found: any(one.title.startswith("vm:300 runs at home") for one in found), "the first move")
    assert await people["ben"].says(run, "reject") == "Approval withdrawn. No further change will start."
    await asked(run, 2)

    assert runs_once(site) == {300: "pxmx02-01", 301: "pxmx01-02"}
    stopped = next(one.finding for one in await steps(run) if one.title == "Stopped before the next guest")
    assert stopped == "the approval is no longer valid: 1 of 2 approvals; not counted: ben (withdrawn)"
    for name in ("ben", "cleo"):
        await people[name].says(run)
    await ended(run)
    assert runs_once(site) == {300: "pxmx02-01", 301: "pxmx02-02"}


async def test_a_no_ends_it_before_anything_moves(site: Site, begin: Begin, people: dict[str, Person]):
    """One yes, then a change of mind: the run ends, nothing was changed."""
    run = await begin()
    await asked(run)
    await people["ben"].says(run)
    await people["ben"].says(run, "reject")
    await ended(run)

    page = await run.query("page")
    assert "**Aborted by ben: rejected the plan (signed). Nothing was changed. No guest was moved.**" in page
    assert touched(site) == []


async def test_a_guest_that_somebody_moves_meanwhile_makes_another_plan(
    site: Site, begin: Begin, people: dict[str, Person]
):
    """People have agreed to a move from pxmx01-02; it is somewhere else now, so they are asked anew."""
    run = await begin()
    await asked(run)
    first = (await run.query("gate"))["digest"]

    async def elsewhere() -> None:
        site.world.cluster.ha.commands.append(("migrate", "vm:301", "pxmx01-03"))
        site.world.cluster.ha.begins("vm:301")
        while site.world.cluster.guests[301].node != "pxmx01-03":
            await site.world.clock.sleep(1)
        await site.world.clock.sleep(30)

    site.call(elsewhere())
    await people["ben"].says(run)
    await people["cleo"].says(run)
    await asked(run, 2)

    second = await run.query("gate")
    assert second["digest"] != first
    assert "from pxmx01-03" in [str(one["detail"]) for one in second["planned"]]
    assert runs_once(site) == {300: "pxmx01-01", 301: "pxmx01-03"}
    await said(run, "abort")


async def test_without_any_home_on_record_it_says_who_is_elsewhere(begin: Begin):
    """Nothing is moved, and nothing is called as it should be: a person may give the homes."""
    run = await begin(homes=None)
    await ended(run)
    line = next(step for step in await steps(run) if step.title == "No homes are recorded for site-b")
    assert line.state == "warned"
    assert line.finding.startswith("HA guests elsewhere: vm:300 on pxmx01-01, vm:301 on pxmx01-02")
    assert "No homes are recorded for site-b: no guest was moved." in await run.query("page")


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"site": "site-c"}, "site: 'site-c' is none of site-a, site-b"),
        ({"homes": {"vm:300": "pxmx01-01"}}, "homes: vm:300 at pxmx01-01: a home is one of site-b's nodes"),
        ({"homes": {"300": "pxmx02-01"}}, "homes: 300: a guest is named as HA does, vm:300"),
    ],
)
async def test_a_wrong_request_is_told_at_once(begin: Begin, request_: dict[str, Any], why: str):
    """Field, value, remedy; nothing hangs."""
    run = await begin(**request_)

    assert why in await aborted(run)


async def test_an_incident_that_nobody_knows_is_asked_about(begin: Begin):
    """Its homes are not to be had: a person decides."""
    run = await begin(homes=None, incident="no/such")

    assert "incident: no run 'no/such' is known" in (await parked(run)).finding
    assert await said(run, "abort")
