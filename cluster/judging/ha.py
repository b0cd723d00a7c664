"""HA against the design: services in their requested state, nodes it can use, LRMs that write, a master."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.conditions import Condition
from cluster.guests import numbers
from cluster.inventory import Inventory
from cluster.judging.pulse import GOING_DOWN, behind, clocks, goes_down, masters, newest, silent
from cluster.looks import ClusterLook, Facts
from cluster.memory import MASTER, Memory
from cluster.recovery import PRESENT, STOPPED

WAITS = {
    "fence": "waits until {node} is fenced",
    "recovery": "waits for a node: HA finds none that may take it",
    "freeze": "is held by HA with {node} (state freeze)",
}
# All states of a service (reference: pve-ha §7).
KNOWN = (
    "started", "stopped", "request_start", "request_stop", "request_start_balance", "migrate", "relocate", "error",
    *WAITS,
)  # fmt: skip


def ha_conditions(
    facts: Facts, memory: Memory, inventory: Inventory, alive: frozenset[str], *, losing: bool, bare: bool
) -> Iterator[Condition]:
    """`losing`: nodes are lost, so that fencing and recovery are what HA shall do. `bare`: nothing is deployed."""
    told = newest(facts)
    if told is None:
        return
    going = goes_down(told, memory, facts.speed)
    yield from _guests(told, going, losing=losing)
    if not bare:
        yield from _left(told, memory, inventory)
    if told.disarmed:
        yield _disarmed(told)
    yield from _nodes(_Case(told, facts, memory, alive, losing, going))


def by_request(told: ClusterLook) -> tuple[str, ...]:
    """What is not as usual because people want it so, in a word each: no condition, and worth knowing."""
    resting = sorted(node for node, state in told.node_states.items() if state == "maintenance")
    stopped = sorted(sid for sid, (state, _) in told.services.items() if state == "stopped")
    words = {sid: told.requests.get(sid) or "stopped" for sid in stopped}
    going = sorted(node for node, word in told.modes.items() if word in GOING_DOWN)
    return (
        *((f"going down or restarting: {', '.join(going)}",) if going else ()),
        *((f"in maintenance: {', '.join(resting)}",) if resting else ()),
        *((f"by request: {', '.join(f'{sid} {word}' for sid, word in words.items())}",) if words else ()),
    )


def _guests(told: ClusterLook, going: set[str], *, losing: bool) -> Iterator[Condition]:
    errors = {
        sid: f"HA has given up {sid} on {node}: error"
        for sid, (state, node) in told.services.items()
        if state == "error"
    }
    if errors:
        yield _error(errors, case="")
    if losing or told.disarmed:  # a disarmed HA freezes or forgets them all: that is told by itself
        return
    waiting = {
        sid: f"{sid} {WAITS[state].format(node=node)}"
        for sid, (state, node) in told.services.items()
        if state in WAITS and not (state == "freeze" and node in going)
    }
    waiting |= {
        sid: f"{sid} does not run on {told.services[sid][1]}, although HA calls it started"
        for sid in told.idle
        if sid in told.services and told.services[sid][0] == "started"
    }
    waiting |= {
        sid: f"HA calls {sid} {state or 'nothing'} on {node}: a state that Quorate does not know"
        for sid, (state, node) in told.services.items()
        if state not in KNOWN
    }
    waiting |= {
        sid: f"{sid} is {state} on {node}, its requested state is started"
        for sid, (state, node) in told.services.items()
        if state in STOPPED and told.requests.get(sid) in ("started", "enabled")
    }
    waiting |= {
        sid: f"HA has not begun to manage {sid} yet, its requested state is {request}"
        for sid, request in told.requests.items()
        if sid not in told.services and request not in ("ignored", "")
    }
    if waiting:
        yield _error(waiting, case="waiting")


def _left(told: ClusterLook, memory: Memory, inventory: Inventory) -> Iterator[Condition]:
    """Guests of the inventory that HA kept and does not keep any more, as machine or as container."""
    kept = numbers(told.services)
    ignored = "its requested state is ignored"
    left = {
        sid: f"HA no longer manages {sid}: {ignored if told.requests.get(sid) else 'it was removed'}"
        for guest in inventory.guests
        for sid in (f"vm:{guest.vmid}", f"ct:{guest.vmid}")
        if sid in memory.as_of and guest.vmid not in kept and told.requests.get(sid, "ignored") == "ignored"
    }
    if left:
        yield _error(left, case="unmanaged")


def _error(guests: dict[str, str], case: str) -> Condition:
    return Condition(
        kind="ha-error",
        where=tuple(sorted(guests)),
        case=case,
        reasons=tuple(guests[sid] for sid in sorted(guests)),
        unless=("HA has them in their requested state",),
    )


@dataclass(frozen=True)
class _Case:
    """What is judged of HA's own hands."""

    told: ClusterLook
    facts: Facts
    memory: Memory
    alive: frozenset[str]
    losing: bool
    going: set[str]


def _nodes(case: _Case) -> Iterator[Condition]:
    told, alive, memory, speed = case.told, case.alive, case.memory, case.facts.speed
    old = silent(told, alive, memory, speed)
    master = old.pop(MASTER, "")
    bad = clocks(told, alive, memory, speed) | behind(case.facts, alive)
    bad |= {
        node: f"{node} is a member and HA calls it {told.node_states.get(node) or 'unknown'}"
        for node in sorted(alive)
        # without services there is no master for long, and what it wrote last may be of any time
        if told.services and told.node_states and told.node_states.get(node, "") not in PRESENT
    }
    bad |= {
        node: f"the LRM of {node} is in {mode}: HA does nothing there"
        for node, mode in told.modes.items()
        if node in alive and node not in case.going
    }
    bad |= {node: f"the LRM of {node} {said}" for node, said in old.items()}
    reasons = [*(bad[node] for node in sorted(bad)), *_leads(case, master)]
    if reasons:
        yield Condition(
            kind="ha-impaired",
            where=tuple(sorted(bad)),
            reasons=tuple(reasons),
            unless=("HA calls every member online, and every LRM and the master write",),
        )


def _disarmed(told: ClusterLook) -> Condition:
    return Condition(
        kind="ha-impaired",
        where=("HA",),
        case="disarmed",
        reasons=(f"HA is disarmed ({told.disarmed}): it neither fences nor restarts anything",),
        unless=("HA is armed",),
    )


def _leads(case: _Case, silent_master: str) -> Iterator[str]:
    """The master and its fencing, where HA has guests to keep; without any it may rest."""
    told = case.told
    if not told.services:
        return
    if not told.node_states:
        yield "HA lists no nodes"
    if two := masters(case.facts, told):
        yield two
    if case.losing:
        return
    if not told.master:
        yield "HA has no master"
    elif silent_master:
        yield f"HA's master {told.master} {silent_master}"
    elif told.armed not in ("", "armed") and not told.disarmed and MASTER not in (*told.called_old, *told.called_ahead):
        # where the node that answers calls the master's stamp old or of the future, it says so because of its own clock
        yield f"HA's fencing is {told.armed}: a node that is cut off is not fenced"
