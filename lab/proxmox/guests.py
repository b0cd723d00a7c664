"""Guests: status, clone, start, stop, migrate, delete. The work itself is in `workers`.

A guest under HA is not touched directly: the call becomes a request to HA, and its task ends at once.
"""

from collections.abc import Callable
from typing import Any

from lab.proxmox import workers
from lab.proxmox.calls import Call, Routes
from lab.proxmox.errors import PveError, rejected
from lab.proxmox.models import Guest
from lab.proxmox.tasks import Task, Work

routes = Routes()

# How long a node's last broadcast is kept after it fell silent, lab seconds (reference: proxmox-api §5.1).
BROADCAST_KEPT = 300.0

_QEMU = "/nodes/{node}/qemu/{vmid}"


def guest_of(call: Call) -> Guest:
    """The guest that the path names, on this node and on no other."""
    return call.cluster.guest_on(call.node, call["vmid"])


def usage(call: Call, guest: Guest) -> dict[str, Any]:
    """The numbers of a guest as the asked node has them; what the twin does not simulate stands still."""
    config, now = guest.effective(), call.cluster.world.clock.now()
    maxmem = int(str(config.get("memory", 512))) * 2**20
    maxdisk = max((call.cluster.volume_size(guest.node, v) for v in guest.disks.values()), default=0)
    return {
        "name": guest.name,
        "status": _shown(call, guest, now),
        "uptime": max(0, int(now - guest.since)) if guest.running else 0,
        "maxmem": maxmem,
        "mem": maxmem * 3 // 8 if guest.running else 0,
        "maxdisk": maxdisk,
        "disk": 0,
        "cpu": 0.01 if guest.running else 0,
        "netin": 0,
        "netout": 0,
        "diskread": 73400320 if guest.running else 0,
        "diskwrite": 1048576 if guest.running else 0,
        **({"lock": guest.lock} if guest.lock else {}),
    }


def _shown(call: Call, guest: Guest, now: float) -> str:
    """What the cluster says of a guest: its node's last broadcast, until that is too old to be believed."""
    world = call.cluster.world
    place = call.cluster.pmxcfs.place(guest.vmid, call.node)
    if place in world.membership.members(call.node):
        return "running" if guest.running else "stopped"
    silent = world.nodes[place].silent_since if place in world.nodes else None
    if silent is None or now - silent >= BROADCAST_KEPT:
        return "unknown"
    return "running" if guest.vmid in world.cluster.ran_when_silent.get(place, ()) else "stopped"


@routes.on("GET /nodes/{node}/qemu")
async def of_node(call: Call) -> list[dict[str, Any]]:
    """The guests whose files lie on this node."""
    found = []
    for guest in sorted(call.cluster.seen_by(call.node), key=lambda guest: guest.vmid):
        if call.may(f"/vms/{guest.vmid}", "VM.Audit"):
            cores = guest.effective().get("cores", 1)
            extra = {"pid": guest.pid} if guest.running else {}
            found.append({"vmid": guest.vmid, "cpus": cores, **usage(call, guest), **extra})
    return found


@routes.on(f"GET {_QEMU}/status/current")
async def current(call: Call) -> dict[str, Any]:
    """The node's own word about a guest."""
    guest = guest_of(call)
    ha = call.cluster.ha
    state = ha.crm_state(f"vm:{guest.vmid}")
    found = {
        "vmid": guest.vmid,
        "qmpstatus": call.cluster.qmp_status(guest),
        "cpus": guest.effective().get("cores", 1),
        **usage(call, guest),
        "ha": {"managed": 1, **({"state": state} if state else {})} if ha.manages(guest.vmid) else {"managed": 0},
    }
    if guest.running:
        found |= {"pid": guest.pid, "running-machine": "pc-i440fx-10.1+pve0", "running-qemu": "10.1.2"}
    if _agent(guest):
        found["agent"] = 1
    return found


@routes.on(f"POST {_QEMU}/clone")
async def clone(call: Call) -> str:
    """Check in PVE's order, then copy in a task on the source's node."""
    cluster, node = call.cluster, call.node
    target = call.get("target", node)
    if target not in cluster.world.nodes:
        raise PveError(f"no such cluster node '{target}'")
    if (storage_id := call.get("storage")) is not None:
        cluster.usable_storage(storage_id, node)
        storage = cluster.usable_storage(storage_id, target)
        if target != node and not storage.shared:
            raise PveError(f"can't clone to non-shared storage '{storage_id}'")
    cluster.require_quorum(node)
    source = guest_of(call)
    _unlocked(source)
    if not call.get("full", 1):
        raise PveError("Linked clone feature is not supported for a guest that is no template")
    if target != node and not _all_shared(call, source):
        raise PveError(f"can't clone VM to node '{target}' (VM uses local storage)")
    _may_clone(call, source)
    newid = int(call["newid"])
    if newid in cluster.guests or newid in cluster.reserved:
        raise PveError(f"unable to create VM {newid}: config file already exists")
    cluster.reserved.add(newid)
    changes = {"name": call.get("name", f"Copy-of-VM-{source.name}"), "description": call.get("description")}
    plan = workers.ClonePlan(source, newid, target, storage_id, {k: v for k, v in changes.items() if v is not None})
    return _begin(call, "qmclone", lambda task: workers.clone(task, plan))


def _may_clone(call: Call, source: Guest) -> None:
    """What the handler checks beyond the schema: room on the storage, and the bridge of each network card."""
    for volid in source.disks.values():
        call.require(f"/storage/{call.get('storage') or volid.partition(':')[0]}", "Datastore.AllocateSpace")
    for key, value in source.config.items():
        if key.startswith("net") and "bridge=" in str(value):
            bridge = str(value).partition("bridge=")[2].partition(",")[0]
            call.require(f"/sdn/zones/localnetwork/{bridge}", "SDN.Use")


def _all_shared(call: Call, guest: Guest) -> bool:
    return all(call.cluster.storage(volid.partition(":")[0]).shared for volid in guest.disks.values())


@routes.on(f"POST {_QEMU}/status/start")
async def start(call: Call) -> str:
    """Start, or ask HA to."""
    call.cluster.require_quorum(call.node)
    guest = guest_of(call)
    if call.cluster.ha.manages(guest.vmid):
        return _ask_ha(call, "hastart", "start", lambda sid: _request_start(call, sid))
    return _begin(call, "qmstart", lambda task: workers.start(task, guest))


@routes.on(f"POST {_QEMU}/status/stop")
async def stop(call: Call) -> str:
    """Stop hard, or ask HA to, with timeout 0."""
    guest = guest_of(call)
    if call.cluster.ha.manages(guest.vmid):
        return _ask_ha(call, "hastop", "stop", lambda sid: _queue(call, "stop", sid, "0"))
    return _begin(call, "qmstop", lambda task: workers.stop(task, guest))


@routes.on(f"POST {_QEMU}/status/shutdown")
async def shutdown(call: Call) -> str:
    """Shut down by ACPI or agent, or ask HA to."""
    guest = guest_of(call)
    if call.cluster.ha.manages(guest.vmid):
        timeout = str(call.get("timeout", 60))
        return _ask_ha(call, "hastop", "stop", lambda sid: _queue(call, "stop", sid, timeout))
    return _begin(call, "qmshutdown", lambda task: workers.stop(task, guest, graceful=True))


@routes.on(f"POST {_QEMU}/status/reboot")
async def reboot(call: Call) -> str:
    """Shut the guest's system down and start it again on its node; HA does not notice."""
    return _restart(call, "qmreboot", graceful=True)


@routes.on(f"POST {_QEMU}/status/reset")
async def reset(call: Call) -> str:
    """Press the reset button."""
    return _restart(call, "qmreset", graceful=False)


def _restart(call: Call, kind: str, *, graceful: bool) -> str:
    guest = guest_of(call)
    if not guest.running:
        raise PveError(f"VM {guest.vmid} not running")
    return _begin(call, kind, lambda task: workers.restart(task, guest, graceful=graceful))


@routes.on(f"GET {_QEMU}/migrate")
async def migrate_check(call: Call) -> dict[str, Any]:
    """What stands in the way of a migration. Whether a node is online is not looked at."""
    call.cluster.require_quorum(call.node)
    guest = guest_of(call)
    others = [node for node in call.cluster.world.nodes if node != call.node]
    missing = {node: _missing_storages(call, guest, node) for node in others}
    return {
        "running": int(guest.running),
        "allowed_nodes": [node for node in others if not missing[node]],
        "not_allowed_nodes": {node: {"unavailable_storages": lacking} for node, lacking in missing.items() if lacking},
        "local_disks": [],
        "local_resources": [],
        "mapped-resources": [],
        "mapped-resource-info": {},
        "has-dbus-vmstate": 1,
        "dependent-ha-resources": [],
    }


def _missing_storages(call: Call, guest: Guest, node: str) -> list[str]:
    storages = {volid.partition(":")[0] for volid in guest.disks.values()}
    return sorted(name for name in storages if not call.cluster.storage(name).serves(node))


@routes.on(f"POST {_QEMU}/migrate")
async def migrate(call: Call) -> str:
    """Migrate, or ask HA to."""
    target = call["target"]
    if target == call.node:
        raise rejected(target="target is local node.")
    call.cluster.require_quorum(call.node)
    if target not in call.cluster.world.nodes:
        raise PveError(f"no such cluster node '{target}'")
    guest = guest_of(call)
    _unlocked(guest)
    if guest.running and not call.get("online"):
        raise PveError("can't migrate running VM without --online")
    if lacking := _missing_storages(call, guest, target):
        raise PveError(f"storage '{lacking[0]}' is not available on node '{target}'")
    if call.cluster.ha.manages(guest.vmid):
        return _ask_ha(
            call, "hamigrate", "migration", lambda sid: _queue(call, "migrate", sid, target), f" to node {target}"
        )
    return _begin(call, "qmigrate", lambda task: workers.migrate(task, guest, target))


@routes.on(f"DELETE {_QEMU}")
async def delete(call: Call) -> str:
    """Destroy a stopped guest with its disks."""
    guest = guest_of(call)
    ha, sid = call.cluster.ha, f"vm:{guest.vmid}"
    call.cluster.require_quorum(call.node)
    if sid in ha.resources and not call.get("purge"):
        text = f"unable to remove VM {guest.vmid} - used in HA resources and purge parameter not set."
        raise PveError(text)
    if guest.running:
        raise PveError(f"VM {guest.vmid} is running - destroy failed")
    _unlocked(guest)
    if ha.resources.pop(sid, None) is not None:
        call.cluster.world.record("pve", "ha.resource.delete", sid)
    return _begin(call, "qmdestroy", lambda task: workers.destroy(task, guest))


@routes.on(f"POST {_QEMU}/agent/ping")
async def ping(call: Call) -> dict[str, Any]:
    """The guest agent's sign of life."""
    guest = guest_of(call)
    if not _agent(guest):
        raise PveError("No QEMU guest agent configured")
    if not guest.running:
        raise PveError(f"VM {guest.vmid} is not running")
    return {"result": {}}


def _agent(guest: Guest) -> bool:
    first = str(guest.effective().get("agent", "0")).split(",")[0]
    return first in ("1", "enabled=1")


def _unlocked(guest: Guest) -> None:
    if guest.lock:
        raise PveError(f"VM is locked ({guest.lock})")


def _begin(call: Call, kind: str, work: Work) -> str:
    return call.cluster.tasks.begin(call.node, kind, str(call["vmid"]), call.identity, work).upid


def _ask_ha(call: Call, kind: str, what: str, ask: Callable[[str], None], where: str = "") -> str:
    """A task that only files the request: its success proves nothing about the guest."""
    vmid = call["vmid"]

    async def file(task: Task) -> None:
        task.log(f"Requesting HA {what} for VM {vmid}{where}")
        await call.cluster.config_lock(task.node, "domain-ha")
        await task.pause(0.3)
        if call.cluster.ha.crm_state(f"vm:{vmid}") == "error":
            raise PveError(f"service 'vm:{vmid}' in error state, must be disabled and fixed first")
        ask(f"vm:{vmid}")

    return _begin(call, kind, file)


def _request_start(call: Call, sid: str) -> None:
    service = call.cluster.ha.manager.services.get(sid) if call.cluster.ha.manager else None
    call.cluster.ha.update_resource(sid, {"state": "started"})
    if service is None or not (service.state == "started" and service.running):
        call.cluster.ha.begins(sid)


def _queue(call: Call, command: str, sid: str, argument: str) -> None:
    call.cluster.ha.commands.append((command, sid, argument))
    call.cluster.ha.begins(sid)
    call.cluster.world.record("pve", f"ha.command.{command}", sid, argument=argument)
