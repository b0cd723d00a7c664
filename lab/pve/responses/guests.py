"""Machines: status, clone, start, stop, migrate, delete. The work itself is in `workers` and `clones`."""

from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError, rejected
from lab.pve.responses.guest_calls import (
    ask_migration,
    ask_start,
    ask_stop,
    begin,
    guest_of,
    ha_word,
    has_agent,
    missing_storages,
    unlocked,
    with_agent,
)
from lab.pve.views.guests import vmstatus
from lab.pve.work import clones
from lab.pve.work import guest_tasks as workers
from lab.pve.work.guest import Guest
from lab.pve.work.tasks import Task

routes = Routes()

_QEMU = "/nodes/{node}/qemu/{vmid}"
_MACHINE = {"running-machine": "pc-i440fx-10.1+pve0", "running-qemu": "10.1.2"}


@routes.on("GET /nodes/{node}/qemu")
async def of_node(call: Call) -> list[dict[str, Any]]:
    """The machines whose files lie on this node; QEMU's own word of each only with `full`."""
    found = []
    for guest in sorted(call.cluster.seen_by(call.node), key=lambda guest: guest.vmid):
        if guest.kind == "qemu" and call.may(f"/vms/{guest.vmid}", "VM.Audit"):
            full = _full(call, guest) if call.get("full") else {}
            found.append({**vmstatus(call.cluster, guest, call.node), **full})
    return found


def _full(call: Call, guest: Guest) -> dict[str, Any]:
    return {
        "qmpstatus": call.cluster.qmp_status(guest, call.node),
        **(_MACHINE if call.node in guest.runs_on else {}),
    }


@routes.on(f"GET {_QEMU}/status/current")
async def current(call: Call) -> dict[str, Any]:
    """The node's own word about a machine."""
    guest = guest_of(call)
    agent = {"agent": 1} if has_agent(guest) else {}
    return {**vmstatus(call.cluster, guest, call.node), **_full(call, guest), "ha": ha_word(call, guest), **agent}


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
    unlocked(source)
    if not call.get("full", 1):
        raise PveError("Linked clone feature is not supported for a guest that is no template")
    if target != node and not _all_shared(call, source):
        raise PveError(f"can't clone VM to node '{target}' (VM uses local storage)")
    _may_clone(call, source)
    newid = int(call["newid"])
    if cluster.pmxcfs.place(newid, node) == node and cluster.guests[newid].kind == "qemu":
        raise PveError(f"unable to create VM {newid}: config file already exists")
    changes = {"name": call.get("name", f"Copy-of-VM-{source.name}"), "description": call.get("description")}
    plan = clones.ClonePlan(source, newid, target, storage_id, {k: v for k, v in changes.items() if v is not None})
    return begin(call, source, "clone", lambda task: clones.clone(task, plan))


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
        return ask_start(call, guest)
    return begin(call, guest, "start", lambda task: workers.start(task, guest))


@routes.on(f"POST {_QEMU}/status/stop")
async def stop(call: Call) -> str:
    """Stop hard, or ask HA to, with timeout 0."""
    guest = guest_of(call)
    if call.cluster.ha.manages(guest.vmid):
        return ask_stop(call, guest, 0)
    return begin(call, guest, "stop", lambda task: workers.stop(task, guest))


@routes.on(f"POST {_QEMU}/status/shutdown")
async def shutdown(call: Call) -> str:
    """Shut down by ACPI or agent, or ask HA to."""
    guest, force = guest_of(call), bool(call.get("forceStop"))
    if call.cluster.qmp_status(guest, call.node) in workers.PAUSED and not force:
        raise PveError("VM is paused - cannot shutdown")
    if call.cluster.ha.manages(guest.vmid):
        return ask_stop(call, guest, call.get("timeout", 60))
    return begin(call, guest, "shutdown", lambda task: workers.stop(task, guest, graceful=True, force=force))


@routes.on(f"POST {_QEMU}/status/suspend")
async def suspend(call: Call) -> str:
    """Pause the processors; the process, its memory and its open disks stay. HA takes it for running."""
    if call.get("todisk"):
        raise PveError("suspending to disk is not implemented (by the twin)", status=501)
    return _turn(call, "pause", "paused")


@routes.on(f"POST {_QEMU}/status/resume")
async def resume(call: Call) -> str:
    """Let the processors of a paused machine run again."""
    return _turn(call, "resume", "")


def _turn(call: Call, deed: str, state: str) -> str:
    guest = guest_of(call)
    if not guest.running:
        raise PveError(f"VM {guest.vmid} not running")
    unlocked(guest)

    async def work(_: Task) -> None:
        guest.qmp = state
        call.cluster.world.record(call.node, f"guest.{deed}", str(guest.vmid))

    return begin(call, guest, deed, work)


@routes.on(f"POST {_QEMU}/status/reboot")
async def reboot(call: Call) -> str:
    """Shut the guest's system down and start it again on its node; HA does not notice."""
    return _restart(call, "reboot", graceful=True)


@routes.on(f"POST {_QEMU}/status/reset")
async def reset(call: Call) -> str:
    """Press the reset button."""
    return _restart(call, "reset", graceful=False)


def _restart(call: Call, deed: str, *, graceful: bool) -> str:
    guest = guest_of(call)
    if not guest.running:
        raise PveError(f"VM {guest.vmid} not running")
    return begin(call, guest, deed, lambda task: workers.restart(task, guest, graceful=graceful))


@routes.on(f"GET {_QEMU}/migrate")
async def migrate_check(call: Call) -> dict[str, Any]:
    """What stands in the way of a migration. Whether a node is online is not looked at."""
    call.cluster.require_quorum(call.node)
    guest = guest_of(call)
    others = [node for node in call.cluster.world.nodes if node != call.node]
    missing = {node: missing_storages(call, guest, node) for node in others}
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
    unlocked(guest)
    if guest.running and not call.get("online"):
        raise PveError("can't migrate running VM without --online")
    if lacking := missing_storages(call, guest, target):
        raise PveError(f"storage '{lacking[0]}' is not available on node '{target}'")
    if call.cluster.ha.manages(guest.vmid):
        return ask_migration(call, guest, target)
    return begin(call, guest, "migrate", lambda task: workers.migrate(task, guest, target))


@routes.on(f"DELETE {_QEMU}")
async def delete(call: Call) -> str:
    """Destroy a stopped guest with its disks."""
    guest = guest_of(call)
    ha, sid = call.cluster.ha, guest.sid
    call.cluster.require_quorum(call.node)
    if sid in ha.resources and not call.get("purge"):
        text = f"unable to remove VM {guest.vmid} - used in HA resources and purge parameter not set."
        raise PveError(text)
    if guest.running:
        raise PveError(f"VM {guest.vmid} is running - destroy failed")
    unlocked(guest)
    if ha.resources.pop(sid, None) is not None:
        call.cluster.world.record("pve", "ha.resource.delete", sid)
    return begin(call, guest, "destroy", lambda task: workers.destroy(task, guest))


@routes.on(f"POST {_QEMU}/agent/ping")
async def ping(call: Call) -> dict[str, Any]:
    """The guest agent's sign of life."""
    with_agent(call)
    return {"result": {}}
