"""Who does I/O through an array: enough to tell a working path from a dead one, and no benchmark.

A node does I/O on the logical volumes that it holds open, through optimized paths while it has any.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.purity.filters import Item
from lab.purity.models import Array
from lab.purity.rules.hosts import Host, members
from lab.purity.rules.mirror import COPY_RATE
from lab.purity.views import arrays as views
from lab.purity.views import equipment
from lab.purity.views import hosts as hostviews

# Operations a second for each logical volume in use: an idle guest's.
READS, WRITES, BLOCK = 40, 60, 4096
# How long an operation takes, microseconds: in the array, on the network, and waiting for its turn.
_USEC = {"read": (250, 35, 1), "write": (180, 78, 2), "mirrored_write": (1400, 33, 3)}
# What rows of pods and of the array have beside the others': operations that neither read nor write.
_OTHERS = {"others_per_sec": 0, "usec_per_other_op": 0}


@dataclass(frozen=True)
class Load:
    """Logical volumes in use: on stretched volumes, whose writes count as mirrored, and on others."""

    mirrored: int = 0
    plain: int = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(self.mirrored + other.mirrored, self.plain + other.plain)

    def counters(self, array: Array) -> Item:
        """The sample of now: the fields of all performance rows; times and sizes are means, 0 where nothing was done.

        Names and nulls are those of a captured array: the cache's share is null.
        """
        rates = {
            "read": READS * (self.mirrored + self.plain),
            "write": WRITES * self.plain,
            "mirrored_write": WRITES * self.mirrored,
        }
        found: Item = {}
        for kind, rate in rates.items():
            found |= {f"{kind}s_per_sec": rate, f"{kind}_bytes_per_sec": rate * BLOCK}
            found |= {f"bytes_per_{kind}": BLOCK if rate else 0, **_times(kind, bool(rate))}
        busy = any(rates.values())
        return found | {
            "bytes_per_op": BLOCK if busy else 0,
            "service_usec_per_read_op_cache_reduction": None,
            "time": views.now(array),
        }


def _times(kind: str, busy: bool) -> Item:
    """Microseconds per operation: served, transferred, queued and held back by limits, which nobody has set here."""
    served, transferred, queued = _USEC[kind] if busy else (0, 0, 0)
    return {
        f"usec_per_{kind}_op": served,
        f"service_usec_per_{kind}_op": served,
        f"san_usec_per_{kind}_op": transferred,
        f"queue_usec_per_{kind}_op": queued,
        f"qos_rate_limit_usec_per_{kind}_op": 0,
    }


def _loads(array: Array, host: Host) -> dict[str, Load]:
    """The load a host puts on this array, by serial."""
    # one initiator of each node stands for it: a node uses its logical volumes once, however many HBAs it has
    known = {node.name: (node, who) for node, who, _ in hostviews.all_logins(array) if host.known_by(who)}
    loads: dict[str, Load] = {}
    for node, who in known.values():
        elsewhere = {way.array for way in node.sessions} - {array.name}
        better = {lun.serial for name in elsewhere for lun in array.fleet[name].luns_of(who) if lun.optimized}
        for lun in array.luns_of(who):
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


def _load_of(array: Array, some: Iterable[Host]) -> Load:
    return sum((load for host in some for load in _loads(array, host).values()), Load())


def hosts(array: Array) -> list[Item]:
    """A row a host, and the peer's hosts as the peer counts them."""
    return [row for row, _ in _host_rows(array)]


def hosts_by_array(array: Array) -> list[Item]:
    """The same rows, each with the array that carries it."""
    return [row | {"array": views.ref(owner)} for row, owner in _host_rows(array)]


def _host_rows(array: Array) -> list[tuple[Item, Array]]:
    return [
        ({"name": prefix + host.name} | _load_of(owner, [host]).counters(array), owner)
        for owner, prefix in hostviews.owners(array)
        for host in owner.hosts
    ]


def balance(array: Array) -> list[Item]:
    """A row for each path of a host; one row of nulls for a host that is logged out."""
    rows = []
    nobody: Item = {"iqn": None, "nqn": None, "portal": None, "wwn": None}
    for host in array.hosts:
        load = _load_of(array, [host])
        total = READS * (load.mirrored + load.plain) + WRITES * (load.mirrored + load.plain)
        paths = hostviews.logins(array, host)
        common = {"name": host.name, "time": views.now(array)}
        for who, portal in paths:
            target = equipment.target(array, portal) | {"failover": None}
            counts = {"op_count": total // len(paths), "fraction_relative_to_max": 1.0 if total else 0.0}
            rows.append({**common, **counts, "initiator": equipment.initiator(array, who), "target": target})
        if not paths:
            none = {"op_count": None, "fraction_relative_to_max": None}
            rows.append({**common, **none, "initiator": nobody, "target": {**nobody, "name": None, "failover": None}})
    return rows


def pods(array: Array) -> list[Item]:
    """A row a pod."""
    return [
        {"id": pod.id, "name": pod.name}
        | _sum(array, [volume.serial for volume in pod.volumes]).counters(array)
        | _OTHERS
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


def volumes_by_array(array: Array) -> list[Item]:
    """The same rows, each with the array."""
    return [row | {"array": views.ref(array)} for row in volumes(array)]


def groups(array: Array) -> list[Item]:
    """A row a host group: the sum of its hosts."""
    return [row for row, _ in _group_rows(array)]


def groups_by_array(array: Array) -> list[Item]:
    """The same rows, each with the array that carries it."""
    return [row | {"array": views.ref(owner)} for row, owner in _group_rows(array)]


def _group_rows(array: Array) -> list[tuple[Item, Array]]:
    return [
        ({"name": prefix + group.name} | _load_of(owner, members(owner, group)).counters(array), owner)
        for owner, prefix in hostviews.owners(array)
        for group in owner.groups
    ]


def arrays(array: Array) -> list[Item]:
    """The array's totals; the depth of its queue is no longer told."""
    totals = _sum(array).counters(array) | _OTHERS
    return [views.ref(array) | totals | {"queue_depth": None, "local_queue_usec_per_op": 0}]


def replication(array: Array) -> list[Item]:
    """Bytes that a pod's copy and its mirrored writes move between the arrays."""
    rows = []
    for pod in array.pods:
        states = {member.array: pod.state(array.fleet[member.array]).status for member in pod.members}
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


def replication_by_array(array: Array) -> list[Item]:
    """The same rows, each with the array."""
    return [row | {"array": views.ref(array)} for row in replication(array)]


def _directions(out: int, into: int) -> Item:
    return {"to_remote_bytes_per_sec": out, "from_remote_bytes_per_sec": into, "total_bytes_per_sec": out + into}
