"""Which nodes stand beside which array, as far as names, addresses and preferred arrays tell. Pure.

A wrong site would make a loss of one room look like that of another, so what is not certain is said to be so.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from cluster.addresses import split

Halves = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Proposal:
    """The nodes beside the first array and beside the second one; why, and whether that is certain."""

    halves: Halves
    why: str
    sure: bool


def proposed(
    nodes: Mapping[str, str],
    preferred: Mapping[str, str],
    arrays: Sequence[tuple[str, str]],
    *,
    alike: bool = True,
) -> Proposal | None:
    """The sites. `nodes` and `arrays` have addresses, `preferred` the preferred array of each node's host.

    `alike`: both sites have as many nodes, as it has to be without nodes at a third place.
    None when nothing parts the nodes into two.
    """
    names = [name for name, _ in arrays]
    if halves := _by_preference(nodes, preferred, names, alike):
        return Proposal(halves, "each host's preferred array", sure=True)
    by_name, by_net = _by_name(nodes, alike), _halves(nodes, lambda node: _net(nodes[node]), alike)
    found = by_name or by_net
    if found is None:
        return None
    if by_name and by_net and by_name != by_net:
        return Proposal(found, "the names of the nodes say so, and their addresses say otherwise", sure=False)
    what = "names" if by_name else "addresses"
    ordered = _beside(found, nodes, arrays)
    if ordered is None:
        return Proposal(found, f"the nodes' {what} tell two halves, and nothing which array is beside them", sure=False)
    return Proposal(ordered, f"the nodes' {what}, and the arrays' addresses", sure=True)


def _by_preference(
    nodes: Iterable[str], preferred: Mapping[str, str], arrays: Sequence[str], alike: bool
) -> Halves | None:
    first, second = (tuple(node for node in nodes if preferred.get(node) == array) for array in arrays)
    whole = len(first) + len(second) == len(list(nodes)) and fits(first, second, alike)
    return (first, second) if whole else None


def fits(first: Sequence[str], second: Sequence[str], alike: bool) -> bool:
    """Whether these can be two sites."""
    return bool(first and second) and (not alike or len(first) == len(second))


def _by_name(nodes: Mapping[str, str], alike: bool) -> Halves | None:
    """By the first letters that part them into two halves: ``pve-n1`` and ``pve-s1``, ``pve01-2`` and ``pve02-2``."""
    for length in range(1, max(map(len, nodes)) + 1):
        if halves := _halves(nodes, lambda node, length=length: node[:length], alike):  # type: ignore[misc]
            return halves
    return None


def _halves(nodes: Mapping[str, str], key: Callable[[str], str], alike: bool) -> Halves | None:
    groups: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        groups[key(node)].append(node)
    if len(groups) != 2:
        return None
    first, second = (tuple(group) for group in groups.values())
    return (first, second) if fits(first, second, alike) else None


def _beside(halves: Halves, nodes: Mapping[str, str], arrays: Sequence[tuple[str, str]]) -> Halves | None:
    """The halves in the order of the arrays; None when their addresses do not tell it."""
    nets = [{_net(nodes[node]) for node in half} for half in halves]
    places = [_net(split(address)[0]) for _, address in arrays]
    for one, other in ((0, 1), (1, 0)):
        if nets[one] == {places[0]} and nets[other] == {places[1]} and places[0] != places[1]:
            return halves[one], halves[other]
    return None


def _net(address: str) -> str:
    """The network that an address most likely stands in; a name is a network of its own."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network(f"{found}/{24 if found.version == 4 else 64}", strict=False))
