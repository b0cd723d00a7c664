"""HA over the API: resources, rules, commands and status. What HA then does is in `lab.ha`."""

import hashlib
import json
import re
from typing import Any

from lab.proxmox.calls import Call, Routes
from lab.proxmox.errors import PveError
from lab.proxmox.ha_status import manager_status, status_current

routes = Routes()

_NO_GROUPS = "ha groups have been migrated to rules"
_LOCK = "domain-ha"


@routes.on("GET /cluster/ha/resources")
async def resources(call: Call) -> list[dict[str, Any]]:
    """Only what is set in the file; defaults are filled in by status/current."""
    found = [_entry(call, sid) for sid in sorted(call.cluster.ha.resources)]
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
    if ":" in str(call["sid"]) and _vmid(sid) not in call.cluster.guests:
        raise PveError(f"resource '{sid}' does not exist in cluster")
    if call.get("type") not in (None, sid.partition(":")[0]):
        raise PveError(f"types does not match ('{call['type']}' != '{sid.partition(':')[0]}')")
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
    """Change a resource; one in error must be disabled first."""
    await call.cluster.config_lock(call.node, _LOCK)
    sid = _known(call, "no such resource '{}'")
    changes = {k: v for k, v in call.parameters.items() if k not in ("sid", "delete", "digest", "group")}
    if "group" in call.parameters:
        raise PveError(f"invalid parameter 'group': {_NO_GROUPS}")
    if call.get("digest") not in (None, _digest(call.cluster.ha.resources)):
        raise PveError("detected modified configuration - file changed by other user? Try again.")
    if changes.get("state") == "enabled":
        changes["state"] = "started"
    if changes.get("state") not in (None, "disabled"):
        _not_in_error(call, sid)
    call.cluster.ha.update_resource(sid, changes, tuple(filter(None, re.split(r"[,; ]+", call.get("delete", "")))))


@routes.on("DELETE /cluster/ha/resources/{sid}")
async def delete(call: Call) -> None:
    """Take a guest out of HA, and out of its rules unless `purge` is off."""
    await call.cluster.config_lock(call.node, _LOCK)
    sid = _known(call, "cannot delete service '{}', not HA managed!")
    del call.cluster.ha.resources[sid]
    if call.get("purge", 1):
        for rule in call.cluster.ha.rules.values():
            rule["resources"] = ",".join(s for s in str(rule["resources"]).split(",") if s != sid)
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
    await call.cluster.config_lock(call.node, _LOCK)
    sid = _sid(call)
    if not call.cluster.ha.manages(_vmid(sid)):
        raise PveError(f"resource '{sid}' is not HA managed")
    _not_in_error(call, sid)
    call.cluster.ha.commands.append((command, sid, call["node"]))
    call.cluster.ha.begins(sid)
    call.cluster.world.record("pve", f"ha.command.{command}", sid, node=call["node"])
    return {"sid": sid, "requested-node": call["node"]}


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


@routes.on("GET /cluster/ha/rules")
async def rules(call: Call) -> list[dict[str, Any]]:
    """All rules, in their order."""
    found = [_rule_entry(call, name) for name in call.cluster.ha.rules]
    return [
        entry
        for entry in found
        if call.get("type") in (None, entry["type"])
        and (call.get("resource") is None or call["resource"] in entry["resources"].split(","))
    ]


@routes.on("GET /cluster/ha/rules/{rule}")
async def rule(call: Call) -> dict[str, Any]:
    """One rule."""
    if call["rule"] not in call.cluster.ha.rules:
        raise PveError(f"no such ha rule '{call['rule']}'")
    return _rule_entry(call, call["rule"])


@routes.on("POST /cluster/ha/rules")
async def create_rule(call: Call) -> None:
    """Write a rule down. The twin's scheduler does not follow rules yet."""
    ha, prefix = call.cluster.ha, "create ha rule failed: "
    call.cluster.require_quorum(call.node)
    if call["rule"] in ha.rules:
        raise PveError(f"{prefix}HA rule '{call['rule']}' already defined")
    kind, needed = call["type"], {"node-affinity": "nodes", "resource-affinity": "affinity"}[call["type"]]
    if not call.get(needed):
        raise PveError(f"{prefix}no nodes were specified" if needed == "nodes" else f"{prefix}missing 'affinity'")
    named = [sid for sid in re.split(r"[,; ]+", call["resources"]) if sid]
    if not named:
        raise PveError(f"{prefix}no resources were specified")
    if foreign := [sid for sid in named if sid not in ha.resources]:
        raise PveError(f"{prefix}cannot use unmanaged resource(s) {', '.join(foreign)}.")
    nodes = [node.partition(":")[0] for node in re.split(r"[,; ]+", call.get("nodes", "")) if node]
    if absent := [node for node in nodes if node not in call.cluster.world.nodes]:
        raise PveError(f"{prefix}cannot use non-existent node(s) {', '.join(absent)}.")
    properties = {name: value for name, value in call.parameters.items() if name != "rule"}
    ha.rules[call["rule"]] = properties | {"resources": ",".join(named)}
    call.cluster.world.record("pve", "ha.rule.create", call["rule"], type=kind, resources=",".join(named))


@routes.on("DELETE /cluster/ha/rules/{rule}")
async def delete_rule(call: Call) -> None:
    """Remove a rule; no error when there is none."""
    await call.cluster.config_lock(call.node, _LOCK)
    if call.cluster.ha.rules.pop(call["rule"], None) is not None:
        call.cluster.world.record("pve", "ha.rule.delete", call["rule"])


def _sid(call: Call) -> str:
    """``300`` means ``vm:300``, if there is such a guest."""
    given = str(call["sid"])
    if ":" in given:
        return given
    if int(given) not in call.cluster.guests:
        raise PveError(f"unable to detect SID from VMID - VM/CT {given} does not exist")
    return f"vm:{given}"


def _known(call: Call, refusal: str) -> str:
    sid = _sid(call)
    if sid not in call.cluster.ha.resources:
        raise PveError(refusal.format(sid))
    return sid


def _vmid(sid: str) -> int:
    name = sid.partition(":")[2]
    return int(name) if name.isdigit() else 0


def _not_in_error(call: Call, sid: str) -> None:
    if call.cluster.ha.crm_state(sid) == "error":
        raise PveError(f"service '{sid}' in error state, must be disabled and fixed first")


def _entry(call: Call, sid: str) -> dict[str, Any]:
    properties = call.cluster.ha.resources[sid]
    return {"sid": sid, "type": sid.partition(":")[0], "digest": _digest(call.cluster.ha.resources), **properties}


def _rule_entry(call: Call, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"rule": name, "digest": _digest(call.cluster.ha.rules), **call.cluster.ha.rules[name]}
    for switch in ("disable", "strict"):
        if not entry.get(switch):
            entry.pop(switch, None)
    return entry | {"order": list(call.cluster.ha.rules).index(name) + 1}


def _digest(section: dict[str, Any]) -> str:
    return hashlib.sha1(json.dumps(section, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
