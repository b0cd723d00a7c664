"""How HA's state reads: the entries of ``/cluster/ha/status`` with the texts that `ha-manager status` prints.

Texts and their order follow the reference pve-ha, sections 12 and 13.
"""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.ha import Ha
    from lab.proxmox.ha_state import Service
    from lab.proxmox.lrm import Lrm

# An entry older than this is `old timestamp - dead?`.
FRESH = 30


def status_current(ha: "Ha", node: str) -> list[dict[str, Any]]:
    """All entries as one node answers them: quorum, master, fencing, LRMs, services."""
    entries = [_quorum(ha, node), *_master(ha), _fencing(ha, node)]
    manager = ha.manager
    if manager is not None:
        entries += [_lrm(ha, ha.lrms[name]) for name in sorted(manager.nodes)]
    known = manager.services if manager else {}
    entries += [_service(ha, sid, known[sid]) for sid in sorted(known)]
    entries += [_service(ha, sid, None) for sid in sorted(ha.resources) if sid not in known]
    return entries


def manager_status(ha: "Ha", node: str) -> dict[str, Any]:
    """``/cluster/ha/status/manager_status``: the files as they are."""
    manager = ha.manager
    file: dict[str, Any] = {}
    if manager is not None:
        file = {
            "master_node": manager.master,
            "timestamp": manager.timestamp,
            "node_status": manager.nodes,
            "service_status": {sid: service.entry() for sid, service in manager.services.items()},
        }
    lrms = {
        name: {"state": lrm.state, "mode": lrm.mode, "timestamp": lrm.timestamp, "results": lrm.results}
        for name, lrm in ha.lrms.items()
    }
    quorate = int(ha.cluster.world.votes(node).quorate)
    return {"manager_status": file, "lrm_status": lrms, "quorum": {"node": node, "quorate": quorate}}


def verbose_state(resource: dict[str, Any] | None, service: "Service | None") -> str:
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


def _master(ha: "Ha") -> list[dict[str, Any]]:
    """No entry before there ever was a master."""
    manager = ha.manager
    if manager is None:
        return []
    idle = not ha.resources and not manager.services
    word = "old timestamp - dead?" if not _fresh(ha, manager.timestamp) else "idle" if idle else "active"
    return [
        {
            "id": "master",
            "type": "master",
            "node": manager.master,
            "status": f"{manager.master} ({word}, {_date(manager.timestamp)})",
            "timestamp": manager.timestamp,
        }
    ]


def _fencing(ha: "Ha", node: str) -> dict[str, Any]:
    """Armed while the master's CRM holds its watchdog, which it does as long as its rounds go on."""
    armed = ha.manager is not None and _fresh(ha, ha.manager.timestamp)
    word, watchdog = ("armed", "active") if armed else ("standby", "standby")
    return {
        "id": "fencing",
        "type": "fencing",
        "node": node,
        "armed-state": word,
        "status": f"{word} (CRM watchdog {watchdog})",
    }


def _lrm(ha: "Ha", lrm: "Lrm") -> dict[str, Any]:
    fresh = _fresh(ha, lrm.timestamp)
    idle = lrm.state == "wait_for_agent_lock" and not ha.active_services(lrm.node)
    word = "old timestamp - dead?" if not fresh else "idle" if idle else lrm.state
    watchdog = "active" if fresh and lrm.state == "active" else "standby"
    return {
        "id": f"lrm:{lrm.node}",
        "type": "lrm",
        "node": lrm.node,
        "status": f"{lrm.node} ({word}, watchdog {watchdog}, {_date(lrm.timestamp)})",
        "timestamp": lrm.timestamp,
    }


def _service(ha: "Ha", sid: str, service: "Service | None") -> dict[str, Any]:
    resource = ha.resources.get(sid)
    node = service.node if service else ha.guest_node(sid)
    state = verbose_state(resource, service)
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


def _fresh(ha: "Ha", timestamp: int) -> bool:
    return ha.cluster.world.clock.now() - timestamp <= FRESH


def _date(timestamp: int) -> str:
    """``Mon May  4 10:00:13 2026``; the lab's clocks show UTC."""
    return time.asctime(time.gmtime(timestamp))
