"""The world as it is after the deployment: a stretched pod, paths, votes, shared LVM and guests under HA.

For rehearsals and tests that begin where `DeployStretchedCluster` ends. Everything is made by the calls that a client
would make, so that nothing here can be that the arrays would have refused.
"""

from typing import TYPE_CHECKING, Any

from cluster.inventory import Inventory, Pod
from cluster.nouns import KEPT_TO_SITES
from cluster.transports import HOST_FIELDS, initiators
from lab.physics import nvme
from lab.physics.disks import EXTENT, LogicalVolume, VolumeGroup
from lab.physics.initiator import DEFAULT, NodeRecord, Way
from lab.purity import responses
from lab.purity.queries import Query
from lab.purity.responses import Call, Write
from lab.pve.models import GIB
from lab.pve.work.guest import Guest, Kind

if TYPE_CHECKING:
    from lab.world import World

GUEST_DISK = 8 * GIB
# A pod without data is stretched in a few seconds; longer than this it never takes.
STRETCHED_WITHIN = 60.0


async def build(world: "World") -> None:
    """Build the inventory's cluster; takes the few lab seconds of a stretch."""
    inventory = world.inventory
    for pod in inventory.all_pods:
        await _make(world, pod)
    for array in inventory.arrays:
        _present(world, array.name, array.host_group)
    serials = [_serial(world, disk) for disk in inventory.disks]
    _log_in(world, serials)
    if inventory.witness:
        world.membership.set_up_device(settled=True)
        world.corosync.config_version += 1
    for serial, one in zip(serials, inventory.disks, strict=True):
        disk, storage = world.disks[serial], one.storage
        disk.signature, disk.vg = "LVM2_member", VolumeGroup(storage.vg, (disk.size - EXTENT) // EXTENT * EXTENT)
        kept = {"nodes": ",".join(node.name for node in inventory.site_nodes)} if inventory.third else {}
        definition = {"vgname": storage.vg, "shared": 1, "content": "images,rootdir"}
        world.cluster.add_storage(storage.id, "lvm", {**definition, **kept})
    for guest in inventory.guests:
        add_guest(world, guest.vmid, guest.node, name=guest.name, storage=inventory.storage_of(guest))
        properties = {"max_restart": inventory.ha.max_restart, "max_relocate": inventory.ha.max_relocate}
        world.cluster.ha.resources[f"vm:{guest.vmid}"] = {
            "state": "started", "failback": int(inventory.ha.failback), **properties,
        }  # fmt: skip
    if inventory.third and inventory.guests:
        world.cluster.ha.rules[KEPT_TO_SITES] = {
            "type": "node-affinity", "strict": 1, "nodes": ",".join(sorted(node.name for node in inventory.site_nodes)),
            "resources": ",".join(sorted(f"vm:{guest.vmid}" for guest in inventory.guests)),
        }  # fmt: skip
    world.record("lab", "built", inventory.name)


def add_guest(
    world: "World",
    vmid: int,
    node: str,
    kind: Kind = "qemu",
    *,
    name: str = "",
    running: bool = True,
    memory: int = 1024,
    ha: str | None = None,
    storage: str = "",
) -> Guest:
    """A guest with its disk on the volume group of `storage`, the first where none is named; `memory` in MiB.

    With `ha` it is a service of HA's, whose requested state that is: ``started``, ``stopped``, ``ignored``; without it
    nothing looks after the guest.
    """
    inventory = world.inventory
    on = next(one for one in inventory.all_storages if storage in ("", one.id))
    group = world.volume_group(node, on.vg)
    if group is None:
        raise LookupError(f"{node} does not see {on.vg}")
    volume = f"vm-{vmid}-disk-0"
    there = {node} if running else set[str]()
    group.lvs[volume] = LogicalVolume(
        volume, GUEST_DISK, active_on=set(there), open_on=set(there), created=world.clock.now()
    )
    disk = f"{on.id}:{volume},size=8G"
    config = _machine(name or f"vm-{vmid}", disk) if kind == "qemu" else _container(name or f"ct-{vmid}", disk)
    config["memory"] = str(memory) if kind == "qemu" else memory
    since, pid = (world.clock.now(), 40_000 + vmid) if running else (0.0, 0)
    guest = Guest(vmid, node, config, running=running, since=since, pid=pid, kind=kind)
    world.cluster.guests[vmid] = guest
    if ha is not None:
        world.cluster.ha.resources[guest.sid] = {"state": ha}
    return guest


def _machine(name: str, disk: str) -> dict[str, Any]:
    return {"name": name, "cores": 1, "agent": "1", "scsihw": "virtio-scsi-single", "scsi0": disk}


def _container(name: str, disk: str) -> dict[str, Any]:
    return {
        "hostname": name, "cores": 1, "swap": 512, "arch": "amd64", "ostype": "debian", "unprivileged": 1,
        "rootfs": disk,
    }  # fmt: skip


async def _make(world: "World", pod: Pod) -> None:
    """The pod with its volumes, stretched."""
    wishes = {"failover_preferences": [{"name": pod.failover_preference}]} if pod.failover_preference else {}
    _call(world, pod.first, responses.post_pods, wishes, names=pod.name)
    for volume in pod.volumes:
        _call(world, pod.first, responses.post_volumes, {"provisioned": volume.size}, names=pod.full(volume))
    other = world.inventory.peer(pod.first).name
    _call(world, pod.first, responses.post_pod_members, pod_names=pod.name, member_names=other)
    await _stretched(world, pod)


def _serial(world: "World", disk: Inventory) -> str:
    there = world.arrays[disk.pod.first].all_volumes()
    return next(volume.serial for volume in there if volume.full_name == disk.volume_name)


async def _stretched(world: "World", wanted: Pod) -> None:
    name, until = wanted.name, world.clock.now() + STRETCHED_WITHIN
    pod = next(pod for pod in world.arrays[wanted.first].pods if pod.name == name)
    while not all(pod.state(array).status == "online" for array in world.arrays.values()):
        if world.clock.now() > until:
            raise TimeoutError(f"pod {name} was not online on both arrays after {STRETCHED_WITHIN:.0f} lab seconds")
        await world.clock.sleep(0.5)


def _present(world: "World", array: str, group: str) -> None:
    """Hosts with their preferred arrays, their group, and the volume's connection."""
    inventory = world.inventory
    _call(world, array, responses.post_host_groups, names=group)
    for node in inventory.site_nodes:
        known = list(initiators(node, inventory.transport))
        preferred = [{"name": inventory.site_of(node.name).array}]
        body = {HOST_FIELDS[inventory.transport]: known, "preferred_arrays": preferred}
        _call(world, array, responses.post_hosts, body, names=node.name)
        _call(world, array, responses.post_memberships, group_names=group, member_names=node.name)
    for disk in inventory.disks:
        shown = {"lun": lun} if (lun := disk.lun(array)) else {}
        names = {"host_group_names": group, "volume_names": disk.volume_name}
        _call(world, array, responses.post_connections, shown, **names)


def _log_in(world: "World", serials: list[str]) -> None:
    """Every node to every portal, automatically from now on."""
    hosts = [world.nodes[node.name] for node in world.inventory.site_nodes]
    for host in hosts if nvme.used(world) else ():
        host.disabled.discard(nvme.UNIT)
        ways = [Way(array.name, portal) for array in world.arrays.values() for portal in array.portals]
        for way in ways:
            host.files[nvme.DISCOVERY] += nvme.line(way)
            nvme.connect(world, host, way, patience=-1)
    for host in hosts if not nvme.used(world) else ():
        host.wwids |= {world.disks[serial].wwid for serial in serials}
        for way in host.sessions:  # of HBAs, which log in by themselves
            world.scan(host.name, way)
        if host.hbas:
            continue
        for array in world.arrays.values():
            for portal in array.portals:
                for iface in host.ifaces or (DEFAULT,):
                    way = Way(array.name, portal, iface)
                    host.records[way] = NodeRecord("automatic")
                    host.sessions[way] = len(host.sessions) + 1
                    world.scan(host.name, way)


def _call(world: "World", array: str, write: Write, body: dict[str, Any] | None = None, **query: str) -> None:
    write(Call(world.arrays[array], Query(query), body or {}))
