"""Who does I/O through an array: enough to tell a working path from a dead one, and no benchmark.

A node does I/O on the logical volumes that it holds open, through optimized paths while it has any.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.purity import equipment, hostviews, views
from lab.purity.filters import Item
from lab.purity.hosts import Host
from lab.purity.mirror import COPY_RATE
from lab.purity.models import Array

# Operations a second for each logical volume in use: an idle guest's.
READS, WRITES, BLOCK = 40, 60, 4096


@dataclass(frozen=True)
class Load:
    """Logical volumes in use: on stretched volumes, whose writes count as mirrored, and on others."""

    mirrored: int = 0
    plain: int = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(self.mirrored + other.mirrored, self.plain + other.plain)

    def counters(self, array: Array) -> Item:
        """The sample of now."""
        reads = READS * (self.mirrored + self.plain)
        writes, mirrored = WRITES * self.plain, WRITES * self.mirrored
        return {
            "reads_per_sec": reads,
            "writes_per_sec": writes,
            "mirrored_writes_per_sec": mirrored,
            "others_per_sec": 0,
            "read_bytes_per_sec": reads * BLOCK,
            "write_bytes_per_sec": writes * BLOCK,
            "mirrored_write_bytes_per_sec": mirrored * BLOCK,
            "usec_per_read_op": 250 if reads else 0,
            "usec_per_write_op": 180 if writes else 0,
            "usec_per_mirrored_write_op": 1400 if mirrored else 0,
            "bytes_per_op": BLOCK if reads or writes or mirrored else 0,
            "time": views.now(array),
        }


def _loads(array: Array, host: Host) -> dict[str, Load]:
    """The load a host puts on this array, by serial."""
    iqns = {iqn for iqn, _ in hostviews.logins(array, host)}
    loads: dict[str, Load] = {}
    for node in (node for node in array.world.nodes.values() if node.iqn in iqns):
        elsewhere = {where for where, _ in node.sessions} - {array.name}
        better = {
            lun.serial for name in elsewhere for lun in array.world.arrays[name].luns_of(node.iqn) if lun.optimized
        }
        for lun in array.luns_of(node.iqn):
            if not lun.optimized and lun.serial in better:
                continue
            group = array.world.disks[lun.serial].vg
            count = sum(node.name in lv.open_on for lv in group.lvs.values()) if group else 0
            loads[lun.serial] = _load(array, lun.serial, count) + loads.get(lun.serial, Load())
    return loads


def _load(array: Array, serial: str, count: int) -> Load:
    stretched = any(volume.serial == serial for pod in array.pods if pod.stretched for volume in pod.volumes)
    return Load(mirrored=count) if stretched else Load(plain=count)


def _sum(array: Array, serials: Iterable[str] | None = None) -> Load:
    """The load of all hosts on some volumes, or on all."""
    chosen = None if serials is None else set(serials)
    total = Load()
    for host in array.hosts:
        for serial, load in _loads(array, host).items():
            if chosen is None or serial in chosen:
                total += load
    return total


def hosts(array: Array) -> list[Item]:
    """A row a host, and the peer's hosts as the peer counts them."""
    return [row for row, _ in _host_rows(array)]


def hosts_by_array(array: Array) -> list[Item]:
    """The same rows, each with the array that carries it."""
    return [row | {"array": views.ref(owner)} for row, owner in _host_rows(array)]


def _host_rows(array: Array) -> list[tuple[Item, Array]]:
    return [
        ({"name": prefix + host.name} | sum(_loads(owner, host).values(), Load()).counters(array), owner)
        for owner, prefix in hostviews.owners(array)
        for host in owner.hosts
    ]


def balance(array: Array) -> list[Item]:
    """A row for each path of a host; one row of nulls for a host that is logged out."""
    rows = []
    nobody: Item = {"iqn": None, "nqn": None, "portal": None, "wwn": None}
    for host in array.hosts:
        load = sum(_loads(array, host).values(), Load())
        total = READS * (load.mirrored + load.plain) + WRITES * (load.mirrored + load.plain)
        paths = hostviews.logins(array, host)
        common = {"name": host.name, "time": views.now(array)}
        for iqn, portal in paths:
            target = {**nobody, "name": equipment.port_name(array, portal), "iqn": array.target_iqn, "portal": portal}
            counts = {"op_count": total // len(paths), "fraction_relative_to_max": 1.0 if total else 0.0}
            rows.append({**common, **counts, "initiator": {**nobody, "iqn": iqn}, "target": target})
        if not paths:
            none = {"op_count": None, "fraction_relative_to_max": None}
            rows.append({**common, **none, "initiator": nobody, "target": {**nobody, "name": None}})
    return rows


def pods(array: Array) -> list[Item]:
    """A row a pod."""
    return [
        {"id": pod.id, "name": pod.name} | _sum(array, [volume.serial for volume in pod.volumes]).counters(array)
        for pod in array.pods
    ]


def pods_by_array(array: Array) -> list[Item]:
    """The same rows, each with the array."""
    return [row | {"array": views.ref(array)} for row in pods(array)]


def volumes(array: Array) -> list[Item]:
    """A row a volume."""
    return [
        {"id": volume.id, "name": volume.full_name} | _sum(array, [volume.serial]).counters(array)
        for volume in array.all_volumes()
    ]


def arrays(array: Array) -> list[Item]:
    """The array's totals."""
    return [views.ref(array) | _sum(array).counters(array) | {"queue_depth": 0, "local_queue_usec_per_op": 0}]


def replication(array: Array) -> list[Item]:
    """Bytes that a pod's copy and its mirrored writes move between the arrays."""
    rows = []
    for pod in array.pods:
        states = {member.array: pod.state(array.world.arrays[member.array]).status for member in pod.members}
        sync = _sum(array, [volume.serial for volume in pod.volumes]).counters(array)["mirrored_write_bytes_per_sec"]
        out = COPY_RATE if states.get(array.peer.name) == "resyncing" else 0
        into = COPY_RATE if states.get(array.name) == "resyncing" else 0
        rows.append(
            {
                "pod": {"id": pod.id, "name": pod.name},
                "sync_bytes_per_sec": _directions(sync, 0),
                "resync_bytes_per_sec": _directions(out, into),
                "continuous_bytes_per_sec": _directions(0, 0),
                "periodic_bytes_per_sec": _directions(0, 0),
                "total_bytes_per_sec": sync + out + into,
                "time": views.now(array),
            }
        )
    return rows


def _directions(out: int, into: int) -> Item:
    return {"to_remote_bytes_per_sec": out, "from_remote_bytes_per_sec": into, "total_bytes_per_sec": out + into}
