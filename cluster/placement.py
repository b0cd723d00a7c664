"""Where guests run and may run: HA's services and rules, nodes, storage; and why a guest is not back. Pure."""

from collections.abc import Mapping

from pydantic import Field

from cluster.nouns import Value
from cluster.plan import Finding
from cluster.recovery import Frozen, Service
from cluster.units import size

# What a host keeps for itself (a tenth, our choice): beyond it Proxmox VE starts to balloon guests.
RESERVED = 0.1
# `no_place` begins with it where it cannot tell: that is no room, and no lack of room either.
NOT_KNOWN = "not known whether there is room: "


class Rule(Value):
    """An HA rule: ``node-affinity`` with its nodes, or ``resource-affinity`` with whom."""

    name: str
    type: str
    resources: tuple[str, ...]
    nodes: tuple[str, ...] = ()
    strict: bool = False
    negative: bool = False


class Guest(Value):
    """A guest as the cluster lists it. `memory` in bytes, as configured; None when nobody tells it.

    `running`: its process lives, in whatever state; `unknown`: nobody says whether it does.
    """

    node: str
    name: str = ""
    memory: int | None = None
    running: bool = True
    unknown: bool = False


class Placement(Finding):
    """How things stand: HA's services, guests, rules, and the memory in bytes of each node that is online.

    `resting` are nodes in maintenance.
    `switches` are on, and would move guests by themselves.
    """

    services: dict[str, Service]
    guests: dict[str, Guest]
    rules: tuple[Rule, ...] = ()
    nodes: dict[str, int] = Field(default_factory=dict)
    resting: dict[str, int] = Field(default_factory=dict)
    switches: tuple[Frozen, ...] = ()


class PlacementWish(Value):
    """Which guests are asked for, by their HA ids; none means all."""

    guests: tuple[str, ...]


def no_place(
    sid: str,
    node: str,
    placement: Placement,
    coming: Mapping[str, str] | None = None,
    wished: Mapping[str, str] | None = None,
) -> str:
    """Why that node cannot take the guest, by rules and memory; empty when it can.

    Where a size is not told, whether there is room is not known, and the answer begins with `NOT_KNOWN`.
    `coming` says where guests will be by then, `wished` where those shall go that a rule keeps together.
    """
    coming = coming or {}
    for rule in placement.rules:
        if sid not in rule.resources:
            continue
        if rule.type == "node-affinity" and rule.strict and node not in rule.nodes:
            return f"rule {rule.name} is strict and does not allow it"
        if rule.type == "resource-affinity" and (why := _company(sid, node, rule, placement, coming, wished or {})):
            return why
    return _room(sid, node, placement, coming)


def _room(sid: str, node: str, placement: Placement, coming: Mapping[str, str]) -> str:
    """What the memory says; guests that may run count in full."""
    guest = placement.guests.get(sid)
    others = {
        other: one.memory
        for other, one in placement.guests.items()
        if other != sid and (one.running or one.unknown) and coming.get(other, one.node) == node
    }
    free = placement.nodes[node] * (1 - RESERVED) - sum(memory or 0 for memory in others.values())
    if guest is None or guest.memory is None:
        return f"{NOT_KNOWN}its size is not known"
    if guest.memory > free:
        return f"no room, it needs {size(guest.memory)}, {size(max(0, int(free)))} are free"
    if unsized := sorted(other for other, memory in others.items() if memory is None):
        return f"{NOT_KNOWN}the size of {', '.join(unsized)} there is not known"
    return ""


def _company(
    sid: str, node: str, rule: Rule, placement: Placement, coming: Mapping[str, str], wished: Mapping[str, str]
) -> str:
    """What an affinity between guests says."""
    where = {other: service.node for other, service in placement.services.items()} | dict(coming)
    others = [other for other in rule.resources if other != sid]
    if rule.negative and (there := [other for other in others if where.get(other) == node]):
        return f"rule {rule.name} keeps it apart from {', '.join(there)}"
    if not rule.negative and (away := [other for other in others if wished.get(other, where.get(other, node)) != node]):
        return f"rule {rule.name} keeps it together with {', '.join(away)}"
    return ""
