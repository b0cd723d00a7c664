"""Whether HA's own hands move: stamps of its LRMs and its master, against clocks that do not stand still with them.

Stamps that are old by each other, stamps that stay the same from look to look by our own clock, and what the node that
answers says by its clock. A clock that is wrong is told as that: it makes nobody dead. `speed` is that of the facts:
how much faster than our clock the cluster's time runs.
"""

from collections.abc import Iterator
from datetime import timedelta
from statistics import median_high

from cluster.looks import ClusterLook, Facts
from cluster.memory import MASTER, OLD, Memory

# A clock is wrong by HA's measure where stamps differ by more than it and a round with its work.
SKEW = OLD + timedelta(seconds=15)
# An LRM that has guests stopped, frozen or moved away first; one that stands still meanwhile does not write.
GOING_DOWN = ("restart mode", "shutdown mode", "reboot mode")
# Looks of one round: the nodes tell the same state of HA.
TOGETHER = timedelta(seconds=1)


def newest(facts: Facts) -> ClusterLook | None:
    """The newest word of a quorate node's API whose cluster file system goes on."""
    behind = _behind(facts)
    looks = [look for look in _quorate(facts) if look.by not in behind]
    return max(looks, key=lambda look: (look.at, look.by), default=None)


def behind(facts: Facts, alive: frozenset[str]) -> dict[str, str]:
    """Members whose API tells a state of HA that others have long left behind."""
    found = _behind(facts)
    return {
        node: f"the API of {node} shows HA's state of {age.total_seconds():.0f} s ago: its pmxcfs is not updated"
        for node, age in found.items()
        if node in alive
    }


def masters(facts: Facts, told: ClusterLook) -> str:
    """Two nodes name different masters at the same time; empty while they agree."""
    named = {look.by: look.master for look in _quorate(facts) if look.master and abs(told.at - look.at) <= TOGETHER}
    if len(set(named.values())) < 2:
        return ""
    return "HA has two masters: " + ", ".join(f"{by} names {master}" for by, master in sorted(named.items()))


def silent(told: ClusterLook, alive: frozenset[str], memory: Memory, speed: float) -> dict[str, str]:
    """LRMs of members, and the master under its own word, that do not write any more."""
    found = {
        name: f"has not written for {age.total_seconds():.0f} s" for name, age in _unmoved(told, memory, speed).items()
    }
    moving = _moving(told, memory, speed)
    if not found and _all_old(told) and not moving:
        found = dict.fromkeys(told.stamps, f"is old by the clock of {told.by}, as are all others")
    old = (*told.lrms_old, *((MASTER,) if told.master_old else ()))
    # old by the others, but it moves: that is a clock that is behind
    found |= {name: "is silent: HA says 'old timestamp - dead?'" for name in old if name not in moving}
    return {name: said for name, said in sorted(found.items()) if name in alive or name == MASTER}


def clocks(told: ClusterLook, alive: frozenset[str], memory: Memory, speed: float) -> dict[str, str]:
    """Members whose clocks are wrong by more than HA's measure allows for: fencing counts on clocks."""
    found, moving = {}, _moving(told, memory, speed)
    # what the dead wrote last is no clock, and the master's stamp is that of its node once more
    live = {node: stamp for node, stamp in sorted(told.stamps.items()) if node in alive and node in moving}
    now = median_high(live.values()) if len(live) > 2 else None
    for node, stamp in live.items():
        if now is not None and abs(stamp - now) > SKEW.total_seconds():
            side = "ahead of" if stamp > now else "behind"
            found[node] = f"the clock of {node} is {abs(stamp - now)} s {side} HA's other stamps"
    return found


def goes_down(told: ClusterLook, memory: Memory, speed: float) -> set[str]:
    """Nodes whose LRM sees to their guests before it restarts or the node goes down: planned, and under way."""
    going = {node for node, word in told.modes.items() if word in GOING_DOWN}
    return going & _moving(told, memory, speed)


def _quorate(facts: Facts) -> Iterator[ClusterLook]:
    return (look for look in facts.cluster.values() if look.answered and look.quorate)


def _behind(facts: Facts) -> dict[str, timedelta]:
    """How far each node's state of HA is behind the newest one; looks of another time are set to one moment."""
    states = {
        look.by: timedelta(seconds=median_high(look.stamps.values())) + (facts.at - look.at) * facts.speed
        for look in _quorate(facts)
        if look.stamps
    }
    leads = max(states.values(), default=timedelta())
    return {node: leads - state for node, state in states.items() if leads - state > OLD}


def _unmoved(told: ClusterLook, memory: Memory, speed: float) -> dict[str, timedelta]:
    """Stamps that are the same for longer than HA's measure, by the clock of those who look."""
    found = {
        name: (told.at - known.since) * speed
        for name, stamp in told.stamps.items()
        if (known := memory.written.get(name)) and known.stamp == stamp
    }
    return {name: age for name, age in found.items() if age > OLD}


def _moving(told: ClusterLook, memory: Memory, speed: float) -> set[str]:
    """Stamps that were seen to change lately, whatever they say."""
    return {
        name
        for name, known in memory.written.items()
        if name in told.stamps and known.moved and (told.at - known.since) * speed <= OLD
    }


def _all_old(told: ClusterLook) -> bool:
    """The node that answers calls everything old, by its own clock."""
    return bool(told.stamps) and set(told.stamps) <= set(told.called_old)
