"""What would make things worse: a person's word ignored, an order that does nothing, a node that is off on purpose."""

import pytest

from activities.watch.memory import remembered
from lab.physics.faults import Fault
from lab.physics.power import switch_off
from tests.breakglass.conftest import Glass, Laws
from tests.breakglass.emergencies import parted
from tests.incidents.conftest import Site
from tests.patience import Deadline
from tests.runs import aborted, parked, said, until

pytestmark = pytest.mark.slow

SID = "vm:300"


async def given_up(site: Site) -> None:
    """HA has given the guest up, which runs all the same."""
    manager = site.world.cluster.ha.manager
    assert manager is not None
    manager.services[SID].state = "error"


def request_of(site: Site) -> str:
    return str(site.world.cluster.ha.resources[SID].get("state", "started"))


async def requested(site: Site, state: str) -> None:
    """A person has set its requested state."""
    site.world.cluster.ha.resources[SID]["state"] = state


async def test_a_guest_that_a_person_stops_meanwhile_is_not_started(glass: Glass, site: Site, laws: Laws):
    """The answer to `disabled` is lost; then a person sets `stopped`; `retry` goes on once it may."""
    site.call(given_up(site))
    await glass.watched.until(lambda state: "ha-error" in str(state.verdict), "the error", 60)
    run = await glass.start("ReviveGuests")
    await glass.asked(run)
    site.world.faults.plant(Fault("^pve:", f"PUT .*/cluster/ha/resources/{SID}", "drop"))
    await glass.both_agree(run, waives=("runs-vm-300",))
    deadline = Deadline(60)
    while request_of(site) != "disabled":
        assert not deadline.over, f"waited for disabled: {await run.query('page')}"
        await deadline.a_while()
    site.call(requested(site, "stopped"))

    step = await parked(run)

    assert step.finding == (
        "Conflict: the requested state of vm:300 is stopped now: it is not to run; ask who has set it"
    )
    assert request_of(site) == "stopped"
    site.call(requested(site, "disabled"))
    await said(run, "answer", {"answer": "retry"})
    report = await glass.done(run)
    assert report.changed == 1
    assert request_of(site) == "started"


async def test_what_was_ordered_and_is_not_confirmed_is_said(glass: Glass, site: Site):
    """The controller accepts the order and does nothing; whoever aborts is told which node it is about."""
    await parted(glass, site)
    run = await glass.start("HandOverQuorum")
    await glass.asked(run)
    site.world.faults.plant(Fault("^bmc:pxmx01-01", "POST .*Reset", "garbage", message="{}", times=None))
    await glass.both_agree(run)
    await until(
        run, lambda all_: any("after it was switched (ordered)" in step.finding for step in all_), "NotYet", 120
    )

    await said(run, "abort", {"by": "ana", "why": "it does nothing"})

    assert "Ordered off and not confirmed: pxmx01-01; ask the management controller." in await aborted(run)
    assert all(site.world.nodes[node].powered for node in ("pxmx01-01", "pxmx01-02", "pxmx01-03"))


async def test_a_node_that_is_off_on_purpose_stays_off(glass: Glass, site: Site, laws: Laws):
    """The request names one, and HA had another in maintenance before the lights went out."""
    nodes = [node.name for node in site.inventory.nodes]
    site.call(rests(site, "pxmx02-02"))
    deadline = Deadline(60)
    while "pxmx02-02" not in (await remembered(glass.client, glass.watched.cluster)).resting:
        assert not deadline.over, "waited until the watch knows of the maintenance"
        await deadline.a_while()
    site.call(all_off(site, nodes))
    await glass.watched.says("quorum-lost", 90)
    run = await glass.start("ColdStart", leave=["pxmx02-03"])
    await glass.both_agree(run)

    report = await glass.done(run)

    assert report.held == {
        "pxmx02-02": "HA had it in maintenance: switch it on by hand once that is over",
        "pxmx02-03": "the request says to leave it off",
    }
    assert [node for node in nodes if not site.world.nodes[node].powered] == ["pxmx02-02", "pxmx02-03"]


async def rests(site: Site, node: str) -> None:
    """A person has put it into maintenance."""
    site.world.cluster.ha.commands.append(("node-maintenance", node, "enable"))


async def all_off(site: Site, nodes: list[str]) -> None:
    switch_off(site.world, nodes)
