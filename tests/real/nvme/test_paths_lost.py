"""Controllers lost and back: a portal, an array, a whole node; what the kernel says, when, and what the engine says."""

from itertools import chain, combinations

import pytest

from activities.hosts.paths import Paths
from tests.real.alua.sides import Both, Side

pytestmark = pytest.mark.real


async def proof(side: Side, node: str) -> str:
    """What the engine's own proof says of a node's paths: its finding, or the word with which it refuses."""
    return await side.refusal(Paths(side.ssh).paths, side.paths(node))


def lost(node: str, array: str, kind: str, portals: tuple[str, ...], word: str = "connecting") -> str:
    """The engine's words for controllers that are connecting; nothing where none is."""
    if not portals:
        return ""
    down = ", ".join(f"the controller at {portal} is {word}" for portal in portals)
    return f"Refuted: {node}: {4 - len(portals)} of 4 {kind} paths through {array}, {down}"


async def test_a_lost_portal_is_named_and_comes_back(both: Both):
    """Nobody answers at its address: the keep-alive notices, the one controller connects again and again."""
    near = both.real.arrays(both.a_node)[0]
    array, portal = both.stage.guests[near.array], near.portals[2]
    address = portal.split(":")[0]

    array.do(f"ip addr del {address}/16 dev eth1")
    both.fail("portal", array.name, "2")
    seen = await both.both_count(3, 4, within=60, row="portal lost: its controller is connecting", saying=proof)
    said = await proof(both.real, both.a_node), await proof(both.twin, both.a_node)
    array.do(f"ip addr add {address}/16 dev eth1")
    both.restore("portal", array.name, "2")
    await both.both_count(4, 4, within=120, row="portal back: its controller is live")

    assert said[0] == lost(both.a_node, array.name, "optimized", (portal,))
    assert said[0] == said[1]
    assert seen[0] | seen[1] <= {"", said[0]}
    assert await proof(both.real, both.a_node) == ""


async def test_a_dead_array_leaves_the_other_ones_paths(both: Both):
    """It loses its power; I/O and the volume group go on through the other one, and its controllers return with it."""
    far = both.real.arrays(both.a_node)[1]
    array = both.stage.guests[far.array]

    array.power_off()
    both.fail("array", array.name)
    seen = await both.both_count(4, 0, within=90, row="array off: its four controllers are connecting", saying=proof)
    said = await proof(both.real, both.a_node), await proof(both.twin, both.a_node)
    groups = [
        await side.patiently(side.rooms()[2].ensure_volume_group, side.group()) for side in (both.real, both.twin)
    ]
    array.power_on()
    array.wait_until_up()
    both.restore("array", array.name)
    await both.both_count(4, 4, within=180, row="array answers again: eight controllers are live")

    some = chain.from_iterable(combinations(far.portals, number) for number in range(5))
    assert said[0] == lost(both.a_node, array.name, "non-optimized", far.portals)
    assert said[0] == said[1]
    assert seen[0] | seen[1] <= {lost(both.a_node, array.name, "non-optimized", one) for one in some}
    assert [group.changed for group in groups] == [False, False]
    assert await both.real.ensure(both.a_node) == []


async def test_a_reboot_keeps_the_paths(both: Both):
    """discovery.conf and the unit of nvme-cli bring back what the deployment has made: nothing is left to change."""
    await both.rebooted(both.a_node, row="reboot, until eight controllers are live")

    assert await both.real.ensure(both.a_node) == []
    group = await both.real.patiently(both.real.rooms()[2].ensure_volume_group, both.real.group())
    assert not group.changed
