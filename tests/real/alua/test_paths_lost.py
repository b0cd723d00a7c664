"""Paths lost and back: a portal, an array, a whole node; what multipathd says, when, and what the engine says."""

import pytest

from activities.hosts.paths import Paths
from tests.real.alua.sides import Both, Side

pytestmark = pytest.mark.real


async def proof(side: Side, node: str) -> str:
    """What the engine's own proof says of a node's paths: its finding, or the word with which it refuses."""
    return await side.refusal(Paths(side.ssh).paths, side.paths(node))


async def test_a_lost_portal_is_named_and_comes_back(both: Both):
    """Nobody answers at its address: iSCSI notices, multipathd fails the one path, and the session logs in again."""
    array = both.stage.guests[both.real.arrays(both.a_node)[0].array]
    portal = both.real.arrays(both.a_node)[0].portals[2]
    address = portal.split(":")[0]

    array.do(f"ip addr del {address}/16 dev eth1")
    both.fail("portal", array.name, "2")
    await both.both_count(3, 4, within=60, row="portal lost: multipath says so")
    said = await proof(both.real, both.a_node), await proof(both.twin, both.a_node)
    array.do(f"ip addr add {address}/16 dev eth1")
    both.restore("portal", array.name, "2")
    await both.both_count(4, 4, within=120, row="portal back: its path carries")

    assert said[0] == (
        f"Refuted: {both.a_node}: 3 of 4 paths with prio=50 through {array.name} (LUN 253), "
        f"no session carries at {portal}"
    )
    assert said[0] == said[1]
    assert await proof(both.real, both.a_node) == ""


async def test_a_dead_array_leaves_the_other_ones_paths(both: Both):
    """It loses its power; I/O and the volume group go on through the other one, and its paths return with it."""
    array = both.stage.guests[both.real.arrays(both.a_node)[1].array]

    array.power_off()
    both.fail("array", array.name)
    await both.both_count(4, 0, within=90, row="array off: its four paths have failed")
    said = await proof(both.real, both.a_node), await proof(both.twin, both.a_node)
    groups = [
        await side.patiently(side.rooms()[2].ensure_volume_group, side.group()) for side in (both.real, both.twin)
    ]
    array.power_on()
    array.wait_until_up()
    both.restore("array", array.name)
    await both.both_count(4, 4, within=180, row="array answers again: eight paths")

    assert said[0].startswith(f"Refuted: {both.a_node}: 0 of 4 paths with prio=10 through {array.name} (LUN 252)")
    assert said[0] == said[1]
    assert [group.changed for group in groups] == [False, False]
    assert await both.real.ensure(both.a_node) == []


async def test_a_reboot_keeps_the_paths(both: Both):
    """Records, units and the list of WWIDs bring back what the deployment has made: nothing is left to change."""
    await both.rebooted(both.a_node, row="reboot, until eight paths stand")

    assert await both.real.ensure(both.a_node) == []
    group = await both.real.patiently(both.real.rooms()[2].ensure_volume_group, both.real.group())
    assert not group.changed
