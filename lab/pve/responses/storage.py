"""Storage: definitions for the whole cluster, and what each node says of them."""

import hashlib
import json
import re
from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError, rejected
from lab.pve.models import Storage

routes = Routes()

_AUDIT = ("Datastore.Audit", "Datastore.AllocateSpace")
# What an LVM section may hold, and which of it may not change (source: PVE::Storage::LVMPlugin).
_LVM = {
    "vgname", "shared", "content", "nodes", "disable", "base", "saferemove", "saferemove_throughput",
    "tagged_only", "bwlimit", "snapshot-as-volume-chain",
}  # fmt: skip
_FIXED = ("vgname", "base", "type")
_LVM_CONTENT = ("images", "rootdir", "none")


@routes.on("GET /storage")
async def definitions(call: Call) -> list[dict[str, Any]]:
    """The definitions that the caller may see."""
    digest = _digest(call)
    return [
        {**storage.definition(), "digest": digest}
        for storage in call.cluster.storages.values()
        if call.get("type") in (None, storage.type) and call.may(f"/storage/{storage.id}", *_AUDIT)
    ]


@routes.on("GET /storage/{storage}")
async def definition(call: Call) -> dict[str, Any]:
    """One definition."""
    return {**call.cluster.storage(call["storage"]).definition(), "digest": _digest(call)}


@routes.on("POST /storage")
async def create(call: Call) -> dict[str, Any]:
    """Define a storage; it succeeds even where the volume group is missing."""
    properties = {k: v for k, v in call.parameters.items() if k not in ("storage", "type")}
    await call.cluster.config_lock(call.node, "file-storage_cfg", "create storage failed")
    _check(call["type"], properties, "create storage failed: ")
    storage = call.cluster.add_storage(call["storage"], call["type"], properties)
    return {"storage": storage.id, "type": storage.type}


@routes.on("PUT /storage/{storage}")
async def update(call: Call) -> dict[str, Any]:
    """Change a definition; the volume group is fixed."""
    await call.cluster.config_lock(call.node, "file-storage_cfg", "update storage failed")
    storage = call.cluster.storage(call["storage"])
    if call.get("digest") not in (None, _digest(call)):
        raise PveError(
            "update storage failed: detected modified configuration - file changed by other user? Try again."
        )
    changes = {k: v for k, v in call.parameters.items() if k not in ("storage", "digest", "delete")}
    for name in _FIXED:
        if name in changes:
            raise PveError(f"update storage failed: can't change value of fixed parameter '{name}'")
    _check(storage.type, changes, "update storage failed: ")
    deleted = re.split(r"[,; ]+", call.get("delete", ""))
    storage.properties |= changes
    for name in filter(None, deleted):
        storage.properties.pop(name, None)
    call.cluster.world.record("pve", "storage.update", storage.id, **changes, **dict.fromkeys(filter(None, deleted)))
    return {"storage": storage.id, "type": storage.type}


@routes.on("DELETE /storage/{storage}")
async def delete(call: Call) -> None:
    """Forget the definition; the data stays."""
    await call.cluster.config_lock(call.node, "file-storage_cfg", "delete storage failed")
    storage = call.cluster.storage(call["storage"])
    del call.cluster.storages[storage.id]
    call.cluster.world.record("pve", "storage.delete", storage.id)


@routes.on("GET /nodes/{node}/storage")
async def on_node(call: Call) -> list[dict[str, Any]]:
    """Every storage that serves this node, with what the node sees of it."""
    wanted = call.get("storage")
    if wanted is not None and wanted not in call.cluster.storages:
        raise rejected(storage="No such storage.")
    contents = set(re.split(r"[,; ]+", call.get("content", ""))) - {""}
    return [
        call.cluster.storage_status(call.node, storage.id)
        for storage in call.cluster.storages.values()
        if wanted in (None, storage.id)
        and storage.serves(call.node)
        and (storage.enabled or not call.get("enabled"))
        and (not contents or contents & set(storage.properties["content"].split(",")))
        and (call.get("target") is None or (storage.shared and storage.serves(call["target"])))
        and call.may(f"/storage/{storage.id}", *_AUDIT)
    ]


@routes.on("GET /nodes/{node}/storage/{storage}/status")
async def status(call: Call) -> dict[str, Any]:
    """One storage as this node sees it; without the id, which the caller has named."""
    found = call.cluster.storage_status(call.node, call["storage"])
    return {key: value for key, value in found.items() if key not in ("storage", "used_fraction")}


@routes.on("GET /nodes/{node}/storage/{storage}/content")
async def content(call: Call) -> list[dict[str, Any]]:
    """The volumes that lie on it."""
    storage = call.cluster.usable_storage(call["storage"], call.node)
    found = [
        {
            "volid": volid,
            "vmid": vmid,
            "format": "raw",
            "content": _content_of(call, vmid),
            "size": size,
            "ctime": int(since),
        }
        for volid, vmid, size, since in _volumes(call, storage)
    ]
    wanted = {name: call.get(name) for name in ("content", "vmid") if call.get(name) is not None}
    return [entry for entry in found if wanted.items() <= entry.items()]


def _content_of(call: Call, vmid: int) -> str:
    """Disks of a container are ``rootdir``, everything else is ``images``."""
    owner = call.cluster.guests.get(vmid)
    return "rootdir" if owner is not None and owner.kind == "lxc" else "images"


def _volumes(call: Call, storage: Storage) -> list[tuple[str, int, int, float]]:
    """Volume, owner, bytes, and when it was made; of a file when it was changed."""
    cluster = call.cluster
    if storage.type == "lvm":
        group = cluster.world.volume_group(call.node, storage.vg)
        found = {f"{storage.id}:{name}": (lv.size, lv.created) for name, lv in group.lvs.items()} if group else {}
    else:
        here = (volid for volid in cluster.files if volid.startswith(f"{storage.id}:"))
        found = {volid: (cluster.files[volid], cluster.changed[volid]) for volid in here}
    owned = ((re.search(r"vm-(\d+)-disk-", volid), volid, *found[volid]) for volid in sorted(found))
    return [(volid, int(owner[1]), size, since) for owner, volid, size, since in owned if owner]


@routes.on("GET /nodes/{node}/disks/lvm")
async def lvm_tree(call: Call) -> dict[str, Any]:
    """The volume groups that this node sees, each with its physical volume."""
    host = call.cluster.world.nodes[call.node]
    groups = [(disk, disk.vg) for disk in call.cluster.world.visible_disks(call.node) if disk.vg is not None]
    children = [
        {
            "name": group.name,
            "leaf": 0,
            "size": group.size,
            "free": group.free,
            "lvcount": len(group.lvs),
            "children": [
                {"name": f"/dev/mapper/{host.map_name(disk.wwid)}", "leaf": 1, "size": group.size, "free": group.free},
            ],
        }
        for disk, group in groups
    ]
    return {"leaf": 0, "children": children}


@routes.on("GET /nodes/{node}/scan/lvm")
async def scan_lvm(call: Call) -> list[dict[str, Any]]:
    """The names of the volume groups that this node sees."""
    groups = [disk.vg for disk in call.cluster.world.visible_disks(call.node) if disk.vg is not None]
    return [{"vg": name} for name in sorted({group.name for group in groups})]


def _check(kind: str, properties: dict[str, Any], prefix: str) -> None:
    """What LVM's own section allows; other types are taken as they come."""
    if kind != "lvm":
        return
    for name in properties:
        if name not in _LVM:
            raise rejected(**{name: f"unexpected property '{name}'"})
    for word in filter(None, re.split(r"[,; ]+", properties.get("content", ""))):
        if word not in _LVM_CONTENT:
            raise PveError(f"{prefix}storage does not support content type '{word}'")


def _digest(call: Call) -> str:
    text = json.dumps([storage.definition() for storage in call.cluster.storages.values()], sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
