"""HA over the API: resources, commands and status. Rules are in `ha_rules`; what HA then does is in `lab.pve.ha`."""

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError
from lab.pve.ha import rules as ha_rules
from lab.pve.ha.commands import ARM, DISARM, blocking
from lab.pve.responses.guest_calls import not_in_error
from lab.pve.views.ha import manager_status, status_current

if TYPE_CHECKING:
    from lab.pve.models import Cluster

routes = Routes()

_NO_GROUPS = "ha groups have been migrated to rules"
_LOCK = "domain-ha"
_KINDS = {"vm": "VM", "ct": "container"}
_UPDATE = "update resources config failed"


@routes.on("GET /cluster/ha/resources")
async def resources(call: Call) -> list[dict[str, Any]]:
    """Only what is set in the file; defaults are filled in by status/current."""
    found = [_entry(call, sid) for sid in sorted(_file(call))]
    return [entry for entry in found if call.get("type") in (None, entry["type"])]


@routes.on("GET /cluster/ha/resources/{sid}")
async def resource(call: Call) -> dict[str, Any]:
    """One resource, named ``vm:300`` or ``300``."""
    return _entry(call, _known(call, "no such resource '{}'"))


@routes.on("POST /cluster/ha/resources")
async def create(call: Call) -> None:
    """Put a guest under HA. The manager learns of it in its next round."""
    ha = call.cluster.ha
    call.cluster.require_quorum(call.node)
    if "group" in call.parameters:
        raise PveError(f"invalid parameter 'group': {_NO_GROUPS}")
    sid = _sid(call)
    if call.get("type") not in (None, sid.partition(":")[0]):
        raise PveError("types does not match")
    _exists(call, sid)
    if sid in ha.resources:
        raise PveError(f"create resource failed: resource ID '{sid}' already defined")
    properties = {name: value for name, value in call.parameters.items() if name not in ("sid", "type")}
    if properties.get("state") == "enabled":
        properties["state"] = "started"
    ha.resources[sid] = properties
    call.cluster.world.record("pve", "ha.resource.create", sid, **properties)
    if properties.get("state") != "ignored":
        ha.begins(sid)


@routes.on("PUT /cluster/ha/resources/{sid}")
async def update(call: Call) -> None:
    """Change a resource. Of one in error nothing can be changed at all, unless it is disabled with the same call."""
    sid = _sid(call)
    if call.get("type") not in (None, sid.partition(":")[0]):
        raise PveError("types does not match")
    if "group" in call.parameters:
        raise PveError(f"invalid parameter 'group': {_NO_GROUPS}")
    if call.get("state") != "disabled":
        not_in_error(call.cluster.ha, call.node, sid)
    await call.cluster.config_lock(call.node, _LOCK, _UPDATE)
    if call.get("digest") not in (None, digest(_file(call))):
        raise PveError(f"{_UPDATE}: detected modified configuration - file changed by other user? Try again.")
    _known(call, f"{_UPDATE}: no such resource '{{}}'")
    changes = {k: v for k, v in call.parameters.items() if k not in ("sid", "type", "delete", "digest")}
    if changes.get("state") == "enabled":
        changes["state"] = "started"
    call.cluster.ha.update_resource(sid, changes, tuple(filter(None, re.split(r"[,; ]+", call.get("delete", "")))))


@routes.on("DELETE /cluster/ha/resources/{sid}")
async def delete(call: Call) -> None:
    """Take a guest out of HA, also one in error, and out of its rules unless `purge` is off."""
    sid = _known(call, "cannot delete service '{}', not HA managed!")
    await call.cluster.config_lock(call.node, _LOCK, "delete resource failed")
    call.cluster.ha.resources.pop(sid, None)
    if call.get("purge", 1):
        rules = call.cluster.ha.rules
        for name, rule in list(rules.items()):
            rule["resources"] = ",".join(other for other in ha_rules.resources(rule) if other != sid)
            if not rule["resources"]:
                del rules[name]  # it was about this resource alone
    call.cluster.world.record("pve", "ha.resource.delete", sid)


@routes.on("POST /cluster/ha/resources/{sid}/migrate")
async def migrate(call: Call) -> dict[str, Any]:
    """Queue a migration; whether the target is online is the master's business."""
    return await _queue(call, "migrate")


@routes.on("POST /cluster/ha/resources/{sid}/relocate")
async def relocate(call: Call) -> dict[str, Any]:
    """Queue stop, move and start."""
    return await _queue(call, "relocate")


async def _queue(call: Call, command: str) -> dict[str, Any]:
    """Queue a line, and say who goes along and who stands in the way; the latter is no error here."""
    ha, sid, node = call.cluster.ha, _sid(call), call["node"]
    if not ha.is_managed(sid, call.node):
        raise PveError(f"resource '{sid}' is not HA managed")
    not_in_error(ha, call.node, sid)
    await call.cluster.config_lock(call.node, _LOCK)
    answer: dict[str, Any] = {"sid": sid, "requested-node": node}
    rules = ha_rules.active(ha.rules, call.cluster.world.nodes)
    known = ha.manager.services if ha.manager else {}
    if together := sorted(ha_rules.companions(rules, sid, "positive") & known.keys()):
        answer["comigrated-resources"] = together
    online = ha.manager is not None and ha.manager.nodes.get(node) == "online"
    if ha.manager and online and (apart := blocking(ha.manager, rules, sid, node)):
        answer["blocking-resources"] = [{"sid": other, "cause": "resource-affinity"} for other in apart]
        return answer
    ha.commands.append((command, sid, node))
    ha.begins(sid)
    call.cluster.world.record("pve", f"ha.command.{command}", sid, node=node)
    return answer


@routes.on("POST /cluster/ha/status/disarm-ha")
async def disarm(call: Call) -> None:
    """Let go of all locks and watchdogs, for planned work on the network."""
    await _command(call, DISARM, call["resource-mode"])


@routes.on("POST /cluster/ha/status/arm-ha")
async def arm(call: Call) -> None:
    """Take them again."""
    await _command(call, ARM, "")


async def _command(call: Call, command: str, argument: str) -> None:
    await call.cluster.config_lock(call.node, _LOCK)
    call.cluster.ha.commands.append((command, "", argument))
    call.cluster.world.record("pve", f"ha.command.{command}", "ha", **({"mode": argument} if argument else {}))


@routes.on("GET /cluster/ha/status/current")
async def current(call: Call) -> list[dict[str, Any]]:
    """Quorum, master, fencing, LRMs and services as the asked node sees them."""
    return status_current(call.cluster.ha, call.node)


@routes.on("GET /cluster/ha/status/manager_status")
async def manager(call: Call) -> dict[str, Any]:
    """The manager's own file and the LRMs'."""
    return manager_status(call.cluster.ha, call.node)


@routes.on("GET /cluster/ha/groups")
async def groups(_: Call) -> None:
    """Rules took their place."""
    raise PveError(f"cannot index groups: {_NO_GROUPS}")


def _sid(call: Call) -> str:
    return full_sid(call.cluster, str(call["sid"]))


def full_sid(cluster: "Cluster", given: str) -> str:
    """``300`` means ``vm:300`` or ``ct:300``, by what the guest of that id is."""
    if ":" in given:
        return given
    guest = cluster.guests.get(int(given)) if given.isdigit() else None
    if guest is None:
        raise PveError(f"unable to detect SID from VMID - VM/CT {given} does not exist")
    return guest.sid


def _known(call: Call, refusal: str) -> str:
    sid = _sid(call)
    if sid not in _file(call):
        raise PveError(refusal.format(sid))
    return sid


def _exists(call: Call, sid: str) -> None:
    """There is a guest of that id, and it is what the service's type says."""
    kind, _, _ = sid.partition(":")
    if kind not in ("vm", "ct"):
        raise PveError(f"no such resource type '{kind}'")
    guest = call.cluster.guests.get(_vmid(sid))
    if guest is None:
        raise PveError(f"resource '{sid}' does not exist in cluster")
    if guest.sid != sid:
        raise PveError(f"resource '{sid}' - guest with ID {guest.vmid} is not a {_KINDS[kind]}")


def _vmid(sid: str) -> int:
    name = sid.partition(":")[2]
    return int(name) if name.isdigit() else 0


def _entry(call: Call, sid: str) -> dict[str, Any]:
    found = _file(call)
    return {"sid": sid, "type": sid.partition(":")[0], "digest": digest(found), **found[sid]}


def _file(call: Call) -> dict[str, dict[str, Any]]:
    """resources.cfg as the asked node has it."""
    return call.cluster.ha.seen_by(call.node).resources


def digest(section: dict[str, Any]) -> str:
    """SHA-1 of a configuration file, by which PVE notices that someone else changed it."""
    return hashlib.sha1(json.dumps(section, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
