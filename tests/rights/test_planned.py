"""Each right taken away, each runbook planned without it: what it says, before anything is changed."""

import uuid
from typing import Any

import pytest

from tests.breakglass import emergencies
from tests.breakglass.conftest import Glass
from tests.incidents.conftest import Site
from tests.rights.conftest import Counted, Right, as_kept, grouped, rights_of, take_away
from tests.rights.outcome import ending

pytestmark = pytest.mark.slow

PLANNED: dict[str, dict[str, Any]] = {
    "DeployStretchedCluster": {},
    "EvacuateSite": {"site": "site-a", "by": "ana"},
    "ReturnSite": {"site": "site-a", "by": "ana"},
    "Failback": {"site": "site-b", "homes": {"vm:300": "pxmx02-01"}, "by": "ana"},
}
WHO = {"by": "ana", "why": "seen by the test"}
HANDS = ("HandOverQuorum", "ReviveGuests", "RestoreSessions", "ReconcileArrays", "ColdStart")
EMERGENCIES = {
    "HandOverQuorum": emergencies.parted,
    "ReviveGuests": emergencies.given_up,
    "RestoreSessions": emergencies.logged_out,
    "ReconcileArrays": emergencies.unconnected,
    "ColdStart": emergencies.dark,
}


async def planned(glass: Glass, kind: str, **wish: Any) -> str:
    """How a run ends that only plans."""
    run = await glass.client.start_workflow(
        kind, wish | {"mode": "plan"}, id=f"{kind}/{uuid.uuid4().hex[:8]}", task_queue=glass.watched.queue
    )
    return await ending(run)


async def each_taken_away(
    glass: Glass, twin: Site, kind: str, wish: dict[str, Any], counted: Counted, where: str = ""
) -> list[str]:
    """With all rights, then without each single one of them; how many that were is printed at the end."""
    take_away(twin)
    whole, without = await planned(glass, kind, **wish), dict[Right, str]()
    for right in rights_of(twin.inventory):
        take_away(twin, right)
        without[right] = await planned(glass, kind, **wish)
    missed = sum(ends != whole for ends in without.values())
    counted("rights", f"{kind}{where}: {len(without)} rights taken away one by one, {missed} missed and named")
    return grouped(whole, without)


@pytest.mark.parametrize("kind", PLANNED)
async def test_planned_work_names_the_right_that_it_lacks(
    kind: str, glass: Glass, site: Site, record_property: Counted
):
    """Before its first look at what it would move: nothing is taken for empty, gone or at home."""
    lines = await each_taken_away(glass, site, kind, PLANNED[kind], record_property)
    assert lines == as_kept(kind, lines)


@pytest.mark.parametrize("kind", HANDS)
async def test_a_hand_in_a_healthy_cluster_never_calls_it_otherwise(
    kind: str, glass: Glass, site: Site, record_property: Counted
):
    """It refuses; what it says of the cluster is no more than it may see."""
    lines = await each_taken_away(glass, site, kind, WHO, record_property, " in a healthy cluster")
    assert lines == as_kept(f"{kind}-healthy", lines)


@pytest.mark.parametrize("kind", HANDS)
async def test_a_hand_in_its_emergency_plans_only_what_it_may_see(
    kind: str, glass: Glass, site: Site, record_property: Counted
):
    """The plan is the same as with all rights, or it stops with the right that is missing."""
    await EMERGENCIES[kind](glass, site)
    lines = await each_taken_away(glass, site, kind, WHO, record_property, " in its emergency")
    assert lines == as_kept(f"{kind}-emergency", lines)
