"""Fibre Channel as a node's HBAs meet it: they log in by themselves, at every port of an array in their own fabric.

There are two fabrics, as the vendors of arrays and switches ask for: a node's first HBA port and the first port of each
controller are on one of them, the second ones on the other. Nobody logs in or out by hand.
What an HBA does by itself is look at the LUNs behind a port when it meets that port; a LUN that comes later is met by
the next scan.
"""

from typing import TYPE_CHECKING

from lab.physics.initiator import Way

if TYPE_CHECKING:
    from lab.physics.world import Host, World

FABRICS = 2
# SCSI hosts before the first HBA: controllers of a node's own disks.
FIRST_HOST = 2


def log_in_all(world: "World") -> None:
    """Every node that runs meets what it reaches and has not met yet."""
    for host in world.nodes.values():
        if host.powered and not host.starting:
            log_in(world, host)


def log_in(world: "World", host: "Host") -> None:
    """The HBAs of one node log in, and scan what is new to them."""
    for way in ways(world, host):
        if way not in host.sessions and world.carries(host.name, way):
            host.sessions[way] = max(host.sessions.values(), default=0) + 1
            world.scan(host.name, way)


def exchange(world: "World", host: "Host", hbas: tuple[str, ...]) -> None:
    """Give a node other HBA ports: what it had through those that are gone is gone with them."""
    host.hbas = hbas
    host.sessions = {way: number for way, number in host.sessions.items() if way.iface in hbas}
    host.scanned = {key: path for key, path in host.scanned.items() if key[0].iface in hbas}
    log_in(world, host)


def ways(world: "World", host: "Host") -> list[Way]:
    """From each HBA port to each port of an array in its fabric."""
    return [
        Way(array.name, port, hba)
        for number, hba in enumerate(host.hbas)
        for array in world.arrays.values()
        for place, port in enumerate(array.portals)
        if place % FABRICS == number % FABRICS
    ]


def scsi_host(host: "Host", hba: str) -> int:
    """The number that Linux has given an HBA port."""
    return FIRST_HOST + host.hbas.index(hba)


def target(world: "World", host: "Host", way: Way) -> int:
    """The number that an HBA port has given a port of an array."""
    return [one for one in ways(world, host) if one.iface == way.iface].index(way)


def linked(world: "World", host: "Host", hba: str) -> bool:
    """Whether an HBA port has light."""
    return hba not in host.hbas or world.links.carries(f"hba:{host.name}:{host.hbas.index(hba)}")
