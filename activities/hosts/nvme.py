"""What a node has of NVMe/TCP: its name, its controllers, the namespace of a volume, what a boot makes. Reads only."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from activities.errors import NotFound, Refuted
from activities.parsing.multipath import Map, PathGroup, ScsiPath
from activities.parsing.nvme import parse_controllers, parse_discovery, parse_hostnqn, parse_native
from activities.parsing.system import parse_units
from cluster.contracts.hosts import NON_OPTIMIZED as LOW
from cluster.contracts.hosts import OPTIMIZED as HIGH
from cluster.nvme import AUTOCONNECT, DISCOVERY, NON_OPTIMIZED, OPTIMIZED, POLICY, Controller, Line

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

_NATIVE = "/sys/module/nvme_core/parameters/multipath"
_BY_ID = "/dev/disk/by-id/nvme-"
# multipath's priorities of ANA states are those of ALUA's (multipath-tools, prioritizers/ana.c).
_PRIORITIES = {OPTIMIZED: HIGH, NON_OPTIMIZED: LOW}


@dataclass(frozen=True)
class Namespace:
    """A node's controllers and the device of one volume; `device` is None where the node has none."""

    device: str | None
    controllers: tuple[Controller, ...]


async def hostnqn(ssh: "SshHosts", node: str) -> str:
    """The node's own name for NVMe."""
    return parse_hostnqn(await ssh.read(node, "cat", "/etc/nvme/hostnqn"))


async def native(ssh: "SshHosts", node: str) -> bool:
    """Whether the kernel puts paths together; else multipathd does."""
    return parse_native(await ssh.read(node, "cat", _NATIVE))


async def module(ssh: "SshHosts", node: str) -> None:
    """NotFound where the kernel does not speak NVMe/TCP now."""
    if not (await ssh.run(node, "cat", "/sys/module/nvme_tcp/initstate")).ok:
        raise NotFound(
            f"{node}: the module nvme_tcp is not loaded; load it now and at boot: "
            "modprobe nvme-tcp; echo nvme-tcp > /etc/modules-load.d/nvme-tcp.conf"
        )


async def controllers(ssh: "SshHosts", node: str, *, limit: float | None = None) -> tuple[Controller, ...]:
    """Every controller of the node over TCP, without ANA states."""
    return parse_controllers(await ssh.read(node, "nvme", "list-subsys", "-o", "json", limit=limit))


async def namespace(ssh: "SshHosts", node: str, wwid: str | None, *, limit: float | None = None) -> Namespace:
    """The node's controllers, with the ANA state of the volume's namespace through each."""
    found, device = await asyncio.gather(controllers(ssh, node, limit=limit), _device(ssh, node, wwid, limit))
    if device is None or not device.startswith("/dev/nvme"):  # multipathd's: ANA is told by its priorities
        return Namespace(device, found)
    text = await ssh.read(node, "nvme", "list-subsys", device, "-o", "json", limit=limit)
    states = {one.name: one.ana for one in parse_controllers(text)}
    return Namespace(device, tuple(one.model_copy(update={"ana": states.get(one.name, "")}) for one in found))


async def _device(ssh: "SshHosts", node: str, wwid: str | None, limit: float | None) -> str | None:
    if wwid is None:
        return None
    link = await ssh.run(node, "readlink", "-e", f"{_BY_ID}{wwid}", limit=limit)
    return link.stdout.strip() or None


async def map_of(ssh: "SshHosts", node: str, wwid: str, *, limit: float | None = None) -> Map | None:
    """The namespace as a device with paths in groups, as multipath would show it; None where the node has none."""
    found = await namespace(ssh, node, wwid, limit=limit)
    if found.device is None:
        return None
    groups = []
    for state in dict.fromkeys(one.ana for one in found.controllers if one.ana):
        paths = tuple(_path(one) for one in found.controllers if one.ana == state)
        groups.append(PathGroup(priority=_PRIORITIES.get(state, 1), status="active", paths=paths))
    name = found.device.rpartition("/")[2]
    return Map(wwid=wwid, device=found.device, dm=name, size="", handler="ana", groups=tuple(groups))


def _path(one: Controller) -> ScsiPath:
    state = ("active", "ready", "running") if one.live else ("failed", "faulty", one.state)
    return ScsiPath(device=one.name, lun=None, dm_state=state[0], checker=state[1], state=state[2])


async def lines(ssh: "SshHosts", node: str) -> tuple[str, tuple[Line, ...]]:
    """What a boot asks for portals: the file as it is, and its lines; both empty without the file."""
    text = (await ssh.run(node, "cat", DISCOVERY)).stdout
    return text, parse_discovery(text)


async def autoconnects(ssh: "SshHosts", node: str) -> bool:
    """Whether a boot connects."""
    told = parse_units(await ssh.read(node, "systemctl", "show", "--property=Id,UnitFileState", AUTOCONNECT))
    return told.get(AUTOCONNECT, {}).get("UnitFileState") in ("enabled", "enabled-runtime", "static")


async def policy(ssh: "SshHosts", node: str, found: Namespace) -> str:
    """The kernel's choice among optimized paths, where it is not the recommended one; empty where it tells none."""
    groups = sorted({one.group for one in found.controllers if one.group and one.ana})
    for group in groups:
        told = await ssh.run(node, "cat", f"/sys/class/nvme-subsystem/{group}/iopolicy")
        if told.ok and (now := told.stdout.strip()) != POLICY:
            return now
    return ""


async def must_be(ssh: "SshHosts", node: str, nqn: str) -> None:
    """Refuted where the node calls itself otherwise than the inventory says."""
    told = await hostnqn(ssh, node)
    if told.lower() != nqn.lower():
        raise Refuted(
            f"{node}: /etc/nvme/hostnqn says {told}, the inventory says {nqn}; correct the nqn of the node in the "
            "inventory; a node that was cloned needs a name of its own: nvme gen-hostnqn > /etc/nvme/hostnqn"
        )
