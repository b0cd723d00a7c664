"""Votes for every size of the sites, against the twin's own corosync and qnetd, which do not know this arithmetic."""

import asyncio

import pytest

from cluster.inventory import Inventory, Node, ThirdPlace
from cluster.quorum import Sizes, least_third
from lab.physics import jump
from lab.physics.power import switch_off, switch_witness
from lab.world import World
from tests.verdict.world import INVENTORY

# Longer than corosync with nineteen nodes needs, and than qnetd and its clients need to give each other up.
SETTLED = 120.0
SIZES = [(one, two) for one in range(1, 9) for two in range(1, one + 1)]


def nodes(place: int, count: int) -> tuple[Node, ...]:
    """So many nodes of a place."""
    return tuple(
        Node(
            name=f"n{place}-{number}",
            address=f"127.30.{place}.{number}",
            iqn=f"iqn.2001-04.com.example:{place}{number}",
        )
        for number in range(1, count + 1)
    )


def sized(sizes: Sizes) -> Inventory:
    """A cluster of that size; without nodes at a third place it has a witness."""
    sites = tuple(
        site.model_copy(update={"nodes": nodes(place, count)})
        for place, (site, count) in enumerate(zip(INVENTORY.sites, sizes.sites, strict=True), start=1)
    )
    decides = {"witness": None, "third": ThirdPlace(name="site-c", nodes=nodes(3, sizes.third))} if sizes.third else {}
    return INVENTORY.model_copy(update={"sites": sites, "guests": (), **decides})


async def survivors_votes(inventory: Inventory, lost: int) -> set[tuple[int, int, bool]]:
    """Total, needed votes, and whether they are enough, on each node that is left without that place."""
    world = World(inventory, clock=jump.clock())
    if inventory.witness:
        world.membership.set_up_device(settled=True)
    gone = [node.name for node in inventory.places[lost].nodes] if lost < len(inventory.places) else []
    switch_off(world, gone)
    if not gone:
        switch_witness(world, on=False)
        world.links.changed()
    await asyncio.sleep(SETTLED)
    views = [world.votes(name) for name in world.nodes if name not in gone]
    for task in world.background:
        task.cancel()
    return {(view.total, view.quorum, view.quorate) for view in views}


def left(sizes: Sizes, lost: int) -> int:
    """Votes that the arithmetic leaves."""
    return sizes.without_third() if lost == 2 else sizes.without_site(lost)


@pytest.mark.parametrize("lost", [0, 1, 2])
@pytest.mark.parametrize("third", [0, 1, 2, 5])
def test_what_is_left_after_the_loss_of_a_place_is_what_corosync_counts(third: int, lost: int):
    """All sizes up to eight and eight, with a quorum device and with one, two and five nodes at a third place."""
    sizes = [Sizes(sites, third) for sites in SIZES]

    counted = {one: jump.run(survivors_votes(sized(one), lost)) for one in sizes}

    assert counted == {one: {(left(one, lost), one.quorum, lost not in one.fatal())} for one in sizes}


def test_with_a_quorum_device_exactly_the_equal_sites_are_safe():
    """The device never votes for the smaller part, and the larger part needs all of its nodes and more than half."""
    assert {sites for sites in SIZES if not Sizes(sites).fatal()} == {sites for sites in SIZES if sites[0] == sites[1]}


def test_so_many_nodes_at_a_third_place_are_enough_and_one_less_is_not():
    """For every size; with equal sites one node is enough, where the quorum device is."""
    assert all(not Sizes(sites, least_third(sites)).fatal() for sites in SIZES)
    assert all(Sizes(sites, least_third(sites) - 1).fatal() for sites in SIZES if least_third(sites) > 1)
    assert {least_third(sites) for sites in SIZES if sites[0] == sites[1]} == {1}
