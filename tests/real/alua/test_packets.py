"""A way to one portal that carries smaller packets than the node's interface sends: the preflight says which."""

from collections.abc import Iterator

import pytest

from tests.real.alua.guests import Guest, ip
from tests.real.alua.sides import Both

pytestmark = pytest.mark.real

JUMBO, PLAIN = 9000, 1500


def _first_cards(both: Both) -> list[Guest]:
    return [*both.stage.guests.values()]


@pytest.fixture
def narrow(both: Both) -> Iterator[str]:
    """Jumbo frames everywhere but at the third portal of the far array, whose cable carries 1500 bytes."""
    far = both.real.arrays(both.a_node)[1]
    array, address = both.stage.guests[far.array], far.portals[2].split(":")[0]
    for guest in _first_cards(both):
        ip(f"link set {guest.tap(1)} mtu {JUMBO}")
        guest.do(f"ip link set eth1 mtu {JUMBO}")
    array.do(
        "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce;"
        f"ip link set eth2 mtu {JUMBO} up && ip addr del {address}/16 dev eth1 && ip addr add {address}/32 dev eth2"
    )
    both.stage.guests[both.a_node].do("ip neigh flush dev eth1")
    yield address
    array.do(f"ip addr del {address}/32 dev eth2 && ip link set eth2 down && ip addr add {address}/16 dev eth1")
    for guest in _first_cards(both):
        guest.do(f"ip link set eth1 mtu {PLAIN}; ip neigh flush dev eth1")
        ip(f"link set {guest.tap(1)} mtu {PLAIN}")


async def test_the_portal_that_large_packets_do_not_reach_is_named(both: Both, narrow: str):
    """Connections work everywhere; a ping that may not be cut does not come back from that one portal."""
    side, node = both.real, both.a_node
    said = await side.refusal(side.rooms()[1].preflight, side.check(node))

    assert said == (
        f"Refuted: {node}: packets of {JUMBO} bytes, the MTU of eth1, do not reach {narrow} of "
        f"{side.arrays(node)[1].array} in one piece: a login would work and I/O hang; set one MTU from end to end "
        f"(try: ping -M do -s 8972 {narrow})"
    )
