"""Cloning a machine: the new configuration is there from the first moment, locked and nameless, until the copy is done.

A copy that fails takes its file and its volumes away again. One whose node dies leaves both, and the id stays taken
(source: PVE::API2::Qemu, clone_vm).
"""

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.physics.disks import EXTENT, LogicalVolume, VolumeGroup
from lab.pve.errors import PveError
from lab.pve.work.guest import Guest
from lab.pve.work.guest_tasks import free
from lab.pve.work.tasks import Task

if TYPE_CHECKING:
    from lab.pve.models import Storage

CLONE_SECONDS = 4.0
CLONE_STEPS = 8


@dataclass(frozen=True)
class ClonePlan:
    """A clone whose checks have passed."""

    source: Guest
    newid: int
    target: str
    storage: str | None  # None keeps each disk on its own storage
    changes: dict[str, Any]


async def clone(task: Task, plan: ClonePlan) -> None:
    """Copy every disk, then give the guest its name, free it and put its file where it is wanted."""
    cluster = task.cluster
    guest = _placeholder(task, plan)
    made: list[str] = []
    try:
        await _copy(task, plan, guest, made)
        await task.may_write(guest.file(task.node))
    except PveError as error:
        _give_up(task, guest, made)
        raise PveError(f"clone failed: {error.message}") from None
    except asyncio.CancelledError:  # someone stopped the task; a node that dies (NodeDied) cleans up nothing
        _give_up(task, guest, made)
        raise
    if plan.target != task.node:
        for lv in cluster.logical_volumes(guest, task.node).values():
            if lv is not None:
                lv.active_on.discard(task.node)
    guest.lock, guest.node = None, plan.target
    cluster.world.record(
        plan.target,
        "guest.clone",
        str(plan.newid),
        name=guest.name,
        source=plan.source.vmid,
        storage=",".join(sorted({volid.partition(":")[0] for volid in made})),
    )


def _placeholder(task: Task, plan: ClonePlan) -> Guest:
    """The file of the first moment: a lock and nothing else, under the node that copies."""
    cluster = task.cluster
    file = f"/etc/pve/nodes/{task.node}/qemu-server/{plan.newid}.conf"
    if (there := cluster.guests.get(plan.newid)) is not None:
        if (there.kind, there.node) == ("qemu", task.node):
            raise PveError(f"unable to create VM {plan.newid}: config file already exists")
        raise PveError(f"close (rename) atomic file '{file}' failed: File exists")
    if not cluster.world.membership.writable(task.node):
        raise PveError(f"unable to open file '{file}.tmp.{task.pid}' - Permission denied")
    guest = cluster.guests[plan.newid] = Guest(plan.newid, task.node, {}, lock="clone")
    cluster.world.record(task.node, "guest.cloning", str(plan.newid), source=plan.source.vmid)
    return guest


async def _copy(task: Task, plan: ClonePlan, guest: Guest, made: list[str]) -> None:
    """Disk by disk; the configuration so far is written after each."""
    cluster = task.cluster
    config = {key: value for key, value in plan.source.config.items() if key not in ("vmgenid", "lock", "template")}
    config |= {**_new_addresses(cluster.world.random.getrandbits, config), **plan.changes}
    drives = {bus: volid for bus, volid in plan.source.disks.items() if "media=cdrom" not in str(config[bus])}
    left = set(drives)
    for bus, volid in drives.items():
        rest = str(config[bus]).partition(",")[2]
        task.log(f"create full clone of drive {bus} ({volid})")
        size = cluster.volume_size(task.node, volid)
        new = _allocate(task, plan, volid, size)
        made.append(new)
        await _transfer(task, size)
        config[bus] = ",".join(filter(None, (new, rest)))
        left.remove(bus)
        guest.config = {key: value for key, value in config.items() if key not in left}
    if not drives:
        guest.config = config


def _give_up(task: Task, guest: Guest, made: list[str]) -> None:
    free(task, made)
    mine = task.cluster.world.cluster is task.cluster and task.cluster.guests.get(guest.vmid) is guest
    if mine and task.cluster.world.membership.writable(task.node):  # without a quorum nothing takes the file away
        del task.cluster.guests[guest.vmid]
        task.cluster.world.record(task.node, "guest.clone_failed", str(guest.vmid))


async def _transfer(task: Task, size: int) -> None:
    for step in range(1, CLONE_STEPS + 1):
        await task.pause(CLONE_SECONDS / CLONE_STEPS)
        share = step / CLONE_STEPS
        task.log(f"transferred {_amount(size * share)} of {_amount(size)} ({share * 100:.2f}%)")


def _allocate(task: Task, plan: ClonePlan, volid: str, size: int) -> str:
    """Make the new volume on the node that copies; returns its id."""
    storage = task.cluster.storage(plan.storage or volid.partition(":")[0])
    if storage.type != "lvm":
        name = _free_name(plan.newid, {volume.partition("/")[2] for volume in task.cluster.files}, ".raw")
        new = f"{storage.id}:{plan.newid}/{name}"
        task.cluster.write_file(new, size)
        return new
    group = _group(task, storage)
    needed = math.ceil(size / EXTENT) * EXTENT
    if group.free < needed:
        raise PveError(f"not enough free space ({group.free} < {needed})")
    name = _free_name(plan.newid, set(group.lvs), "")
    _add_volume(group, name, needed, task.node)
    task.log(f'  Logical volume "{name}" created.')
    return f"{storage.id}:{name}"


def _group(task: Task, storage: "Storage") -> VolumeGroup:
    group = task.cluster.world.volume_group(task.node, storage.vg)
    if group is None:
        raise PveError(f"no such volume group '{storage.vg}'")
    return group


def _add_volume(group: VolumeGroup, name: str, size: int, node: str) -> None:
    group.lvs[name] = LogicalVolume(name, size, active_on={node})


def _free_name(vmid: int, taken: set[str], suffix: str) -> str:
    return next(name for n in range(len(taken) + 1) if (name := f"vm-{vmid}-disk-{n}{suffix}") not in taken)


def _new_addresses(bits: Any, config: dict[str, Any]) -> dict[str, str]:
    """A clone's network cards keep everything but their address; BC:24:11 is Proxmox' own prefix."""
    fresh = {}
    for key, value in config.items():
        if key.startswith("net") and "=" in str(value):
            model, _, rest = str(value).partition(",")
            address = ":".join(f"{bits(8):02X}" for _ in range(3))
            fresh[key] = f"{model.partition('=')[0]}=BC:24:11:{address}" + (f",{rest}" if rest else "")
    return fresh


def _amount(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
