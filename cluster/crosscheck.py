"""What the inventory's fields may not say together: duplicates, unknown names, votes that cannot work."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

from cluster import controllers
from cluster.addresses import netloc, split
from cluster.inventory import Inventory

# The failure domains beside the sites; a site of that name would be one with it.
_PLACES = ("witness", "engine")

Location = tuple[str | int, ...]
Problem = tuple[Location, str]
Uses = dict[tuple[Literal["name", "address", "bmc.address", "iqn", "vmid"], str], list[tuple[Location, str]]]


def problems(inventory: Inventory) -> list[Problem]:
    """What the inventory's fields say against each other: where it stands, and what is allowed instead."""
    return [
        *controllers.problems(inventory),
        *_twice(inventory),
        *_unknown_names(inventory),
        *_votes(inventory),
        *_luns(inventory),
    ]


def _twice(inventory: Inventory) -> Iterator[Problem]:
    """Names, addresses and initiators that must be unique, and are not."""
    seen: Uses = defaultdict(list)
    for s, site in enumerate(inventory.sites):
        seen["name", site.name].append((("sites", s, "name"), f"site {site.name}"))
        for n, node in enumerate(site.nodes):
            where: Location = ("sites", s, "nodes", n)
            seen["name", node.name].append(((*where, "name"), f"node {node.name} of {site.name}"))
            seen["address", _host(node.address)].append(((*where, "address"), f"node {node.name} of {site.name}"))
            seen["iqn", node.iqn].append(((*where, "iqn"), f"node {node.name} of {site.name}"))
            if node.bmc is not None:
                # a chassis has one controller for several nodes, and tells them apart
                one = f"{_with_port(node.bmc.address)}{f' system {node.bmc.system}' if node.bmc.system else ''}"
                seen["bmc.address", one].append(((*where, "bmc", "address"), f"node {node.name}"))
    for a, array in enumerate(inventory.arrays):
        seen["name", array.name].append((("arrays", a, "name"), f"array {array.name}"))
        seen["address", _host(array.address)].append((("arrays", a, "address"), f"array {array.name}"))
    seen["name", inventory.witness.name].append((("witness", "name"), "the witness"))
    seen["address", _host(inventory.witness.address)].append((("witness", "address"), "the witness"))
    for g, guest in enumerate(inventory.guests):
        seen["vmid", str(guest.vmid)].append((("guests", g, "vmid"), f"guest {guest.name}"))
    for h, hook in enumerate(inventory.hooks):
        seen["name", f"hook {hook.name}"].append((("hooks", h, "name"), f"hook {hook.name}"))
    for e, source in enumerate(inventory.events):
        seen["name", f"event source {source.name}"].append((("events", e, "name"), f"event source {source.name}"))
    for n, target in enumerate(inventory.notify):
        seen["name", f"notice target {target.name}"].append((("notify", n, "name"), f"notice target {target.name}"))
    yield from _used_twice(seen)


def _used_twice(seen: Uses) -> Iterator[Problem]:
    """Case makes no other host and no other name: DNS, and people who read a page, know none."""
    folded: Uses = defaultdict(list)
    for (kind, value), uses in seen.items():
        folded[kind, value.lower()] += uses
    shown = {(kind, value.lower()): value for kind, value in seen}
    for key, uses in folded.items():
        kind, value = key[0], shown[key]
        for place, _ in uses[1:]:
            others = " and ".join(dict.fromkeys(who for _, who in uses))
            yield place, f"{kind} {value} is used twice, by {others}: each needs its own"


def _host(address: str) -> str:
    """An address without its port."""
    return split(address)[0].lower()


def _with_port(address: str) -> str:
    """An address with its port, unless that is a protocol's own: behind Redfish and IPMI stands the same machine."""
    host, port = split(address)
    return netloc(address) if port not in (None, *controllers.PORTS) else host


def _unknown_names(inventory: Inventory) -> Iterator[Problem]:
    arrays = [array.name for array in inventory.arrays]
    nodes = [node.name for node in inventory.nodes]
    for s, site in enumerate(inventory.sites):
        if site.name.lower() in _PLACES:
            yield (
                ("sites", s, "name"),
                f"{site.name} is reserved for a place outside both sites: choose another name",
            )
    for s, site in enumerate(inventory.sites):
        if site.array not in arrays:
            yield ("sites", s, "array"), f"array {site.array} is unknown: known are {', '.join(arrays)}"
    if inventory.sites[0].array == inventory.sites[1].array:
        yield ("sites", 1, "array"), f"array {inventory.sites[1].array} serves both sites: each site needs its own"
    if inventory.pod.first not in arrays:
        yield ("pod", "first"), f"array {inventory.pod.first} is unknown: known are {', '.join(arrays)}"
    if (wanted := inventory.pod.failover_preference) and wanted not in arrays:
        yield ("pod", "failover_preference"), f"array {wanted} is unknown: known are {', '.join(arrays)}"
    for g, guest in enumerate(inventory.guests):
        if guest.node not in nodes:
            yield ("guests", g, "node"), f"node {guest.node} is unknown: known are {', '.join(nodes)}"
    sites = [site.name for site in inventory.sites]
    for w, name in enumerate(inventory.watch.workers_at):
        if name not in sites:
            yield ("watch", "workers_at", w), f"site {name} is unknown: known are {', '.join(sites)}"


def _votes(inventory: Inventory) -> Iterator[Problem]:
    counts = {site.name: len(site.nodes) for site in inventory.sites}
    if len(inventory.nodes) % 2:
        total = len(inventory.nodes)
        yield (
            ("sites",),
            f"{total} nodes are an odd number: the quorum device votes only for an even one (ffsplit), "
            f"give both sites the same number of nodes ({_listing(counts)})",
        )
    elif len(set(counts.values())) > 1:
        yield (
            ("sites",),
            f"the sites are of unequal size ({_listing(counts)}): the smaller one could never go on alone; "
            "give both the same number of nodes",
        )


def _luns(inventory: Inventory) -> Iterator[Problem]:
    arrays = {array.name for array in inventory.arrays}
    for v, volume in enumerate(inventory.pod.volumes):
        if wrong := set(volume.luns) ^ arrays:
            yield (
                ("pod", "volumes", v, "luns"),
                f"give one LUN for each array ({', '.join(sorted(arrays))}); "
                f"missing or unknown: {', '.join(sorted(wrong))}",
            )


def _listing(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())
