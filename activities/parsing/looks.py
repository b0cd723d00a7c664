"""What a node, Proxmox VE's API and an array answer, as the fields of a look."""

import statistics
from datetime import UTC, datetime
from typing import Any

from activities.parsing.guests import parse_guests
from activities.parsing.votes import VoteCount
from cluster.facts import CopyLook
from cluster.memory import MASTER, OLD
from cluster.transports import initiator_of

# One row of a FlashArray answer.
Item = dict[str, Any]

CALLED_OLD, CALLED_AHEAD = "old timestamp - dead?", "detected time drift!"
# Modes and states of an LRM that sees to its guests, or has none (reference: pve-ha §6).
ACTS = ("active", "maintenance", "disarm")
STATES = ("active", "maintenance", "wait_for_agent_lock")


def votes_view(found: VoteCount) -> dict[str, Any]:
    """What one node counts, as the fields of a `VotesLook`."""
    return {
        "expected": found.expected,
        "total": found.total,
        "quorum": found.quorum,
        "quorate": found.quorate,
        "members": tuple(sorted(member.node_id for member in found.members)),
        "votes": {member.node_id: member.votes for member in found.members},
        "device": bool(found.device_votes),
        "configured": found.has_device,
        "settled": found.settled,
    }


def cluster_view(
    status: list[dict[str, Any]],
    manager: dict[str, Any],
    resources: list[dict[str, Any]],
    storage: str | tuple[str, ...] = "",
    current: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """What one node's API says, as the fields of a `ClusterLook`; `storage` is the inventory's, or several are.

    `current` is the same of HA in the words of the node that answers, which judges by its own clock.
    """
    known = manager.get("manager_status") or {}
    services: dict[str, dict[str, Any]] = known.get("service_status") or {}
    guests = parse_guests(resources)
    listed = {row.sid for row in guests}
    first, *others = (storage,) if isinstance(storage, str) else storage
    return {
        "ids": {int(entry["nodeid"]): entry["name"] for entry in status if entry["type"] == "node"},
        "quorate": any(int(entry.get("quorate") or 0) for entry in status if entry["type"] == "cluster"),
        "master": str(known.get("master_node") or ""),
        "node_states": known.get("node_status") or {},
        **_ages(known, manager.get("lrm_status") or {}),
        **ha_words(current or []),
        "modes": _modes(manager.get("lrm_status") or {}),
        "disarmed": str((known.get("disarm") or {}).get("mode") or ""),
        "services": {sid: (str(one.get("state")), str(one.get("node"))) for sid, one in services.items()},
        "idle": tuple(
            sorted(sid for sid, one in services.items() if one.get("state") == "started" and not one.get("running"))
        ),
        "guests": {row.guest.vmid: row.node for row in guests if row.alive},
        "stopped": tuple(row.guest.vmid for row in guests if row.status == "stopped"),
        "unclear": tuple(sorted({row.node for row in guests if row.unknown})),
        "hidden": tuple(sorted(services.keys() - listed)),
        "storages": _states_of(resources, first),
        "more": {one: _states_of(resources, one) for one in others},
    }


def _states_of(resources: list[dict[str, Any]], storage: str) -> dict[str, str]:
    return {
        str(row["node"]): str(row.get("status") or "unknown")
        for row in resources
        if storage and row["type"] == "storage" and row.get("storage") == storage and row.get("node")
    }


def _ages(known: dict[str, Any], lrms: dict[str, Any]) -> dict[str, Any]:
    """Whose entries are old, by the entries' own times: one clock that is wrong must not make all others old."""
    stamps = {node: int(lrm.get("timestamp") or 0) for node, lrm in lrms.items()}
    written = int(known.get("timestamp") or 0)
    told = {**stamps, MASTER: written}
    if not stamps or not written:
        return {"stamps": {name: stamp for name, stamp in told.items() if stamp}}
    # the median of the newest five: the master's clock gives two of them, and most LRMs may be dead
    now = statistics.median_high(sorted([written, *stamps.values()])[-5:])
    silent = [node for node in known.get("node_status") or {} if now - stamps.get(node, 0) > OLD.total_seconds()]
    return {"lrms_old": tuple(sorted(silent)), "master_old": now - written > OLD.total_seconds(), "stamps": told}


def ha_words(current: list[dict[str, Any]]) -> dict[str, Any]:
    """What the node that answers says of HA's stamps, of the fencing and of what people want of each service."""
    said = {_writer(one): str(one.get("status") or "") for one in current if one.get("type") in ("lrm", "master")}
    return {
        "called_old": tuple(sorted(name for name, text in said.items() if CALLED_OLD in text)),
        "called_ahead": tuple(sorted(name for name, text in said.items() if CALLED_AHEAD in text)),
        "armed": next((str(one.get("armed-state") or "") for one in current if one.get("type") == "fencing"), ""),
        "requests": {
            str(one["sid"]): str(one.get("request_state") or "") for one in current if one.get("type") == "service"
        },
    }


def _writer(entry: dict[str, Any]) -> str:
    return MASTER if entry["type"] == "master" else str(entry.get("node") or "")


def _modes(lrms: dict[str, dict[str, Any]]) -> dict[str, str]:
    """LRMs that do not act: one that restarts or goes down, one without its lock, or whose word is not known."""
    found = {}
    for node, lrm in lrms.items():
        mode, state = str(lrm.get("mode") or "active"), str(lrm.get("state") or "active")
        if mode not in ACTS:
            found[node] = f"{mode} mode"
        elif state not in STATES:
            found[node] = state
    return found


def pods_view(pods: dict[str, Item | None]) -> dict[str, Any]:
    """The copies of several pods, by name, as the fields of an `ArrayLook`: of each, and what holds for all."""
    found = {name: _copies(pod) for name, pod in pods.items()}
    everywhere = set.intersection(*(set(copies) for copies in found.values()))
    worst = {
        array: max((copies[array].model_copy(update={"pod": name}) for name, copies in found.items()), key=_ill)
        for array in sorted(everywhere)
    }
    return {"copies": worst, "pods": found}


# From what serves to what does not, and a copy that nobody can read is no better than one that is away.
_STATES = ("online", "resyncing")


def _ill(copy: CopyLook) -> tuple[int, bool, bool]:
    state = _STATES.index(copy.status) if copy.status in _STATES else len(_STATES)
    return state, copy.frozen_at is not None, copy.mediator != "online"


def array_view(
    pod: Item | None,
    link: Item | None,
    initiators: list[Item],
    portals: list[Item],
    nodes: dict[str, str],
) -> dict[str, Any]:
    """What one array says, as the fields of an `ArrayLook`. `nodes` are by their initiators.

    `portals` are the ports that the nodes use: sessions at others count for nothing.
    """
    used = {str(one.get(field)) for one in portals for field in ("portal", "name") if one.get(field)}
    # ports, not sessions: a host with two interfaces has two at each port, and would hide one that is dark
    ports: dict[str, set[str]] = {}
    for number, row in enumerate(initiators):
        who, target = initiator_of(row), row.get("target") or {}
        port = str(target.get("portal") or target.get("name") or number)
        if who in nodes and (not used or port in used):
            ports.setdefault(nodes[who], set()).add(port)
    return {
        "copies": _copies(pod),
        "replication": str((link or {}).get("status") or ""),
        "logins": {node: len(found) for node, found in ports.items()},
        "portals": len(portals),
    }


def _copies(pod: Item | None) -> dict[str, CopyLook]:
    there = pod if pod and not pod.get("destroyed") else {}
    return {row["name"]: _copy(row) for row in there.get("arrays") or []}


def _copy(row: Item) -> CopyLook:
    frozen = row.get("frozen_at")
    return CopyLook(
        status=str(row.get("status")),
        mediator=str(row.get("mediator_status") or ""),
        pre_elected=bool(row.get("pre_elected")),
        frozen_at=datetime.fromtimestamp(frozen / 1000, UTC) if frozen else None,
        progress=row.get("progress"),
    )
