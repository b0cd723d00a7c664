"""Nodes and witness over SSH: one connection each, all questions over it at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from activities.clients.secrets import Secrets
from activities.clients.ssh import Answer
from activities.clients.ssh import Hosts as SshHosts
from activities.doctor.asking import LIMIT, told
from activities.doctor.joined import joined
from activities.hosts import fibre, initiator, nvme, reading
from activities.hosts.lvm import autoactivated, volume_groups
from activities.hosts.maps import all_maps
from activities.hosts.named import address_of, addresses
from activities.hosts.votes import may_set_up
from activities.parsing.links import parse_links
from activities.parsing.multipath import Map, is_ours
from activities.parsing.system import parse_release, parse_units
from cluster.addresses import is_address
from cluster.booting import Boot
from cluster.doctor.arrays import ArrayTold, wwids
from cluster.doctor.check import Unread
from cluster.doctor.hosts import QDEVICE, QNETD, VOTING, Clock, Told, Unit, Votes, Ways
from cluster.doctor.nvme import NvmeTold, Seen
from cluster.doctor.storage import PathsTold
from cluster.doctor.versions import Release
from cluster.inventory import Inventory, Node
from cluster.multipathing import MultipathConfig
from cluster.transports import Transport

NODE_UNITS, WITNESS_UNITS = ("multipathd", QDEVICE), (QNETD,)
# sshd takes ten sessions over one connection (MaxSessions); a portal's probe has four of them of its own.
AT_ONCE = 6


class Paced(SshHosts):
    """Commands on hosts, so many at once over one connection as every sshd takes."""

    def __init__(self, inventory: Inventory, secrets: Secrets) -> None:
        super().__init__(inventory, secrets)
        self._slots: dict[str, asyncio.Semaphore] = {}

    async def run(self, host: str, *words: str, limit: float | None = None) -> Answer:
        """As ever, in its turn."""
        async with self._slots.setdefault(host, asyncio.Semaphore(AT_ONCE)):
            return await super().run(host, *words, limit=limit or LIMIT)


def node_units(transport: Transport) -> tuple[str, ...]:
    """Units that run on a node; with NVMe/TCP the kernel itself joins paths."""
    return (QDEVICE,) if transport == "nvme-tcp" else NODE_UNITS


async def login(ssh: SshHosts, host: str) -> Unread | None:
    """Why the host does not let Quorate in; None when it does."""
    found = await told(ssh.read(host, "true", limit=LIMIT), host)
    return found if isinstance(found, Unread) else None


async def node(ssh: SshHosts, inventory: Inventory, name: str) -> Told:
    """All that a node tells of itself. The connection stands already, so that the clock's way is a short one."""
    clock = await told(_clock(ssh, name), name)
    trips = _trips(inventory, name)
    measured = asyncio.gather(*(told(reading.round_trip(ssh, name, address), name) for address in trips.values()))
    named = {"iscsi": reading.initiator, "nvme-tcp": nvme.hostnqn}.get(inventory.transport)
    packages, units, iqn, ways, votes = await asyncio.gather(
        told(_packages(ssh, name, reading.packages(inventory.transport)), name),
        told(unit_states(ssh, name, node_units(inventory.transport)), name),
        told(named(ssh, name), name) if named else _not_asked(),
        told(link_ways(ssh, name), name),
        told(_votes(ssh, name, inventory.device), name),
    )
    return Told(
        name=name,
        packages=packages,
        units=units,
        clock=clock,
        initiator=iqn,
        ways=ways,
        votes=votes,
        trips=dict(zip(trips, await measured, strict=True)),
    )


async def _not_asked() -> None:
    """What the transport does not have."""


async def paths(ssh: SshHosts, inventory: Inventory, name: str, arrays: Sequence[ArrayTold]) -> PathsTold:
    """A node's way to the arrays, of which those are known that have answered."""
    portals = [portal for one in arrays for portal in one.portals]
    if inventory.transport == "fc":
        return await _over_fibre(ssh, inventory, name, arrays)
    if inventory.transport == "nvme-tcp":
        return await _over_nvme(ssh, name, portals, wwids(arrays))
    config, maps, boot, sessions, records, dark = await asyncio.gather(
        told(initiator.config(ssh, name), name),
        told(all_maps(ssh, name), name),
        told(initiator.boot(ssh, name), name),
        told(initiator.sessions(ssh, name), name),
        told(initiator.records(ssh, name), name),
        told(initiator.dark_portals(ssh, name, portals), name),
    )
    return PathsTold(
        node=name,
        dark=dark,
        config=config,
        local=_local(maps),
        boot=boot,
        sessions=sessions,
        records=records,
        joined=joined(inventory, name, arrays, maps, sessions),
    )


async def _over_fibre(ssh: SshHosts, inventory: Inventory, name: str, arrays: Sequence[ArrayTold]) -> PathsTold:
    """The same where HBAs lead there."""
    config, maps, boot, fabric = await asyncio.gather(
        told(initiator.config(ssh, name), name),
        told(all_maps(ssh, name), name),
        told(initiator.boot(ssh, name, "fc"), name),
        told(fibre.fabric_of(ssh, name), name),
    )
    return PathsTold(
        node=name,
        config=config,
        local=_local(maps),
        boot=boot,
        fabric=fabric,
        joined=joined(inventory, name, arrays, maps, fabric),
    )


async def _over_nvme(ssh: SshHosts, name: str, portals: Sequence[str], wwids: Sequence[str]) -> PathsTold:
    """The same with NVMe/TCP: nothing of iSCSI's, and nothing of multipathd's."""
    native, module, found, lines, enabled, dark = await asyncio.gather(
        told(nvme.native(ssh, name), name),
        told(nvme.module(ssh, name), name),
        asyncio.gather(*(told(nvme.namespace(ssh, name, wwid), name) for wwid in wwids or (None,))),
        told(nvme.lines(ssh, name), name),
        told(nvme.autoconnects(ssh, name), name),
        told(initiator.dark_portals(ssh, name, portals), name),
    )
    first, *others = found
    there = NvmeTold(
        native=native,
        module=module,
        **_namespace(first),
        others={wwid: Seen(**_namespace(one)) for wwid, one in zip(wwids[1:], others, strict=True)},
        lines=lines if isinstance(lines, Unread) else lines[1],
        enabled=enabled,
    )
    return PathsTold(node=name, dark=dark, config=MultipathConfig(), boot=Boot(), nvme=there)


def _namespace(found: nvme.Namespace | Unread) -> dict[str, Any]:
    """The device of a volume and the ways to it, as fields."""
    if isinstance(found, Unread):
        return {"controllers": found}
    return {"device": found.device, "controllers": found.controllers}


async def hindrance(ssh: SshHosts, inventory: Inventory) -> Unread | None:
    """Why a quorum device could not be set up, as the deployment looks for it before it does; None where it could."""
    if inventory.witness is None:
        return None
    nodes = [node.name for node in inventory.nodes]

    async def tried() -> None:
        await may_set_up(ssh, nodes, await address_of(inventory.device))

    return await told(tried(), nodes[0])


async def volumes(ssh: SshHosts, name: str, vg: str) -> tuple[str, ...] | Unread | None:
    """The groups' volumes that are activated at boot, as that node sees them; None where it lacks one of them."""
    groups = await told(volume_groups(ssh, name), name)
    if isinstance(groups, Unread):
        return groups
    if {*vg.split()} - {group.name for group in groups}:
        return None
    return await told(autoactivated(ssh, name, vg), name)


async def witness(ssh: SshHosts, name: str) -> Told:
    """All that the witness tells."""
    packages, units, clock, release = await asyncio.gather(
        told(_packages(ssh, name, reading.WITNESS_PACKAGES), name),
        told(unit_states(ssh, name, WITNESS_UNITS), name),
        told(_clock(ssh, name), name),
        told(debian_release(ssh, name), name),
    )
    return Told(name=name, packages=packages, units=units, clock=clock, release=release)


def _trips(inventory: Inventory, name: str) -> dict[str, str]:
    """Whom a node pings: a node of the other site, and the witness. The preflight measures the way to the arrays."""
    here = inventory.place_of(name)
    if inventory.third and here == inventory.third.name:
        return _links_of("corosync_rtt", inventory.sites[0].nodes[0])
    ways = _links_of("corosync_rtt", inventory.other_site(here).nodes[0])
    if inventory.third:
        return ways | _links_of(f"corosync_rtt to {inventory.third.name}", inventory.third.nodes[0])
    return ways | {"witness_rtt": inventory.device}


def _links_of(what: str, node: Node) -> dict[str, str]:
    """Link 0 and link 1, where they have addresses of their own: ``corosync_rtt``, ``corosync_rtt over link 1``."""
    ways = node.links or (node.address,)
    return {what if not number else f"{what} over link {number}": address for number, address in enumerate(ways)}


def _local(maps: Sequence[Map] | Unread) -> tuple[str, ...] | Unread:
    """The WWIDs of maps that are no volume of the arrays and have one path: disks of the node itself."""
    if isinstance(maps, Unread):
        return maps
    return tuple(one.wwid for one in maps if len(one.disks) == 1 and not is_ours(one.wwid))


async def _packages(ssh: SshHosts, host: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(await reading.installed(ssh, host, wanted))


async def unit_states(ssh: SshHosts, host: str, names: tuple[str, ...]) -> dict[str, Unit]:
    """Whether each unit runs, and whether it boots along."""
    text = await ssh.read(host, "systemctl", "show", "--property=Id,ActiveState,UnitFileState", *names, limit=LIMIT)
    return {
        name.removesuffix(".service"): Unit(active=found["ActiveState"], enabled=found["UnitFileState"])
        for name, found in parse_units(text).items()
    }


async def _clock(ssh: SshHosts, host: str) -> Clock:
    ahead, doubt = await reading.clock(ssh, host)
    return Clock(ahead=ahead, doubt=doubt)


async def debian_release(ssh: SshHosts, host: str) -> Release:
    """The system below."""
    return parse_release(await ssh.read(host, "cat", "/etc/os-release", limit=LIMIT))


async def link_ways(ssh: SshHosts, node: str) -> Ways:
    """Corosync's links as the node has them."""
    found = parse_links(await ssh.read(node, "corosync-cfgtool", "-s", limit=LIMIT))
    return Ways(links=found.links, total=found.total, down=found.disconnected)


async def _votes(ssh: SshHosts, node: str, witness: str) -> Votes:
    found = await reading.vote_count(ssh, node)
    device = found.has_device
    host = (await reading.device_host(ssh, node) or "") if device else ""
    if host and not is_address(witness) and host in await addresses(witness):
        host = witness  # as the inventory calls it
    return Votes(
        nodes=len(found.members),
        expected=found.expected,
        total=found.total,
        quorum=found.quorum,
        quorate=found.quorate,
        settled=found.settled,
        device=device,
        silent=tuple(member.name for member in found.members if device and member.device != VOTING),
        witness=host,
    )
