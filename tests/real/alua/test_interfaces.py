"""A node with two storage cards: sessions are counted for each portal and interface."""

import re
from collections.abc import Iterator

import pytest

from activities.hosts.paths import Paths
from lab.physics.initiator import NodeRecord, Way
from tests.real.alua.sides import Both

pytestmark = pytest.mark.real

IFACE = "storage2"


@pytest.fixture
def second(both: Both) -> Iterator[Both]:
    """A second card with an interface of open-iscsi's bound to it, and records of both arrays for it."""
    guest = both.stage.guests[both.a_node]
    address = guest.machine.storage[0].rsplit(".", 1)[0]
    guest.do(
        "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce;"
        f"ip addr add {address}.2/16 dev eth2 && ip link set eth2 up"
        f" && iscsiadm -m iface -I {IFACE} --op new && iscsiadm -m iface -I {IFACE} --op update"
        " -n iface.net_ifacename -v eth2"
    )
    for array in both.real.arrays(both.a_node):
        guest.do(f"iscsiadm -m discovery -t sendtargets -p {array.portals[0]} -I {IFACE} -o new")
    ways = [Way(one.array, portal, IFACE) for one in both.twin.arrays(both.a_node) for portal in one.portals]
    host = both.thread.world.nodes[both.a_node]
    host.records |= {way: NodeRecord("manual") for way in ways}
    yield both
    guest.do(
        f"iscsiadm -m node -I {IFACE} --logout; iscsiadm -m node -I {IFACE} --op delete;"
        f" iscsiadm -m iface -I {IFACE} --op delete; ip link set eth2 down; ip addr flush dev eth2; multipath -r"
    )
    for way in ways:
        host.records.pop(way, None)
        host.sessions.pop(way, None)
    host.scanned = {key: path for key, path in host.scanned.items() if key[0] not in ways}


async def test_each_portal_needs_a_session_through_each_interface(second: Both):
    """One session through the second card is told as too few of them; the engine makes the other seven."""
    node = second.a_node
    near = second.real.arrays(node)[0]
    for side in (second.real, second.twin):
        array = side.arrays(node)[0]
        target, portal = array.iqn, array.portals[0]
        await side.ssh.read(node, "iscsiadm", "-m", "node", "-T", target, "-p", portal, "-I", IFACE, "--login")
    await second.both_count(5, 4, within=60, row="one session through a second interface")
    said = [await side.refusal(Paths(side.ssh).paths, side.paths(node)) for side in (second.real, second.twin)]
    changes = await second.measured("seven logins through a second interface", lambda side: side.ensure(node))
    await second.both_count(8, 8, within=60, row="until sixteen paths stand")

    assert said[0] == said[1]
    assert said[0].startswith(f"Refuted: {node}: 5 of 8 paths with prio=50 through {near.array} (LUN 253)")
    # real paths take a moment to appear after a login, so that the engine may scan once more
    assert [one for one in changes[0] if ": map multipath device " not in one] == changes[1]
    assert sum(one.endswith(f", {IFACE})") and ": log in " in one for one in changes[0]) == 7
    assert await second.real.ensure(node) == []
    for side in (second.real, second.twin):
        numbers = re.findall(r"(?m)^tcp: \[(\d+)\]", await side.ssh.read(node, "iscsiadm", "-m", "session"))
        assert len(numbers) == 16
        assert numbers == sorted(numbers)  # as text: 1, 10, 2
