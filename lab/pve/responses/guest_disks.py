"""A guest's disks: new ones by ``STORAGE:GIB`` in its configuration, resized, moved, detached and destroyed."""

import asyncio
import math
import re
from typing import Any

from lab.physics.disks import EXTENT, LogicalVolume
from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError, rejected
from lab.pve.models import GIB, Guest, Storage
from lab.pve.responses.guest_calls import guest_of
from lab.pve.work.tasks import Task

routes = Routes()

_QEMU = "/nodes/{node}/qemu/{vmid}"
DISK = re.compile(r"(?:scsi|virtio|ide|sata)\d+")
UNUSED = re.compile(r"unused\d+")
_NEW = re.compile(r"(?P<storage>[^:,]+):(?P<gib>\d+(?:\.\d+)?)(?P<rest>,.*)?")
_SIZE = re.compile(r"(\+?)(\d+(?:\.\d+)?)([KMGT]?)")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_RESIZE_SECONDS = 1.0
_MOVE_SECONDS = 4.0


def require_space(call: Call, value: Any) -> None:
    """403 unless the caller may take room on the storage that a new disk names."""
    if found := _NEW.fullmatch(str(value)):
        call.require(f"/storage/{found['storage']}", "Datastore.AllocateSpace")


def placed(call: Call, guest: Guest, value: Any) -> Any:
    """A disk's value with the volume that was made for it; one that names a volume already stays as it is."""
    found = _NEW.fullmatch(str(value))
    if found is None:
        return value
    storage = call.cluster.usable_storage(found["storage"], call.node)
    size = math.ceil(float(found["gib"]) * GIB)
    volid = allocate(call, guest, storage, size)
    rest = [part for part in (found["rest"] or "").split(",") if part and not part.startswith("format=")]
    return ",".join([volid, *rest, f"size={_short(size)}"])


def allocate(call: Call, guest: Guest, storage: Storage, size: int) -> str:
    """A new volume of the guest's on that storage; active where the guest runs."""
    cluster, vmid = call.cluster, guest.vmid
    if storage.type != "lvm":
        taken = {volid.partition("/")[2] for volid in cluster.files}
        volid = f"{storage.id}:{vmid}/{_free_name(vmid, taken, '.raw')}"
        cluster.write_file(volid, size)
        return volid
    group = cluster.world.volume_group(call.node, storage.vg)
    if group is None:
        raise PveError(f"no such volume group '{storage.vg}'")
    needed = math.ceil(size / EXTENT) * EXTENT
    if group.free < needed:
        raise PveError(f"not enough free space ({group.free} < {needed})")
    name = _free_name(vmid, set(group.lvs), "")
    group.lvs[name] = LogicalVolume(name, needed, created=cluster.world.clock.now())
    opened(call, guest, volid := f"{storage.id}:{name}")
    return volid


def _free_name(vmid: int, taken: set[str], suffix: str) -> str:
    return next(name for n in range(len(taken) + 1) if (name := f"vm-{vmid}-disk-{n}{suffix}") not in taken)


def release(call: Call, volid: str) -> None:
    """Destroy a volume."""
    storage_id, _, name = volid.partition(":")
    storage = call.cluster.storages.get(storage_id)
    if storage is not None and storage.type == "lvm":
        group = call.cluster.world.volume_group(call.node, storage.vg)
        if group is not None:
            group.lvs.pop(name, None)
    call.cluster.files.pop(volid, None)


def detached(call: Call, guest: Guest, key: str, *, force: bool) -> dict[str, str]:
    """What takes the place of a disk that is removed: ``unused0`` with its volume, or nothing when it is destroyed."""
    volid = str(guest.config.get(key, "")).partition(",")[0]
    if ":" not in volid or "media=cdrom" in str(guest.config.get(key)):
        return {}
    if force or UNUSED.fullmatch(key):
        release(call, volid)
        return {}
    for volume in _volume(call, volid):
        volume.open_on.clear()
        volume.active_on.clear()
    free = next(f"unused{number}" for number in range(256) if f"unused{number}" not in guest.config)
    return {free: volid}


def opened(call: Call, guest: Guest, volid: str) -> None:
    """A running guest opens what is attached to it."""
    for volume in _volume(call, volid):
        if guest.running:
            volume.active_on.add(call.node)
            volume.open_on.add(call.node)


def _volume(call: Call, volid: str) -> list[LogicalVolume]:
    """The logical volume behind an id, if it is one and seen here."""
    storage_id, _, name = volid.partition(":")
    storage = call.cluster.storages.get(storage_id)
    group = call.cluster.world.volume_group(call.node, storage.vg) if storage and storage.type == "lvm" else None
    return [group.lvs[name]] if group and name in group.lvs else []


def _short(size: int) -> str:
    unit = next(unit for unit in ("T", "G", "M", "K", "") if size % _UNITS[unit] == 0)
    return f"{size // _UNITS[unit]}{unit}"


def _disk_of(call: Call, guest: Guest) -> str:
    volid = guest.disks.get(call["disk"])
    if volid is None:
        raise PveError(f"disk '{call['disk']}' does not exist")
    if guest.lock:
        raise PveError(f"VM is locked ({guest.lock})")
    call.require(f"/storage/{volid.partition(':')[0]}", "Datastore.AllocateSpace")
    return volid


@routes.on(f"PUT {_QEMU}/resize")
async def resize(call: Call) -> str:
    """Make a disk larger, to a size or by one; it never becomes smaller."""
    guest = guest_of(call)
    volid = _disk_of(call, guest)
    found = _SIZE.fullmatch(call["size"])
    if found is None:
        raise rejected(size="value does not match the regex pattern")
    amount, before = int(float(found[2]) * _UNITS[found[3]]), call.cluster.volume_size(call.node, volid)
    size = before + amount if found[1] else amount
    if size < before:
        raise PveError("shrinking disks is not supported")

    async def work(task: Task) -> None:
        await task.pause(_RESIZE_SECONDS)
        await task.may_write(guest.file(task.node))
        for volume in _volume(call, volid):
            volume.size = math.ceil(size / EXTENT) * EXTENT
        if volid in call.cluster.files:
            call.cluster.write_file(volid, size)
        parts = [part for part in str(guest.config[call["disk"]]).split(",") if not part.startswith("size=")]
        guest.config[call["disk"]] = ",".join([*parts, f"size={_short(size)}"])
        call.cluster.world.record(call.node, "guest.resize", str(guest.vmid), disk=call["disk"], size=size)

    return call.cluster.tasks.begin(call.node, "resize", str(guest.vmid), call.identity, work).upid


@routes.on(f"POST {_QEMU}/move_disk")
async def move(call: Call) -> str:
    """Copy a disk to another storage, live too; the old volume stays as unused unless it is to be deleted."""
    guest = guest_of(call)
    volid = _disk_of(call, guest)
    target = call.get("storage")
    if target is None:
        raise rejected(storage="property is missing and it is not optional")
    storage = call.cluster.usable_storage(target, call.node)
    call.require(f"/storage/{target}", "Datastore.AllocateSpace")
    if target == volid.partition(":")[0]:
        raise rejected(storage="you can't move to the same storage with same format")

    async def work(task: Task) -> None:
        async with guest.flock:
            new = allocate(call, guest, storage, call.cluster.volume_size(call.node, volid))
            try:
                task.log(f"create full clone of drive {call['disk']} ({volid})")
                await task.pause(_MOVE_SECONDS)
                await task.may_write(guest.file(task.node))
            except (PveError, asyncio.CancelledError):
                release(call, new)
                raise
            left = detached(call, guest, call["disk"], force=bool(call.get("delete")))
            rest = str(guest.config[call["disk"]]).partition(",")[2]
            guest.config |= {call["disk"]: ",".join(filter(None, (new, rest))), **left}
            call.cluster.world.record(call.node, "guest.move_disk", str(guest.vmid), disk=call["disk"], storage=target)

    return call.cluster.tasks.begin(call.node, "qmmove", str(guest.vmid), call.identity, work).upid
