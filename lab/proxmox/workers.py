"""What the workers of guest tasks do: clone, start, stop, migrate, destroy.

Durations are lab seconds. A change is written into the world's log when it is accomplished, not when it was asked for.
"""

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.disks import EXTENT, LogicalVolume, VolumeGroup
from lab.proxmox.errors import PveError
from lab.proxmox.tasks import NodeDied, Task

if TYPE_CHECKING:
    from lab.proxmox.models import Guest, Storage

CLONE_SECONDS = 4.0
CLONE_STEPS = 8
# Start, shutdown and live migration as in the runs that the timelines come from (reference: pve-ha, "C").
START_SECONDS = 5.0
STOP_SECONDS = 1.0
SHUTDOWN_SECONDS = 10.0
MIGRATE_SECONDS = {True: 15.0, False: 1.5}  # live: memory is copied; stopped: only the file moves
DESTROY_SECONDS = 1.0


@dataclass(frozen=True)
class ClonePlan:
    """A clone whose checks have passed."""

    source: "Guest"
    newid: int
    target: str
    storage: str | None  # None keeps each disk on its own storage
    changes: dict[str, Any]


async def clone(task: Task, plan: ClonePlan) -> None:
    """Copy every disk and put the new configuration on the target; a failed clone leaves nothing behind."""
    cluster = task.cluster
    made: list[str] = []
    config = {key: value for key, value in plan.source.config.items() if key not in ("vmgenid", "lock")}
    try:
        for bus, volid in plan.source.disks.items():
            rest = str(config[bus]).partition(",")[2]
            if "media=cdrom" in rest:
                continue
            task.log(f"create full clone of drive {bus} ({volid})")
            size = cluster.volume_size(task.node, volid)
            new = _allocate(task, plan, volid, size)
            made.append(new)
            await _transfer(task, size)
            config[bus] = ",".join(filter(None, (new, rest)))
    except PveError as error:
        _free(task, made)
        raise PveError(f"clone failed: {error.message}") from None
    except asyncio.CancelledError:  # someone stopped the task; a node that dies (NodeDied) cleans up nothing
        _free(task, made)
        raise
    finally:
        cluster.reserved.discard(plan.newid)
    config |= {**_new_addresses(cluster.world.random.getrandbits, config), **plan.changes}
    from_model = type(plan.source)
    guest = cluster.guests[plan.newid] = from_model(plan.newid, plan.target, config)
    for lv in cluster.logical_volumes(guest, task.node).values():
        if lv is not None:
            lv.active_on.discard(task.node)
    storages = sorted({volid.partition(":")[0] for volid in made})
    cluster.world.record(
        plan.target,
        "guest.clone",
        str(plan.newid),
        name=guest.name,
        source=plan.source.vmid,
        storage=",".join(storages),
    )


async def start(task: Task, guest: "Guest") -> None:
    """Activate the volumes on this node, then start QEMU."""
    cluster = task.cluster
    async with guest.flock:
        if guest.running:
            raise PveError(f"VM {guest.vmid} already running")
        if guest.lock:
            raise PveError(f"VM is locked ({guest.lock})")
        volumes = activate(task, guest, task.node)
        await task.pause(START_SECONDS)
        if guest.node != task.node:
            raise PveError(f"Configuration file 'nodes/{task.node}/qemu-server/{guest.vmid}.conf' does not exist")
        for lv in volumes:
            lv.open_on.add(task.node)
        guest.config, guest.pending = guest.effective(), {}
        guest.running, guest.since, guest.pid = True, cluster.world.clock.now(), task.pid + 40
        cluster.world.record(task.node, "guest.start", str(guest.vmid))


async def stop(task: Task, guest: "Guest", *, graceful: bool = False) -> None:
    """Stop QEMU and deactivate the volumes; a guest that does not run is left alone."""
    cluster = task.cluster
    async with guest.flock:
        if not guest.running:
            if graceful:
                raise PveError(f"VM {guest.vmid} not running")
            return
        await task.pause(SHUTDOWN_SECONDS if graceful else STOP_SECONDS)
        _deactivate(task, guest, task.node)
        guest.running, guest.pid = False, 0
        guest.config, guest.pending = guest.effective(), {}
        cluster.world.record(task.node, "guest.stop", str(guest.vmid))


async def restart(task: Task, guest: "Guest", *, graceful: bool) -> None:
    """The same process goes on with a fresh system; what is pending is applied where the system was shut down."""
    async with guest.flock:
        await task.pause(SHUTDOWN_SECONDS if graceful else STOP_SECONDS)
        if graceful:
            guest.config, guest.pending = guest.effective(), {}
        guest.since = task.cluster.world.clock.now()
        task.cluster.world.record(task.node, "guest.reboot" if graceful else "guest.reset", str(guest.vmid))


async def migrate(task: Task, guest: "Guest", target: str) -> None:
    """Move the guest, live when it runs. The volumes are on shared storage and stay where they are.

    A source that dies leaves the lock behind; a target that is lost leaves the guest where it was.
    """
    cluster = task.cluster
    async with guest.flock:
        if guest.lock:
            raise PveError(f"VM is locked ({guest.lock})")
        guest.lock = "migrate"
        try:
            task.log(f"starting migration of VM {guest.vmid} to node '{target}'")
            _reach(task, target)
            volumes = activate(task, guest, target) if guest.running else []
            await task.pause(MIGRATE_SECONDS[guest.running])
            _reach(task, target)
            source, guest.node = guest.node, target
            if guest.running:
                _deactivate(task, guest, source)
                for lv in volumes:
                    lv.open_on.add(target)
        except NodeDied:
            raise
        except BaseException:
            guest.lock = None
            raise
        guest.lock = None
        task.log("migration finished successfully (duration 00:00:15)")
        cluster.world.record(target, "guest.migrate", str(guest.vmid), source=source)


def _reach(task: Task, target: str) -> None:
    """The other node can be spoken to, and both can write the cluster's files."""
    world = task.cluster.world
    if not world.nodes[target].powered or not world.links.reaches(task.node, target):
        task.log(f"ERROR: can't connect to node '{target}'")
        raise PveError("migration aborted")
    if not world.membership.writable(task.node):
        raise PveError("migration aborted")


async def destroy(task: Task, guest: "Guest") -> None:
    """Remove the configuration and its volumes."""
    cluster = task.cluster
    async with guest.flock:
        await task.pause(DESTROY_SECONDS)
        _free(task, [volid for volid in guest.disks.values() if f"vm-{guest.vmid}-" in volid])
        cluster.guests.pop(guest.vmid, None)
        cluster.world.record(task.node, "guest.delete", str(guest.vmid))


def activate(task: Task, guest: "Guest", node: str) -> "list[LogicalVolume]":
    """Activate the guest's volumes on a node, as ``lvchange -aey`` does, one by one."""
    found: list[LogicalVolume] = []
    for path, lv in task.cluster.logical_volumes(guest, node).items():
        if lv is None:
            group = path.split("/")[2]
            raise PveError(f"can't activate LV '{path}':   Volume group \"{group}\" not found")
        lv.active_on.add(node)
        found.append(lv)
    return found


def _deactivate(task: Task, guest: "Guest", node: str) -> None:
    """What ends closes its volumes; they can be deactivated only where the volume group is still seen."""
    for lv in task.cluster.volumes_of(guest):
        lv.open_on.discard(node)
    for seen in task.cluster.logical_volumes(guest, node).values():
        if seen is not None:
            seen.active_on.discard(node)


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
        task.cluster.files[new] = size
        return new
    group = _group(task, storage)
    needed = math.ceil(size / EXTENT) * EXTENT
    if group.free < needed:
        raise PveError(f"not enough free space ({group.free} < {needed})")
    name = _free_name(plan.newid, set(group.lvs), "")
    _add_volume(group, name, needed, task.node)
    task.log(f'  Logical volume "{name}" created.')
    return f"{storage.id}:{name}"


def _group(task: Task, storage: "Storage") -> "VolumeGroup":
    group = task.cluster.world.volume_group(task.node, storage.vg)
    if group is None:
        raise PveError(f"no such volume group '{storage.vg}'")
    return group


def _add_volume(group: "VolumeGroup", name: str, size: int, node: str) -> None:

    group.lvs[name] = LogicalVolume(name, size, active_on={node})


def _free_name(vmid: int, taken: set[str], suffix: str) -> str:
    return next(name for n in range(len(taken) + 1) if (name := f"vm-{vmid}-disk-{n}{suffix}") not in taken)


def _free(task: Task, volids: list[str]) -> None:
    if task.cluster.world.cluster is not task.cluster:
        return  # the world was reset: these names may already be someone else's
    for volid in volids:
        storage_id, _, name = volid.partition(":")
        storage = task.cluster.storages.get(storage_id)
        if storage is not None and storage.type == "lvm":
            group = task.cluster.world.volume_group(task.node, storage.vg)
            if group is not None:
                group.lvs.pop(name, None)
        task.cluster.files.pop(volid, None)


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
