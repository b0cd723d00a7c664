"""Guests that HA has given up, sessions and connections that are gone, a cluster that is dark: each is healed."""

from typing import Any

import pytest

from runbooks.breaking.asked import BreakGlassReport
from tests.breakglass.conftest import Glass, Laws
from tests.breakglass.emergencies import GUESTS, SITE_B, A, dark, given_up, logged_out, states, unconnected
from tests.incidents.conftest import Site
from tests.runs import steps
from workflows.page import StepRecord

pytestmark = pytest.mark.slow


async def healed(glass: Glass, laws: Laws, kind: str, **request: Any) -> tuple[BreakGlassReport, list[StepRecord]]:
    """Start it, have two people agree, and what it says at its end; until the second yes nothing is done (V3)."""
    begun = laws.commands
    run = await glass.start(kind, **request)
    await glass.asked(run)
    await glass.people["ben"].says(run)
    assert "1 of 2 approvals" in await run.query("page")
    assert laws.commands == begun
    await glass.people["cleo"].says(run)
    report = await glass.done(run)
    found = await steps(run)
    print(*(f"{step.state} {step.title}: {step.finding}" for step in found), sep="\n")
    return report, found


async def test_guests_that_ha_has_given_up_run_again(glass: Glass, site: Site, laws: Laws):
    """The storage was away at the survivor; when it is back, HA starts each guest again, proven one by one."""
    await given_up(glass, site)

    report, found = await healed(glass, laws, "ReviveGuests")

    assert [one.target for one in report.planned] == list(GUESTS)
    assert report.changed == 2
    assert states(site) == {"started"}
    running = {site.world.cluster.guests[vmid].node for vmid in (300, 301) if site.world.cluster.guests[vmid].running}
    assert running <= set(SITE_B)
    assert running
    assert {step.state for step in found if step.title.endswith("runs again")} == {"done"}
    assert laws.commands == [("ha.resource.update", sid, state) for sid in GUESTS for state in ("disabled", "started")]


async def test_sessions_are_logged_in_again(glass: Glass, site: Site, laws: Laws):
    """Two nodes have lost their sessions to an array; they get them back, with every path."""
    await logged_out(glass, site)

    report, _ = await healed(glass, laws, "RestoreSessions")

    assert {one.where for one in report.planned} == {"pxmx01-02", "pxmx02-03"}
    assert report.after == "every session is there"
    await glass.watched.says("healthy", 90)


async def test_an_array_is_given_what_it_lacks(glass: Glass, site: Site, laws: Laws):
    """Somebody has taken the volume's connection and a host away; both arrays have the same again."""
    await unconnected(glass, site)

    report, _ = await healed(glass, laws, "ReconcileArrays")

    assert [str(one) for one in report.planned] == [
        "X90R3-SiteA: connect volume webb-ac-proxmox-01::ac-pve-test-01 (to pxmx-cluster-1 at LUN 253)"
    ]
    assert len(site.world.arrays[site.named(A)].connections) == 1
    assert report.changed == 1


async def test_a_dark_cluster_is_started_node_after_node(glass: Glass, site: Site, laws: Laws):
    """All nodes are off; each is on and proven before the next one, and HA runs the guests at the end."""
    nodes = [node.name for node in site.inventory.nodes]
    await dark(glass, site)

    report, _ = await healed(glass, laws, "ColdStart")

    assert [one.target for one in report.planned] == nodes
    assert report.changed == len(nodes)
    assert laws.commands == [("bmc.reset", node, "On") for node in nodes]
    assert states(site) == {"started"}
    await glass.watched.says("healthy", 120)
