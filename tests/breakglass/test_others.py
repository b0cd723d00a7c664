"""Guests that HA has given up, sessions and connections that are gone, a cluster that is dark: each is healed."""

from typing import Any

import pytest

from lab.physics.power import switch_off
from runbooks.breaking.asked import BreakGlassReport
from tests.breakglass.conftest import Glass, Laws
from tests.incidents.conftest import Site
from tests.runs import steps
from workflows.page import StepRecord

pytestmark = pytest.mark.slow

SITE_B = ("pxmx02-01", "pxmx02-02", "pxmx02-03")
GUESTS = ("vm:300", "vm:301")


async def healed(glass: Glass, kind: str, **request: Any) -> tuple[BreakGlassReport, list[StepRecord]]:
    """Start it, have two people agree, and what it says at its end."""
    run = await glass.start(kind, **request)
    await glass.both_agree(run)
    report = await glass.done(run)
    found = await steps(run)
    print(*(f"{step.state} {step.title}: {step.finding}" for step in found), sep="\n")
    return report, found


def states(site: Site) -> set[str]:
    manager = site.world.cluster.ha.manager
    return {one.state for sid, one in manager.services.items() if sid in GUESTS} if manager else set()


async def test_guests_that_ha_has_given_up_run_again(glass: Glass, site: Site, laws: Laws):
    """The storage was away at the survivor; when it is back, HA starts each guest again, proven one by one."""
    for node in SITE_B:
        site.fail("vg-hidden", node)
    site.fail("site-power", "site-a")
    await glass.watched.loss()
    await glass.watched.until(lambda _: states(site) == {"error"}, "HA to give up", 120)
    for node in SITE_B:
        site.restore("vg-hidden", node)
    await glass.watched.until(lambda state: "storage-inactive" not in str(state.verdict), "the storage", 60)

    report, found = await healed(glass, "ReviveGuests")

    assert [one.target for one in report.planned] == list(GUESTS)
    assert report.changed == 2
    assert states(site) == {"started"}
    running = {site.world.cluster.guests[vmid].node for vmid in (300, 301) if site.world.cluster.guests[vmid].running}
    assert running <= set(SITE_B)
    assert running
    assert {step.state for step in found if step.title.endswith("runs again")} == {"done"}


async def test_sessions_are_logged_in_again(glass: Glass, site: Site, laws: Laws):
    """Two nodes have lost their sessions to an array; they get them back, with every path."""
    array = site.named("X90R3-SiteA")
    for node in ("pxmx01-02", "pxmx02-03"):
        site.call(logged_out(site, node, array))
    await glass.watched.says("paths-lost", 60)

    report, _ = await healed(glass, "RestoreSessions")

    assert {one.where for one in report.planned} == {"pxmx01-02", "pxmx02-03"}
    assert report.after.startswith("healthy") or report.after == "every session is there"
    await glass.watched.says("healthy", 90)


async def logged_out(site: Site, node: str, array: str) -> None:
    host = site.world.nodes[node]
    for record in [one for one in host.sessions if one[0] == array]:
        del host.sessions[record]
    site.world.links.changed()


async def test_an_array_is_given_what_it_lacks(glass: Glass, site: Site, laws: Laws):
    """Somebody has taken the volume's connection and a host away; both arrays have the same again."""
    array = site.world.arrays[site.named("X90R3-SiteA")]
    for connection in list(array.connections):
        array.drop_connection(connection)

    report, _ = await healed(glass, "ReconcileArrays")

    assert [str(one) for one in report.planned] == [
        "X90R3-SiteA: connect volume webb-ac-proxmox-01::ac-pve-test-01 (to pxmx-cluster-1 at LUN 253)"
    ]
    assert len(array.connections) == 1
    assert report.changed == 1


async def test_a_dark_cluster_is_started_node_after_node(glass: Glass, site: Site, laws: Laws):
    """All nodes are off; each is on and proven before the next one, and HA runs the guests at the end."""
    nodes = [node.name for node in site.inventory.nodes]
    site.call(all_off(site, nodes))
    await glass.watched.says("quorum-lost", 90)

    report, _ = await healed(glass, "ColdStart")

    assert [one.target for one in report.planned] == nodes
    assert report.changed == len(nodes)
    assert states(site) == {"started"}
    await glass.watched.says("healthy", 120)


async def all_off(site: Site, nodes: list[str]) -> None:
    switch_off(site.world, nodes)
