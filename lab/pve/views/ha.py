"""How HA's state reads: the entries of ``/cluster/ha/status`` with the texts that `ha-manager status` prints.

Texts and their order follow the reference pve-ha, sections 12 and 13.
"""

import re
import time
from typing import TYPE_CHECKING, Any

from lab.pve.ha.state import HaFiles, Service, active_services

if TYPE_CHECKING:
    from lab.pve.ha.stack import Ha

# An entry older than this is `old timestamp - dead?`.
FRESH = 30
# An entry so many seconds ahead comes from a clock that is wrong (reference: incidents, facts 1).
DRIFT = 2


def status_current(ha: "Ha", node: str) -> list[dict[str, Any]]:
    """All entries as one node answers them: quorum, master, fencing, LRMs, services."""
    files = ha.seen_by(node)
    entries = [_quorum(ha, node), *_master(ha, node, files), _fencing(ha, node, files)]
    manager = files.manager
    if manager is not None:
        entries += [_lrm(ha, node, files, name) for name in sorted(manager.nodes)]
    known = manager.services if manager else {}
    entries += [_service(ha, node, files, sid, known[sid]) for sid in sorted(known)]
    entries += [_service(ha, node, files, sid, None) for sid in sorted(files.resources) if sid not in known]
    return entries


def manager_status(ha: "Ha", node: str) -> dict[str, Any]:
    """``/cluster/ha/status/manager_status``: the files as they are."""
    files = ha.seen_by(node)
    file = files.manager.entry() if files.manager is not None else {}
    lrms = {
        name: {"state": lrm.state, "mode": lrm.mode, "timestamp": lrm.timestamp, "results": lrm.results}
        for name, lrm in files.lrms.items()
        if lrm.timestamp
    }
    quorate = int(ha.cluster.world.votes(node).quorate)
    return {"manager_status": file, "lrm_status": lrms, "quorum": {"node": node, "quorate": quorate}}


def verbose_state(resource: dict[str, Any] | None, service: Service | None) -> str:
    """The state in the words that a person reads."""
    if resource is None:
        return "deleting"
    wanted = {"enabled": "started"}.get(resource.get("state", "started"), resource.get("state", "started"))
    if wanted == "ignored":
        return "ignored"
    if service is None:
        return "queued"
    hurried = {
        ("stopped", "started"): "starting",
        ("stopped", "disabled"): "disabled",
        ("started", "stopped"): "stopping",
        ("started", "disabled"): "stopping",
        ("error", "disabled"): "clearing error flag",
    }.get((service.state, wanted))
    if hurried is None and service.state == "started" and not service.running:
        return "starting"
    return hurried or service.state


def _quorum(ha: "Ha", node: str) -> dict[str, Any]:
    quorate = ha.cluster.world.votes(node).quorate
    return {
        "id": "quorum",
        "type": "quorum",
        "node": node,
        "status": "OK" if quorate else f"No quorum on node '{node}'!",
        "quorate": int(quorate),
    }


def _master(ha: "Ha", node: str, files: HaFiles) -> list[dict[str, Any]]:
    """No entry before there ever was a master."""
    manager = files.manager
    if manager is None:
        return []
    word = _age_word(ha, node, manager.timestamp)
    if word and not files.resources and ha.cluster.world.votes(node).quorate:
        word = "idle"
    suffix = ""
    if manager.disarm is not None:
        suffix = f" - {manager.disarm['state']}, resource mode: {manager.disarm['mode']}"
    if crs := _scheduler(ha):
        suffix += f" - {crs} load CRS"
    return [
        {
            "id": "master",
            "type": "master",
            "node": manager.master,
            "status": f"{manager.master} ({word or 'active'}, {_date(manager.timestamp)}){suffix}",
            "timestamp": manager.timestamp,
        }
    ]


def _scheduler(ha: "Ha") -> str:
    """The scheduler that was chosen in the datacenter's options, if it is not the basic one."""
    chosen = re.search(r"(?:^|,)ha=(\w+)", str(ha.cluster.options.get("crs", "")))
    return chosen[1] if chosen and chosen[1] != "basic" else ""


def _fencing(ha: "Ha", node: str, files: HaFiles) -> dict[str, Any]:
    """Armed while the master's CRM holds its watchdog, which it does as long as its rounds go on."""
    manager = files.manager
    entry: dict[str, Any] = {"id": "fencing", "type": "fencing", "node": manager.master if manager else node}
    if manager is not None and manager.disarm is not None:
        state, mode = manager.disarm["state"], manager.disarm["mode"]
        watchdog = "released" if state == "disarmed" else "active"
        text = f"{state}, resource mode: {mode} (CRM watchdog {watchdog})"
        return entry | {"armed-state": state, "resource_mode": mode, "status": text}
    armed = manager is not None and _age_word(ha, node, manager.timestamp) == ""
    word, watchdog = ("armed", "active") if armed else ("standby", "standby")
    return entry | {"armed-state": word, "status": f"{word} (CRM watchdog {watchdog})"}


def _lrm(ha: "Ha", node: str, files: HaFiles, name: str) -> dict[str, Any]:
    lrm = files.lrms[name]
    entry: dict[str, Any] = {"id": f"lrm:{name}", "type": "lrm", "node": name}
    if not lrm.timestamp:
        return entry | {"status": f"{name} (unable to read lrm status)"}
    word = old = _age_word(ha, node, lrm.timestamp)
    if lrm.mode in ("maintenance", "disarm") or (not old and lrm.mode != "active"):
        word = f"{lrm.mode} mode"
    elif not old:
        services = files.manager.services if files.manager else {}
        idle = lrm.state == "wait_for_agent_lock" and not active_services(services, name)
        word = "idle" if idle else lrm.state
    watchdog = "standby"
    if not old and lrm.state in ("active", "maintenance"):
        watchdog = "active"
    elif lrm.mode == "disarm":
        watchdog = "released"
    status = f"{name} ({word}, watchdog {watchdog}, {_date(lrm.timestamp)})"
    return entry | {"status": status, "timestamp": lrm.timestamp}


def _service(ha: "Ha", seen_by: str, files: HaFiles, sid: str, service: Service | None) -> dict[str, Any]:
    resource = files.resources.get(sid)
    node = service.node if service else ha.cluster.pmxcfs.place(int(sid.partition(":")[2]), seen_by)
    disarm = files.manager.disarm if files.manager else None
    state = "ignore" if disarm and disarm["mode"] == "ignore" else verbose_state(resource, service)
    entry: dict[str, Any] = {
        "id": f"service:{sid}",
        "type": "service",
        "sid": sid,
        "node": node,
        "state": state,
        "status": f"{sid} ({node}, {state})",
    }
    if service is not None:
        entry["crm_state"] = service.state
    if resource is not None:
        entry["request_state"] = resource.get("state", "started")
        entry |= {name: resource.get(name, 1) for name in ("failback", "max_restart", "max_relocate")}
        entry |= {name: resource[name] for name in ("comment",) if name in resource}
    return entry


def _age_word(ha: "Ha", node: str, timestamp: int) -> str:
    """What a node says of an entry that is too old, or from the future, by its own clock."""
    world = ha.cluster.world
    age = world.time_at(world.nodes[node]) - timestamp
    return "old timestamp - dead?" if age > FRESH else "detected time drift!" if age < -DRIFT else ""


def _date(timestamp: int) -> str:
    """``Mon May  4 10:00:13 2026``; the lab's clocks show UTC."""
    return time.asctime(time.gmtime(timestamp))
