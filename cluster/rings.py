"""Corosync's links with addresses of their own: what the inventory may say of them, and what corosync.conf says. Pure.

A node without `links` takes them as they come. Each link has one family of addresses on all nodes: knet builds a link
from sockets of one family (corosync.conf(5), ringX_addr). Addresses are compared in one spelling.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

from cluster.addresses import split
from cluster.inventory import Inventory
from cluster.places import Location, Problem, places

# By node: the addresses of link 0, 1, ... as somebody tells them.
Addresses = Mapping[str, Sequence[str]]


def stated(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """The addresses that the inventory states; nodes without any are left out."""
    return {node.name: node.links for node in inventory.nodes if node.links}


def told(entries: Sequence[Mapping[str, object]]) -> dict[str, tuple[str, ...]]:
    """From ``/cluster/config/nodes``: ``ring0_addr``, ``ring1_addr``, as corosync.conf spells them."""
    return {str(one["name"]): tuple(_rings(one)) for one in entries if one.get("name")}


def _rings(entry: Mapping[str, object]) -> Iterator[str]:
    """A link that the node lacks is empty: the numbers of the others stay what they are."""
    numbers = [number for number in range(8) if entry.get(f"ring{number}_addr")]
    yield from (str(entry.get(f"ring{number}_addr") or "") for number in range(max(numbers, default=-1) + 1))


def against(wanted: Addresses, found: Addresses) -> list[str]:
    """What corosync.conf has otherwise than the inventory, a sentence for each link, with what would do."""
    said = []
    for node, addresses in wanted.items():
        there = found.get(node, ())
        for number, address in enumerate(addresses):
            if number >= len(there) or not there[number]:
                said.append(
                    f"{node}: corosync.conf has no link {number}, the inventory says links[{number}] {address}; add "
                    f"ring{number}_addr for every node and raise config_version, or remove it from links"
                )
            elif alike(there[number]) != alike(address):
                said.append(
                    f"{node}: corosync.conf says ring{number}_addr {there[number]}, the inventory says "
                    f"links[{number}] {address}; correct links of the node, or ring{number}_addr for that node"
                )
        if more := [one for one in there[len(addresses) :] if one]:
            said.append(
                f"{node}: corosync.conf has a link {len(addresses)} at {more[0]}, and links of the node does not name "
                "it; add it there"
            )
    return said


def alike(address: str) -> str:
    """In one spelling; what is no address is compared as it stands."""
    try:
        return split(address)[0].lower()
    except ValueError:
        return address.lower()


def problems(inventory: Inventory) -> Iterator[Problem]:
    """What the links of the nodes may not say together."""
    given = {node.name: len(node.links) for node in inventory.nodes if node.links}
    if not given:
        return
    most = max(given.values())
    for where, node in _nodes(inventory):
        count = given.get(node, 0)
        if count != most:
            yield (
                (*where, "links"),
                f"{node} has {count} of {most} addresses: corosync has the same links on every node, give {node} "
                f"{most - count} more, or no node any",
            )
    yield from _families(inventory)


def _nodes(inventory: Inventory) -> Iterator[tuple[Location, str]]:
    for at, place in places(inventory):
        yield from (((*at, "nodes", number), node.name) for number, node in enumerate(place.nodes))


def _families(inventory: Inventory) -> Iterator[Problem]:
    first: dict[int, tuple[str, int]] = {}
    for where, name in _nodes(inventory):
        for number, address in enumerate(inventory.node(name).links):
            if not (family := _family(address)):
                continue
            other, known = first.setdefault(number, (name, family))
            if family != known:
                yield (
                    (*where, "links", number),
                    f"link {number} has IPv{family} at {name} and IPv{known} at {other}: a link has one family on all "
                    "nodes, give each node an address of the same",
                )


def _family(address: str) -> int:
    """4 or 6; 0 for a name, which may stand for either."""
    try:
        return ip_address(address).version
    except ValueError:
        return 0
