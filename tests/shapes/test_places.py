"""Places of other kinds: a third place with nodes of its own instead of a quorum device, and corosync's two links."""

from collections.abc import Callable

import pytest
from temporalio.client import Client

from tests.conftest import working
from tests.incidents.conftest import watching
from tests.places import linked, third_place, unequal
from tests.runs import parked_or_ended
from tests.shapes.conftest import MakeShape, deployed, travelled
from workers.inventory_file import load

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("change", "votes", "paths"), [(third_place, (5, 5, 3), 4), (unequal, (7, 7, 4), 5)], ids=["2+2+1", "3+2+2"]
)
async def test_a_cluster_with_a_third_place_loses_a_site_and_gets_its_guests_home(
    client: Client, shape: MakeShape, change: Callable[[str], str], votes: tuple[int, int, int], paths: int
):
    """No quorum device, and the larger site may be lost; no guest and no path is at the third place."""
    journey = await travelled(client, shape(change=change))

    proof = journey.deployed.proof
    assert proof is not None
    assert (proof.votes.expected, proof.votes.total, proof.votes.quorum) == votes
    assert len(proof.paths) == paths
    assert not [node for node in (*proof.paths, *journey.running.values()) if node.startswith("pxmx03")]
    assert [one.detail for one in journey.deployed.planned if one.what == "add rule"] == [
        f"vm:300,vm:301 on {','.join(proof.paths)}, strict"
    ]


async def test_a_link_or_the_third_place_may_be_down_and_is_told(client: Client, shape: MakeShape):
    """Two links with addresses of their own: with one down everybody stays a member; so it is without site-c."""
    site = shape(change=lambda text: linked(third_place(text)))
    await deployed(client, site)
    async with watching(client, site) as watch:
        await watch.says("healthy", 90)
        site.fail("ring", "pxmx01-02", "1")
        down = await watch.says("links-down", 90)
        totals = {name: site.world.votes(name).total for name in site.world.nodes}
        site.restore("ring", "pxmx01-02", "1")
        await watch.says("healthy", 120)
        site.fail("witness")
        lost = await watch.says("witness-lost", 90)
        site.restore("witness")
        await watch.says("healthy", 120)

    assert set(totals.values()) == {5}
    assert down.verdict is not None
    assert down.verdict.main.where == ("pxmx01-02",)
    assert lost.verdict is not None
    assert lost.verdict.sentence == "third place lost (site-c)"


async def test_a_deployment_stops_at_a_link_that_corosync_has_elsewhere(client: Client, shape: MakeShape):
    """Before anything is changed, with both addresses and what to correct."""
    site = shape(change=lambda text: linked(third_place(text)))
    stated = site.inventory.node("pxmx01-02").links
    site.world.nodes["pxmx01-02"].rings = (stated[0], "10.9.9.12")
    async with working(client, load(site.path), site.path.parent) as start:
        run = await start(limit=60)
        step = await parked_or_ended(run, 60)
        await run.terminate("the test is over")

    assert step is not None
    assert step.finding == (
        f"Refuted: pxmx01-02: corosync.conf says ring1_addr 10.9.9.12, the inventory says links[1] {stated[1]}; "
        "correct links of the node, or ring1_addr for that node"
    )
    assert not [change for change in site.world.changes if change.where in ("pve", *site.world.arrays)]
