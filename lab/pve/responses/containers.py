"""Containers: lists, configuration, status, start, stop, migration. The work itself is in `workers`.

A container is never moved while it runs: it is stopped, its file is moved, and it is started again. Under HA the LRMs
do so; else only a migration in restart mode does (source: pve-container, LXC/Migrate.pm).
"""

from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError, rejected
from lab.pve.responses.guest_calls import (
    ask_migration,
    ask_start,
    ask_stop,
    begin,
    container_of,
    ha_word,
    missing_storages,
    unlocked,
)
from lab.pve.views.guests import vmstatus
from lab.pve.work import guest_tasks as workers
from lab.pve.work.guest import Guest

routes = Routes()

_LXC = "/nodes/{node}/lxc/{vmid}"
_STATUS = f"{_LXC}/status"


@routes.on("GET /nodes/{node}/lxc")
async def of_node(call: Call) -> list[dict[str, Any]]:
    """The containers whose files lie on this node."""
    here = sorted(call.cluster.seen_by(call.node), key=lambda guest: guest.vmid)
    return [
        vmstatus(call.cluster, guest, call.node)
        for guest in here
        if guest.kind == "lxc" and call.may(f"/vms/{guest.vmid}", "VM.Audit")
    ]


@routes.on(f"GET {_STATUS}/current")
async def current(call: Call) -> dict[str, Any]:
    """The node's own word about a container."""
    guest = container_of(call)
    return {**vmstatus(call.cluster, guest, call.node), "ha": ha_word(call, guest)}


@routes.on(f"GET {_LXC}/config")
async def config(call: Call) -> dict[str, Any]:
    """The flat map of its configuration."""
    guest = container_of(call)
    return {**guest.effective(), **({"lock": guest.lock} if guest.lock else {}), "digest": guest.digest}


@routes.on(f"GET {_LXC}/pending")
async def pending(call: Call) -> list[dict[str, Any]]:
    """Every option; nothing waits for the next start."""
    guest = container_of(call)
    found: list[dict[str, Any]] = [{"key": key, "value": guest.config[key]} for key in sorted(guest.config)]
    return [*found, {"key": "digest", "value": guest.digest}]


@routes.on(f"GET {_LXC}/snapshot")
async def snapshots(call: Call) -> list[dict[str, Any]]:
    """None: plain LVM has no snapshots. The state that runs is listed as `current`."""
    guest = container_of(call)
    runs = int(call.node in guest.runs_on)
    return [{"name": "current", "description": "You are here!", "running": runs, "digest": guest.digest}]


@routes.on(f"GET {_LXC}/feature")
async def feature(call: Call) -> dict[str, Any]:
    """Whether the container could be copied or have snapshots; plain LVM copies only."""
    container_of(call)
    return {"hasFeature": int(call["feature"] == "copy")}


@routes.on(f"GET {_LXC}/interfaces")
async def interfaces(call: Call) -> list[dict[str, Any]]:
    """The loopback alone: the twin gives guests no addresses."""
    guest = container_of(call)
    if call.node not in guest.runs_on:
        return []
    loopback = {"name": "lo", "hwaddr": "00:00:00:00:00:00", "hardware-address": "00:00:00:00:00:00"}
    return [{**loopback, "inet": "127.0.0.1/8", "inet6": "::1/128", "ip-addresses": []}]


@routes.on(f"POST {_STATUS}/start")
async def start(call: Call) -> str:
    """Start, or ask HA to; one that runs is refused before HA is asked."""
    guest = container_of(call)
    if guest.running:
        raise PveError(f"CT {guest.vmid} already running")
    call.cluster.require_quorum(call.node)
    if call.cluster.ha.manages(guest.vmid):
        return ask_start(call, guest)
    return begin(call, guest, "start", lambda task: workers.start(task, guest))


def _running(call: Call) -> Guest:
    guest = container_of(call)
    if not guest.running:
        raise PveError(f"CT {guest.vmid} not running")
    return guest


@routes.on(f"POST {_STATUS}/stop")
async def stop(call: Call) -> str:
    """Stop all its processes at once, or ask HA to, with timeout 0."""
    guest = _running(call)
    if call.cluster.ha.manages(guest.vmid):
        if call.get("overrule-shutdown"):
            raise rejected(**{"overrule-shutdown": "Not applicable for HA resources."})
        return ask_stop(call, guest, 0)
    return begin(call, guest, "stop", lambda task: workers.stop(task, guest))


@routes.on(f"POST {_STATUS}/shutdown")
async def shutdown(call: Call) -> str:
    """Let its init shut it down, or ask HA to."""
    guest, force = _running(call), bool(call.get("forceStop"))
    if call.cluster.ha.manages(guest.vmid):
        return ask_stop(call, guest, call.get("timeout", 60))
    return begin(call, guest, "shutdown", lambda task: workers.stop(task, guest, graceful=True, force=force))


@routes.on(f"POST {_STATUS}/reboot")
async def reboot(call: Call) -> str:
    """Shut it down and start it again on its node; HA does not notice."""
    guest = container_of(call)
    if not guest.running:
        raise PveError(f"VM {guest.vmid} not running")  # the original says VM, too
    return begin(call, guest, "reboot", lambda task: workers.restart(task, guest, graceful=True))


@routes.on(f"GET {_LXC}/migrate")
async def migrate_check(call: Call) -> dict[str, Any]:
    """Where it could go. Whether a node is online, or has its storages, is not looked at."""
    call.cluster.require_quorum(call.node)
    guest = container_of(call)
    unlocked(guest)
    return {
        "running": int(guest.running),
        "allowed-nodes": [node for node in call.cluster.world.nodes if node != call.node],
        "not-allowed-nodes": {},
        **({"dependent-ha-resources": []} if call.cluster.ha.manages(guest.vmid) else {}),
    }


@routes.on(f"POST {_LXC}/migrate")
async def migrate(call: Call) -> str:
    """Move a stopped container, one that runs in restart mode only, or ask HA to."""
    target, cluster = call["target"], call.cluster
    if target == call.node:
        raise rejected(target="target is local node.")
    cluster.require_quorum(call.node)
    if target not in cluster.world.nodes:
        raise PveError(f"no such cluster node '{target}'")
    guest = container_of(call)
    online, restarting = bool(call.get("online")), bool(call.get("restart"))
    if guest.running and not online and not restarting:
        raise PveError("can't migrate running container without --online or --restart")
    if cluster.ha.manages(guest.vmid):
        return ask_migration(call, guest, target)
    if guest.running and online:
        text = "lxc live migration is currently not implemented"
        return begin(call, guest, "migrate", lambda _: _fail(text))
    if lacking := missing_storages(call, guest, target):
        text = f"storage '{lacking[0]}' is not available on node '{target}'"
        return begin(call, guest, "migrate", lambda _: _fail(text))
    return begin(call, guest, "migrate", lambda task: workers.migrate(task, guest, target, restarting=restarting))


async def _fail(text: str) -> None:
    raise PveError(text)


@routes.on(f"DELETE {_LXC}")
async def delete(call: Call) -> str:
    """Destroy a stopped container with its volumes."""
    guest, ha = container_of(call), call.cluster.ha
    call.cluster.require_quorum(call.node)
    unlocked(guest)
    if guest.sid in ha.resources and not call.get("purge"):
        raise PveError(f"unable to remove CT {guest.vmid} - used in HA resources and purge parameter not set.")
    if guest.running:
        raise PveError(f"unable to destroy CT {guest.vmid} - container is running")
    if ha.resources.pop(guest.sid, None) is not None:
        call.cluster.world.record("pve", "ha.resource.delete", guest.sid)
    return begin(call, guest, "destroy", lambda task: workers.destroy(task, guest))
