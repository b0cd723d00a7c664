"""Nodes and witness over SSH: one connection each, all questions over it at once."""

import asyncio
from typing import TYPE_CHECKING

from activities.doctor.asking import LIMIT, told
from activities.hosts import reading
from activities.parsing.links import parse_links
from activities.parsing.system import parse_release, parse_units
from cluster.doctor.check import Unread
from cluster.doctor.hosts import QDEVICE, QNETD, VOTING, Clock, Told, Unit, Votes, Ways
from cluster.doctor.versions import Release
from cluster.inventory import Inventory

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

NODE_UNITS, WITNESS_UNITS = ("multipathd", QDEVICE), (QNETD,)


async def login(ssh: "SshHosts", host: str) -> Unread | None:
    """Why the host does not let Quorate in; None when it does."""
    found = await told(ssh.read(host, "true", limit=LIMIT), host)
    return found if isinstance(found, Unread) else None


async def node(ssh: "SshHosts", inventory: Inventory, name: str) -> Told:
    """All that a node tells. The connection stands already."""
    trips = _trips(inventory, name)
    measured = asyncio.gather(*(told(reading.round_trip(ssh, name, address), name) for address in trips.values()))
    packages, units_, clock, initiator, ways_, votes = await asyncio.gather(
        told(_packages(ssh, name, reading.NODE_PACKAGES), name),
        told(units(ssh, name, NODE_UNITS), name),
        told(_clock(ssh, name), name),
        told(reading.initiator(ssh, name), name),
        told(ways(ssh, name), name),
        told(_votes(ssh, name), name),
    )
    return Told(
        name=name,
        packages=packages,
        units=units_,
        clock=clock,
        initiator=initiator,
        ways=ways_,
        votes=votes,
        trips=dict(zip(trips, await measured, strict=True)),
    )


async def witness(ssh: "SshHosts", name: str) -> Told:
    """All that the witness tells."""
    packages, units_, clock, release_ = await asyncio.gather(
        told(_packages(ssh, name, reading.WITNESS_PACKAGES), name),
        told(units(ssh, name, WITNESS_UNITS), name),
        told(_clock(ssh, name), name),
        told(release(ssh, name), name),
    )
    return Told(name=name, packages=packages, units=units_, clock=clock, release=release_)


def _trips(inventory: Inventory, name: str) -> dict[str, str]:
    """Whom a node pings: a node of the other site, and the witness. The preflight measures the way to the arrays."""
    other = inventory.other_site(inventory.site_of(name).name)
    return {"corosync_rtt": other.nodes[0].address, "witness_rtt": inventory.witness.address}


async def _packages(ssh: "SshHosts", host: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(await reading.installed(ssh, host, wanted))


async def units(ssh: "SshHosts", host: str, names: tuple[str, ...]) -> dict[str, Unit]:
    """Whether each unit runs, and whether it boots along."""
    text = await ssh.read(host, "systemctl", "show", "--property=Id,ActiveState,UnitFileState", *names, limit=LIMIT)
    return {
        name.removesuffix(".service"): Unit(active=found["ActiveState"], enabled=found["UnitFileState"])
        for name, found in parse_units(text).items()
    }


async def _clock(ssh: "SshHosts", host: str) -> Clock:
    ahead, doubt = await reading.clock(ssh, host)
    return Clock(ahead=ahead, doubt=doubt)


async def release(ssh: "SshHosts", host: str) -> Release:
    """The system below."""
    return parse_release(await ssh.read(host, "cat", "/etc/os-release", limit=LIMIT))


async def ways(ssh: "SshHosts", node: str) -> Ways:
    """Corosync's links as the node has them."""
    found = parse_links(await ssh.read(node, "corosync-cfgtool", "-s", limit=LIMIT))
    return Ways(links=found.links, total=found.total, down=found.disconnected)


async def _votes(ssh: "SshHosts", node: str) -> Votes:
    found = await reading.vote_count(ssh, node)
    device = found.has_device
    return Votes(
        nodes=len(found.members),
        expected=found.expected,
        total=found.total,
        quorum=found.quorum,
        quorate=found.quorate,
        settled=found.settled,
        device=device,
        silent=tuple(member.name for member in found.members if device and member.device != VOTING),
        witness=(await reading.device_host(ssh, node) or "") if device else "",
    )
