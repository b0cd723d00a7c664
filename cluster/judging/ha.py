"""HA against the design: services in their requested state, nodes it can use, LRMs that write, a master."""

from collections.abc import Iterator

from cluster.conditions import Condition
from cluster.looks import ClusterLook, Facts

# What a node that is a member may be for HA; maintenance is a request of people.
USABLE = ("online", "maintenance")
WAITS = {
    "fence": "waits until {node} is fenced",
    "recovery": "waits for a node: HA finds none that may take it",
    "freeze": "is frozen with {node}",
}


def newest(facts: Facts) -> ClusterLook | None:
    """The newest word of a quorate node's API."""
    looks = [look for look in facts.cluster.values() if look.answered and look.quorate]
    return max(looks, key=lambda look: (look.at, look.by), default=None)


def ha_conditions(facts: Facts, alive: frozenset[str], *, losing: bool) -> Iterator[Condition]:
    """`losing`: nodes are lost, so that fencing and recovery are what HA shall do."""
    told = newest(facts)
    if told is None:
        return
    yield from _guests(told, losing=losing)
    yield from _nodes(told, alive, losing=losing)


def _guests(told: ClusterLook, *, losing: bool) -> Iterator[Condition]:
    errors = {
        sid: f"HA has given up {sid} on {node}: error"
        for sid, (state, node) in told.services.items()
        if state == "error"
    }
    if errors:
        yield _error(errors, case="")
    if losing:
        return
    waiting = {
        sid: f"{sid} {WAITS[state].format(node=node)}" for sid, (state, node) in told.services.items() if state in WAITS
    }
    waiting |= {
        sid: f"{sid} shall run on {told.services[sid][1]} and does not run"
        for sid in told.idle
        if sid in told.services and told.services[sid][0] == "started"
    }
    if waiting:
        yield _error(waiting, case="waiting")


def _error(guests: dict[str, str], case: str) -> Condition:
    return Condition(
        kind="ha-error",
        where=tuple(sorted(guests)),
        case=case,
        reasons=tuple(guests[sid] for sid in sorted(guests)),
        unless=("HA has them in their requested state",),
    )


def _nodes(told: ClusterLook, alive: frozenset[str], *, losing: bool) -> Iterator[Condition]:
    bad = {
        node: f"{node} is a member and HA calls it {told.node_states.get(node) or 'unknown'}"
        for node in sorted(alive)
        if told.node_states and told.node_states.get(node, "") not in USABLE
    }
    bad |= {node: f"the LRM of {node} is silent: old timestamp - dead?" for node in told.lrms_old if node in alive}
    reasons = [bad[node] for node in sorted(bad)]
    if told.services and not told.node_states:
        reasons.append("HA lists no nodes")
    if told.services and not losing:
        if not told.master:
            reasons.append("HA has no master")
        elif told.master_old:
            reasons.append(f"HA's master {told.master} is silent: old timestamp - dead?")
    if reasons:
        yield Condition(
            kind="ha-impaired",
            where=tuple(sorted(bad)),
            reasons=tuple(reasons),
            unless=("HA calls every member online, and every LRM and the master write",),
        )
