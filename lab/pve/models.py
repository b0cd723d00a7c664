"""The cluster's state: what lies in /etc/pve and what runs on the nodes.

Volume groups, power and votes are the world's; this module only says how Proxmox VE sees them.
Everything that takes time belongs to one `Cluster` and ends with it: after `world.reset()` an old cluster does nothing.
"""

import asyncio
import functools
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from lab.pve.errors import PveError, no_quorum
from lab.pve.etc.access import Access, Privileges, Token, User
from lab.pve.etc.pmxcfs import Pmxcfs
from lab.pve.ha.stack import Ha
from lab.pve.notices.notify import Notifications, announce
from lab.pve.work.broadcasts import Broadcasts
from lab.pve.work.guest import Guest, Kind, file_of
from lab.pve.work.tasks import Tasks

if TYPE_CHECKING:
    from lab.physics.disks import LogicalVolume
    from lab.physics.world import World

__all__ = ["Cluster", "Guest", "Storage"]

GIB = 2**30
# The guest that the lab clones from, as it is before the deployment.
TEMPLATE_VMID = 101
TEMPLATE_STORAGE = "base-nfs"
TEMPLATE_DISK = 8 * GIB
# Sizes of the storages that the twin does not model: an NFS export of 1 TiB and a node's root disk.
_CAPACITY = {"nfs": 1024 * GIB, "dir": 100861726720}
_ROOT_USED = 12641939456

# How long a configuration lock is tried for without quorum, lab seconds (reference: proxmox-api §7).
LOCK_LIMIT = 10


@dataclass
class Storage:
    """One section of storage.cfg."""

    id: str
    type: str
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        """One and the same storage on all nodes; NFS is so by nature."""
        return bool(self.properties.get("shared")) or self.type in ("nfs", "cifs", "cephfs", "rbd", "pbs")

    @property
    def enabled(self) -> bool:
        """Not switched off in its definition."""
        return not self.properties.get("disable")

    @property
    def vg(self) -> str:
        """The volume group of LVM."""
        return str(self.properties.get("vgname", ""))

    def serves(self, node: str) -> bool:
        """True when its `nodes` list, if any, names the node."""
        nodes = self.properties.get("nodes")
        return not nodes or node in str(nodes).split(",")

    def definition(self) -> dict[str, Any]:
        """The section as the API lists it."""
        return {"storage": self.id, "type": self.type, **self.properties}


class Cluster:
    """One Proxmox VE cluster: storage.cfg, guests, tasks, HA, tokens and the datacenter's options."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.access = Access()
        self.options: dict[str, Any] = {"keyboard": "en-us"}
        self.jobs: dict[str, dict[str, Any]] = {}  # backup jobs of jobs.cfg, by id
        first = next(iter(world.nodes))
        self.storages = {
            "local": Storage("local", "dir", {"content": "iso,vztmpl,backup", "path": "/var/lib/vz"}),
            TEMPLATE_STORAGE: Storage(
                TEMPLATE_STORAGE,
                "nfs",
                {
                    "content": "images",
                    "server": "nfs.lab",
                    "export": "/base",
                    "path": f"/mnt/pve/{TEMPLATE_STORAGE}",
                    "shared": 1,
                },
            ),
        }
        disk = f"{TEMPLATE_STORAGE}:{TEMPLATE_VMID}/vm-{TEMPLATE_VMID}-disk-0.raw"
        self.files: dict[str, int] = {}  # volumes on storages that are not LVM, with their sizes
        self.changed: dict[str, float] = {}  # lab time of the last change of such a volume
        self.write_file(disk, TEMPLATE_DISK)
        self.guests = {TEMPLATE_VMID: Guest(TEMPLATE_VMID, first, _template_config(disk))}
        self.tasks = Tasks(self)
        self.ha = Ha(self)
        self.notifications = Notifications()
        self.ha.announce = functools.partial(announce, self)
        self.pmxcfs = Pmxcfs(self)
        self.broadcasts = Broadcasts(self)
        self._background: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the HA daemons of all nodes."""
        self.ha.start()

    async def stop(self) -> None:
        """End everything that is under way and wait until it has ended."""
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def shared(self) -> list[object]:
        """Logins and tasks, which a read may change."""
        return [self.access, self.tasks]

    def loses_power(self, node: str) -> None:
        """A node is about to be gone: nobody has heard it say so."""
        self.broadcasts.loses_power(node)

    def node_died(self, node: str) -> None:
        """What ran on a node without power runs no more; the cluster goes on showing it for some minutes."""
        for guest in self.guests.values():
            guest.ends_on(node)
        self.tasks.node_died(node)
        self.ha.node_died(node)
        self.pmxcfs.cut_off(node)

    def qmp_status(self, guest: Guest, node: str | None = None) -> str:
        """What QEMU itself says on a node, its own when none is named.

        A machine whose disks are gone is paused with an error, and goes on being `running` for its process is there.
        A container only runs or does not.
        """
        at = node or guest.node
        if at not in guest.runs_on:
            return "stopped"
        if guest.kind == "lxc":
            return "running"
        lost = None in self.logical_volumes(guest, at).values()
        return guest.qmp or ("io-error" if lost else "running")

    def node_booted(self, node: str) -> None:
        """A node's daemons run again; what its file system knows of locks begins now."""
        self.ha.locks.joined(node)

    def read_by(self, node: str) -> "Cluster":
        """The cluster as a node reads it: with its own copy of /etc/pve while it is cut off, and live otherwise.

        For reads alone. What is done is done to the live one, or refused for the lack of a quorum.
        """
        files = self.pmxcfs.files(node)
        return self if files is None else files.of(self)

    def seen_by(self, node: str) -> list[Guest]:
        """The guests whose files lie under that node, as the node itself has them."""
        return [guest for guest in self.guests.values() if self.pmxcfs.place(guest.vmid, node) == node]

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something in the background for as long as this cluster exists."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def sleep(self, lab_seconds: float) -> None:
        """Let lab time pass; whoever wakes up in a world that was reset meanwhile ends here."""
        await self.world.clock.sleep(lab_seconds)
        if self.world.cluster is not self:
            raise asyncio.CancelledError

    @property
    def tokens(self) -> dict[str, Token]:
        """The API tokens by ``user@realm!name``."""
        return self.access.tokens

    @property
    def users(self) -> dict[str, User]:
        """The users by ``user@realm``, with their passwords."""
        return self.access.users

    def add_token(self, token_id: str, secret: str, privileges: Privileges) -> None:
        """Grant a token (path -> privilege -> propagate); its user is made with the same rights when missing."""
        self.access.add_token(token_id, secret, privileges)

    def drop_privilege(self, token_id: str, privilege: str, path: str | None = None) -> None:
        """Take one privilege from a token, on one granted path or on all."""
        self.access.drop_privilege(token_id, privilege, path)

    def add_privilege(self, token_id: str, privilege: str, path: str) -> None:
        """Give a token and its user one privilege more on a path."""
        self.access.add_privilege(token_id, privilege, path)

    def require_quorum(self, node: str) -> None:
        """What checks quorum first answers at once."""
        if not self.world.votes(node).quorate:
            raise no_quorum()

    async def config_lock(self, node: str, lock: str, doing: str = "") -> None:
        """Take a cluster-wide configuration lock; without quorum it is tried in vain for ten seconds."""
        if not self.world.votes(node).quorate:
            await self.sleep(LOCK_LIMIT)
            prefix = f"{doing}: " if doing else ""
            raise PveError(f"{prefix}cfs-lock '{lock}' error: no quorum!")

    def storage(self, storage_id: str) -> Storage:
        """The storage of that id."""
        if storage_id not in self.storages:
            raise PveError(f"storage '{storage_id}' does not exist")
        return self.storages[storage_id]

    def usable_storage(self, storage_id: str, node: str) -> Storage:
        """The storage, if it may be used on that node."""
        storage = self.storage(storage_id)
        if not storage.enabled:
            raise PveError(f"storage '{storage_id}' is disabled")
        if not storage.serves(node):
            raise PveError(f"storage '{storage_id}' is not available on node '{node}'")
        return storage

    def add_storage(self, storage_id: str, kind: str, properties: dict[str, Any]) -> Storage:
        """Define a storage. A missing volume group is no error: the nodes will just not be active."""
        if storage_id in self.storages:
            raise PveError(f"create storage failed: storage ID '{storage_id}' already defined")
        if kind == "lvm" and not properties.get("vgname"):
            raise PveError("create storage failed: missing value for required option 'vgname'")
        storage = self.storages[storage_id] = Storage(storage_id, kind, {"content": "images", **properties})
        self.world.record("pve", "storage.create", storage_id, type=kind, **storage.properties)
        return storage

    def write_file(self, volid: str, size: int) -> None:
        """A volume on a storage that is not LVM has that size from now on."""
        self.files[volid], self.changed[volid] = size, self.world.clock.now()

    def storage_status(self, node: str, storage_id: str) -> dict[str, Any]:
        """A storage as one node sees it; bytes. `active` on LVM means that this node's vgs lists the group."""
        storage = self.storage(storage_id)
        total, used = self._usage(node, storage) if storage.enabled else (0, 0)
        status: dict[str, Any] = {
            "storage": storage_id,
            "type": storage.type,
            "content": storage.properties.get("content", "images"),
            "shared": int(storage.shared),
            "enabled": int(storage.enabled),
            "active": int(total > 0),
            "total": total,
            "used": used,
            "avail": total - used,
        }
        return {**status, "used_fraction": used / total} if total else status

    def _usage(self, node: str, storage: Storage) -> tuple[int, int]:
        if storage.type == "lvm":
            group = self.world.volume_group(node, storage.vg)
            return (group.size, group.size - group.free) if group else (0, 0)
        held = sum(size for volid, size in self.files.items() if volid.startswith(f"{storage.id}:"))
        return _CAPACITY.get(storage.type, 0), held + (_ROOT_USED if storage.type == "dir" else 0)

    def guest_on(self, node: str, vmid: int, kind: Kind = "qemu") -> Guest:
        """The guest of that kind whose configuration file lies on that node."""
        guest = self.guests.get(vmid)
        if guest is None or guest.kind != kind or self.pmxcfs.place(vmid, node) != node:
            raise PveError(f"Configuration file '{file_of(kind, node, vmid)}' does not exist")
        return guest

    def logical_volumes(self, guest: Guest, node: str) -> "dict[str, LogicalVolume | None]":
        """The guest's volumes on LVM by their device paths, as that node sees them; None when it does not."""
        found: dict[str, LogicalVolume | None] = {}
        for volid in guest.disks.values():
            storage_id, _, name = volid.partition(":")
            storage = self.storages.get(storage_id)
            if storage is not None and storage.type == "lvm":
                group = self.world.volume_group(node, storage.vg)
                found[f"/dev/{storage.vg}/{name}"] = group.lvs.get(name) if group else None
        return found

    def volumes_of(self, guest: Guest) -> "list[LogicalVolume]":
        """The guest's volumes on LVM, whoever sees them now: what a process held open is closed when it ends."""
        found = []
        for volid in guest.disks.values():
            storage_id, _, name = volid.partition(":")
            storage = self.storages.get(storage_id)
            if storage is not None and storage.type == "lvm":
                groups = (disk.vg for disk in self.world.disks.values() if disk.vg and disk.vg.name == storage.vg)
                found += [group.lvs[name] for group in groups if name in group.lvs]
        return found

    def volume_size(self, node: str, volid: str) -> int:
        """Bytes of one volume; 0 when that node cannot see it."""
        storage_id, _, name = volid.partition(":")
        storage = self.storages.get(storage_id)
        if storage is None or storage.type != "lvm":
            return self.files.get(volid, 0)
        group = self.world.volume_group(node, storage.vg)
        return group.lvs[name].size if group and name in group.lvs else 0


def _template_config(disk: str) -> dict[str, Any]:
    return {
        "name": "debian-base",
        "cores": 4,
        "memory": "8192",
        "sockets": 1,
        "cpu": "x86-64-v2-AES",
        "ostype": "l26",
        "agent": "1",
        "boot": "order=scsi0",
        "scsihw": "virtio-scsi-single",
        "scsi0": f"{disk},iothread=1,size=8G",
        "net0": "virtio=BC:24:11:0A:00:65,bridge=vmbr0",
        "vmgenid": "4d2f1a52-0f0f-4a2e-9b1b-0a6d3e7c1101",
        "smbios1": "uuid=6b7f0f6e-2c1e-4d0a-8a35-5f6a2c1d0101",
    }


def cluster_of(world: "World") -> Cluster:
    """The cluster that stands on that world."""
    return cast("Cluster", world.cluster)
