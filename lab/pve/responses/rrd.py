"""The history that `rrddata` tells: rows of one resolution, of the node that is asked and of what it heard.

Nothing is sampled: when a node had power and where a guest ran is read from the world's log of changes, sizes and load
are those of now. Each node writes its own files, so that one that was without power has gaps, of others as well
(source: pmxcfs, status.c; PVE::RRD).
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError
from lab.pve.responses.cluster import NODE_DISK, NODE_DISK_USED, NODE_LOAD, NODE_MEMORY, NODE_MEMORY_USED
from lab.pve.views.guests import NODE_CPUS, vmstatus

if TYPE_CHECKING:
    from lab.physics.world import World
    from lab.pve.work.guest import Guest

routes = Routes()

# Seconds between two rows, and how many rows there are (source: PVE::RRD, since 9.0).
_FRAMES = {
    "hour": (60, 60), "day": (60, 1440), "week": (1800, 336), "month": (1800, 1440), "year": (21600, 1440),
    "decade": (604800, 570),
}  # fmt: skip
_PRESSURES = ("pressureiosome", "pressureiofull", "pressurememorysome", "pressurememoryfull")
# Bytes per second of a guest that runs and does little; the twin plays no load.
_RATES = {"netin": 120.5, "netout": 64.25, "diskread": 0.0, "diskwrite": 2048.0}


@routes.on("GET /nodes/{node}/rrddata")
async def of_node(call: Call) -> list[dict[str, Any]]:
    """The node's own load and sizes."""
    own = {
        "loadavg": 0.4, "maxcpu": NODE_CPUS, "cpu": NODE_LOAD, "iowait": 0.0, "memtotal": NODE_MEMORY,
        "memused": NODE_MEMORY_USED, "memavailable": NODE_MEMORY - NODE_MEMORY_USED, "swaptotal": 0, "swapused": 0,
        "roottotal": NODE_DISK, "rootused": NODE_DISK_USED, "netin": 4096.0, "netout": 4096.0, "arcsize": 0,
        "pressurecpusome": 0.0, **dict.fromkeys(_PRESSURES, 0.0),
    }  # fmt: skip
    return _newest([{"time": at, **(own if there else {})} for at, there in _rows(call)])


@routes.on("GET /nodes/{node}/storage/{storage}/rrddata")
async def of_storage(call: Call) -> list[dict[str, Any]]:
    """Total and used bytes."""
    storage = call.cluster.storage(call["storage"])
    now = call.cluster.storage_status(call.node, storage.id)
    own = {"total": now["total"], "used": now["used"]} if now["active"] else {}
    return _newest([{"time": at, **(own if there else {})} for at, there in _rows(call)])


@routes.on("GET /nodes/{node}/qemu/{vmid}/rrddata", "GET /nodes/{node}/lxc/{vmid}/rrddata")
async def of_guest(call: Call) -> list[dict[str, Any]]:
    """What the nodes told of a guest, whichever of them it was on; of one that did not run its sizes alone.

    500 for one that there never was: it has no file.
    """
    guest = call.cluster.guests.get(call["vmid"])
    if guest is None:
        missing = f"/var/lib/rrdcached/db/pve2-vm/{call['vmid']}"
        raise PveError(f"RRD error: opening '{missing}': No such file or directory")
    status = vmstatus(call.cluster, guest, call.node)
    sizes = {"maxcpu": status["cpus"], "maxmem": status["maxmem"], "maxdisk": status["maxdisk"], "disk": status["disk"]}
    load = {
        "cpu": 0.01, "mem": (mem := status["maxmem"] * 3 // 8), "memhost": mem, **_RATES, "pressurecpusome": 0.0,
        "pressurecpufull": 0.0, **dict.fromkeys(_PRESSURES, 0.0),
    }  # fmt: skip
    ran = _runs(call.cluster.world, guest)
    return _newest([
        {"time": at, **((sizes | (load if ran(at) else {})) if there else {})} for at, there in _rows(call)
    ])  # fmt: skip


def _newest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Right after a boundary the last row may be empty: it is left out."""
    return rows[:-1] if rows and len(rows[-1]) == 1 else rows


def _rows(call: Call) -> Iterator[tuple[int, bool]]:
    """The begin of each row, and whether the node had power then and wrote."""
    world = call.cluster.world
    step, count = _FRAMES[call["timeframe"]]
    last = int(world.clock.now()) // step * step
    had_power = _powered(world, call.node)
    for at in range(last - step * (count - 1), last + 1, step):
        yield at, had_power(at)


class _Since:
    """A state over time: what holds from which moment on."""

    def __init__(self, first: str | None) -> None:
        self._times, self._states = [float("-inf")], [first]

    def becomes(self, when: float, state: str | None) -> None:
        self._times.append(when)
        self._states.append(state)

    def __call__(self, when: float) -> bool:
        return self._states[bisect_right(self._times, when) - 1] is not None


def _powered(world: "World", node: str) -> _Since:
    """When that node had power: from long before the twin's beginning, but for what its log tells."""
    found = _Since(node)
    for change in world.changes:
        if change.where == node == change.target and change.what in ("power.off", "watchdog.reset", "power.on"):
            found.becomes(change.time, node if change.what == "power.on" else None)
    return found


def _runs(world: "World", guest: "Guest") -> _Since:
    """When that guest ran, on whichever node: it ends with its node's power, too."""
    name, place = str(guest.vmid), ""
    told = [change for change in world.changes if change.target == name and change.what.startswith("guest.")]
    began = next((one for one in told if one.what in ("guest.start", "guest.stop", "guest.migrate")), None)
    # nothing is told of one that ran from its beginning, before its first stop or move
    before = began.what != "guest.start" if began else guest.running
    if before:
        place = str(began.detail.get("source", began.where)) if began else guest.node
    found = _Since(None)
    if before:
        found.becomes(guest.since if began is None else 0.0, place)
    for change in world.changes:
        if change.target == name and change.what in ("guest.start", "guest.migrate"):
            place = change.where if change.what == "guest.start" or place else ""
        elif (change.target == name and change.what in ("guest.stop", "guest.delete")) or (
            change.target == change.where == place and change.what in ("power.off", "watchdog.reset")
        ):
            place = ""
        else:
            continue
        found.becomes(change.time, place or None)
    return found
