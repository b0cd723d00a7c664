"""What is told of guests: by their own node (`vmstatus`), and by all nodes from what it broadcast (`cluster_rows`).

The two differ on purpose. A node says ``running`` of every process that is there; the cluster's list says what QEMU
says of itself, as ``paused`` or ``io-error`` (source: pvestatd, update_qemu_status). What the twin does not simulate
stands still.
"""

from typing import TYPE_CHECKING, Any

from lab.pve.daemon.calls import Call
from lab.pve.work.guest import Guest

if TYPE_CHECKING:
    from lab.pve.models import Cluster

# What a container without a limit of its own may use: all of its node's (`responses`).
NODE_CPUS = 64
# What pmxcfs shows of a container's root file system that is not mounted and names no size.
_ROOT_SIZE = 4 * 2**30
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def vmstatus(cluster: "Cluster", guest: Guest, node: str) -> dict[str, Any]:
    """A guest as a node finds it in its own processes and in the configuration; bytes, seconds."""
    runs = node in guest.runs_on
    since, pid = guest.process(node)
    found: dict[str, Any] = {
        "vmid": guest.vmid,
        "name": guest.name,
        "status": "running" if runs else "stopped",
        "uptime": max(0, int(cluster.world.clock.now() - since)) if runs else 0,
        "cpus": cpus(guest),
        "cpu": 0.01 if runs else 0,
        "maxmem": (maxmem := memory(guest)),
        "mem": maxmem * 3 // 8 if runs else 0,
        "maxdisk": _maxdisk(cluster, guest, node),
        "disk": 0,
        "netin": 0,
        "netout": 0,
        "diskread": 73400320 if runs else 0,
        "diskwrite": 1048576 if runs else 0,
    }
    if runs:
        found["pid"] = pid
    if guest.kind == "lxc":
        found |= {"type": "lxc", "swap": 0, "maxswap": int(str(guest.effective().get("swap", 0))) * 2**20}
        found["disk"] = found["maxdisk"] // 4 if runs else 0
    optional = {"lock": guest.lock, "tags": guest.effective().get("tags"), "template": guest.config.get("template")}
    return found | {name: value for name, value in optional.items() if value}


def cpus(guest: Guest) -> int:
    """How many processors the guest may use."""
    config = guest.effective()
    if guest.kind == "lxc":
        return int(config.get("cores") or NODE_CPUS)
    return int(config.get("cores", 1)) * int(config.get("sockets", 1))


def memory(guest: Guest) -> int:
    """Bytes of memory that the guest is given; 512 MiB when nothing is said, of either kind."""
    return int(str(guest.effective().get("memory", 512))) * 2**20


def _maxdisk(cluster: "Cluster", guest: Guest, node: str) -> int:
    """The largest disk of a machine, the root file system of a container."""
    if guest.kind == "qemu":
        return max((cluster.volume_size(node, volid) for volid in guest.disks.values()), default=0)
    said = str(guest.config.get("rootfs", "")).partition("size=")[2].partition(",")[0]
    return int(said.rstrip("KMGT")) * _UNITS[said.lstrip("0123456789")] if said else _ROOT_SIZE


def broadcast(cluster: "Cluster", guest: Guest, node: str) -> dict[str, Any]:
    """What a node tells the others of a guest every ten seconds."""
    own = vmstatus(cluster, guest, node)
    told = ("uptime", "name", "cpu", "maxmem", "mem", "maxdisk", "disk", "netin", "netout", "diskread", "diskwrite")
    status = cluster.qmp_status(guest, node)
    row = {name: own[name] for name in told}
    return row | {"status": status, "template": int(bool(own.get("template"))), "maxcpu": own["cpus"]}


def cluster_rows(call: Call) -> list[dict[str, Any]]:
    """The guests that the caller may see, as the asked node lists them for the whole cluster.

    The file's place, lock and tags are read from /etc/pve; everything else is as it was last heard of, and is missing
    where nothing was heard for five minutes: then the row has neither a name nor a size, and the status ``unknown``.
    """
    cluster, found = call.cluster, []
    files = cluster.ha.seen_by(call.node)
    for guest in sorted(cluster.guests.values(), key=lambda guest: guest.vmid):
        place = cluster.pmxcfs.place(guest.vmid, call.node)
        if not place or not call.may(f"/vms/{guest.vmid}", "VM.Audit"):
            continue
        entry: dict[str, Any] = {"id": guest.id, "vmid": guest.vmid, "node": place, "type": guest.kind}
        entry |= {"status": "unknown", **(cluster.broadcasts.of_guest(call.node, guest, place) or {})}
        entry |= {name: value for name in ("lock", "tags") if (value := _property(guest, name))}
        if files.manager and guest.sid in files.manager.services:
            entry["hastate"] = files.manager.services[guest.sid].state
        elif "state" in files.resources.get(guest.sid, {}):
            entry["hastate"] = files.resources[guest.sid]["state"]
        found.append(entry)
    return found


def _property(guest: Guest, name: str) -> Any:
    return guest.lock if name == "lock" else guest.effective().get(name)
