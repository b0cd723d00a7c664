"""What the inventory's fields may not say together: duplicates, unknown names, votes that cannot work."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

from cluster import carried, controllers, rings
from cluster.addresses import netloc, split
from cluster.inventory import Inventory, Node
from cluster.places import THIRD, Location, Problem, places, votes
from cluster.transports import FIELDS, NAMES, Transport, initiators

# The failure domains beside the sites; a site of that name would be one with it.
_PLACES = ("witness", "engine")

Kind = Literal["name", "address", "bmc.address", "iqn", "wwn", "nqn", "vmid"]
Uses = dict[tuple[Kind, str], list[tuple[Location, str]]]


def problems(inventory: Inventory) -> list[Problem]:
    """What the inventory's fields say against each other: where it stands, and what is allowed instead."""
    if lacking := list(carried.lacking(inventory)):
        return lacking
    return [
        *controllers.problems(inventory),
        *_twice(inventory),
        *_unknown_names(inventory),
        *_guests(inventory),
        *votes(inventory),
        *rings.problems(inventory),
        *_luns(inventory),
        *carried.problems(inventory),
        *_transport(inventory),
    ]


def _twice(inventory: Inventory) -> Iterator[Problem]:
    """Names, addresses and initiators that must be unique, and are not."""
    seen: Uses = defaultdict(list)
    for at, site in places(inventory):
        seen["name", site.name].append(((*at, "name"), f"{'third place' if at == THIRD else 'site'} {site.name}"))
        for n, node in enumerate(site.nodes):
            where: Location = (*at, "nodes", n)
            _uses(seen, where, node, f"node {node.name} of {site.name}")
    for a, array in enumerate(inventory.arrays):
        seen["name", array.name].append((("arrays", a, "name"), f"array {array.name}"))
        seen["address", _host(array.address)].append((("arrays", a, "address"), f"array {array.name}"))
    if inventory.witness:
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


def _uses(seen: Uses, where: Location, node: Node, who: str) -> None:
    """What a node has to itself."""
    seen["name", node.name].append(((*where, "name"), who))
    seen["address", _host(node.address)].append(((*where, "address"), who))
    if node.iqn:
        seen["iqn", node.iqn].append(((*where, "iqn"), who))
    for w, one in enumerate(node.wwns):
        seen["wwn", one].append(((*where, "wwns", w), who))
    if node.nqn:
        seen["nqn", node.nqn].append(((*where, "nqn"), who))
    for number, address in enumerate(node.links):
        if number or _host(address) != _host(node.address):  # link 0 is often the address that all else uses
            seen["address", _host(address)].append(((*where, "links", number), f"link {number} of {who}"))
    if node.bmc is not None:
        # a chassis has one controller for several nodes, and tells them apart
        one = f"{_with_port(node.bmc.address)}{f' system {node.bmc.system}' if node.bmc.system else ''}"
        seen["bmc.address", one].append(((*where, "bmc", "address"), f"node {node.name}"))


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
    for at, place in places(inventory):
        if place.name.lower() in _PLACES:
            yield (
                (*at, "name"),
                f"{place.name} is reserved for a place outside both sites: choose another name",
            )
    for s, site in enumerate(inventory.sites):
        if site.array not in arrays:
            yield ("sites", s, "array"), f"array {site.array} is unknown: known are {', '.join(arrays)}"
    if inventory.sites[0].array == inventory.sites[1].array:
        yield ("sites", 1, "array"), f"array {inventory.sites[1].array} serves both sites: each site needs its own"
    for at, pod in carried.pods(inventory):
        if pod.first not in arrays:
            yield (*at, "first"), f"array {pod.first} is unknown: known are {', '.join(arrays)}"
        if (wanted := pod.failover_preference) and wanted not in arrays:
            yield (*at, "failover_preference"), f"array {wanted} is unknown: known are {', '.join(arrays)}"
    sites = [site.name for site in inventory.sites]
    for w, name in enumerate(inventory.watch.workers_at):
        if name not in sites:
            yield ("watch", "workers_at", w), f"site {name} is unknown: known are {', '.join(sites)}"


def _guests(inventory: Inventory) -> Iterator[Problem]:
    """Each runs on a node that has a path to the pod."""
    nodes = [node.name for node in inventory.site_nodes]
    third = {node.name: inventory.third.name for node in inventory.third.nodes} if inventory.third else {}
    for g, guest in enumerate(inventory.guests):
        if guest.node in third:
            yield (
                ("guests", g, "node"),
                f"node {guest.node} is at {third[guest.node]}, which has no path to the pod: choose a node of a site "
                f"({', '.join(nodes)})",
            )
        elif guest.node not in nodes:
            yield ("guests", g, "node"), f"node {guest.node} is unknown: known are {', '.join(nodes)}"


def _luns(inventory: Inventory) -> Iterator[Problem]:
    arrays = {array.name for array in inventory.arrays}
    if inventory.transport == "nvme-tcp":
        for at, _, volume in carried.volumes(inventory):
            if volume.luns:
                given = ", ".join(f"{array}: {lun}" for array, lun in volume.luns.items())
                yield (
                    (*at, "luns"),
                    f"{given} is not used with transport nvme-tcp, where the arrays number namespaces: remove it",
                )
        return
    for at, _, volume in carried.volumes(inventory):
        if wrong := set(volume.luns) ^ arrays:
            yield (
                (*at, "luns"),
                f"give one LUN for each array ({', '.join(sorted(arrays))}); "
                f"missing or unknown: {', '.join(sorted(wrong))}",
            )


# Fields that mean something with these transports alone, and what they are.
_PORTALS: tuple[Transport, ...] = ("iscsi", "nvme-tcp")
_CHAP: tuple[Transport, ...] = ("iscsi",)
_MTU: tuple[Transport, ...] = ("iscsi", "nvme-tcp")


def _transport(inventory: Inventory) -> Iterator[Problem]:
    """Each node says by what the arrays know it, and nothing is asked for that the transport does not have."""
    transport = inventory.transport
    wanted, what, told = FIELDS[transport]
    for s, site in enumerate(inventory.sites):
        for n, node in enumerate(site.nodes):
            where: Location = ("sites", s, "nodes", n)
            if not initiators(node, transport):
                yield (
                    (*where, wanted),
                    f"is missing: with transport {transport} the arrays know {node.name} by its {what} ({told} there)",
                )
            for other, (field, _, _) in FIELDS.items():
                if other != transport and (given := initiators(node, other)):
                    yield (
                        (*where, field),
                        f"{', '.join(given)} is not used with transport {transport}: remove it, "
                        f"or set transport: {other}",
                    )
    for a, array in enumerate(inventory.arrays):
        if array.portals and transport not in _PORTALS:
            yield ("arrays", a, "portals"), _unfit(", ".join(array.portals), _PORTALS, transport)
    if inventory.paths.chap and transport not in _CHAP:
        yield ("paths", "chap"), _unfit(f"user {inventory.paths.chap.user}", _CHAP, transport)
    if inventory.paths.mtu and transport not in _MTU:
        yield ("paths", "mtu"), _unfit(str(inventory.paths.mtu), _MTU, transport)


def _unfit(value: str, fits: tuple[Transport, ...], transport: Transport) -> str:
    means = " and ".join(NAMES[one] for one in fits)
    return f"{value} is for {means} alone, and the transport is {transport}: remove it"
