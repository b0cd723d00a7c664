"""From looks to memory: what is worth knowing after a look.

The looks themselves are in `cluster.looks`, what is kept of them in `cluster.memory`; both are found here too.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import median_high

from cluster.looks import (
    ENGINE,
    WITNESS,
    ArrayLook,
    ClusterLook,
    CopyLook,
    Facts,
    Links,
    Look,
    PowerLook,
    Totem,
    VotesLook,
    WitnessLook,
    fresh,
    lasts,
)
from cluster.memory import (
    GUESTS,
    MASTER,
    NOBODY_MOVED,
    OLD,
    ON_ITS_WAY,
    ROUNDS,
    SERVICES,
    Before,
    Memory,
    Written,
    rounds,
)
from cluster.recovery import PRESENT, STOPPED

__all__ = [
    "ENGINE",
    "WITNESS",
    "ArrayLook",
    "ClusterLook",
    "CopyLook",
    "Facts",
    "Links",
    "Look",
    "Memory",
    "PowerLook",
    "Totem",
    "VotesLook",
    "WitnessLook",
    "fresh",
    "lasts",
    "remember",
    "rounds",
]

# Two answers of the same round.
TOGETHER = timedelta(milliseconds=200)


def remember(
    memory: Memory,
    facts: Facts,
    nodes: tuple[str, ...],
    between: timedelta = ROUNDS,
    early: timedelta = NOBODY_MOVED,
) -> Memory:
    """What is known after this look.

    `between` is how far apart two looks of one series may be; so `early` after a loss HA has moved nobody yet.
    """
    facts = facts.in_order
    ids = _names(memory, facts, nodes)
    alive = dict(memory.alive)
    for node, when in _lives(facts):
        alive[node] = max(when, alive.get(node, when))
    broken = memory.looked is None or memory.unbroken is None or facts.at - memory.looked > between
    heard, quiet, woke = _silences(memory, facts)
    known = memory.model_copy(
        update={
            "ids": ids,
            "alive": alive,
            "counted": _counts(memory, facts, nodes, ids),
            "heard": heard,
            "quiet": quiet,
            "woke": woke,
            "rested": _latest(memory.rested, _rests(facts, woke)),
            "worked": _latest(memory.worked, _works(facts)),
            "layers": _layers(memory, facts, nodes),
            "written": _written(memory, facts, between),
            "unbroken": facts.at if broken else memory.unbroken,
            "looked": max(facts.at, memory.looked or facts.at),
            "rounds": between,
            "early": early,
        }
    )
    return _learn(known, facts)


def _names(memory: Memory, facts: Facts, nodes: tuple[str, ...]) -> dict[int, str]:
    """Names by node id: the newest complete ones of a quorate node; all others only fill gaps.

    A node that starts, or that lies, must not rename those who are known.
    """
    told = sorted((look for look in facts.cluster.values() if look.answered), key=lambda look: (look.at, look.by))
    names: dict[int, str] = {}
    for look in told:
        names |= look.ids
    names |= memory.ids
    for look in told:
        if look.quorate and set(nodes) <= set(look.ids.values()):
            names |= look.ids
    return names


def _counts(memory: Memory, facts: Facts, nodes: tuple[str, ...], ids: dict[int, str]) -> dict[str, datetime]:
    """When a node was counted, or the witness had a client, for the last time."""
    told = [
        (ids.get(number, ""), look.at)
        for look in facts.votes.values()
        if look.answered and look.settled and look.quorate
        for number in look.members
    ]
    witness = facts.witness
    if witness is not None and witness.answered and witness.clients:
        told.append((witness.by, witness.at))
    counted = dict.fromkeys((*nodes, *((witness.by,) if witness else ())), facts.at) | memory.counted
    for name, when in told:
        if name not in memory.counted or when > counted[name]:
            counted[name] = when
    return counted


def _lives(facts: Facts) -> list[tuple[str, datetime]]:
    """Direct proofs of life: which node, when. What others believe may be old and is none."""
    return [(look.by, look.at) for look in (*facts.votes.values(), *facts.cluster.values()) if look.answered]


def _silences(memory: Memory, facts: Facts) -> tuple[dict[str, datetime], dict[str, datetime], dict[str, datetime]]:
    """By source: when it answered last, since when it has not, and when it answered first after a silence."""
    heard, quiet, woke = dict(memory.heard), dict(memory.quiet), dict(memory.woke)
    for look in facts.looks:
        if not look.answered:
            quiet.setdefault(look.source, look.at)
        elif look.source not in heard or look.at >= heard[look.source]:
            heard[look.source] = look.at
            if quiet.pop(look.source, None) is not None:
                woke[look.source] = look.at
    return heard, quiet, woke


def _rests(facts: Facts, woke: dict[str, datetime]) -> Iterator[tuple[str, datetime]]:
    """When a node was found in maintenance and without a running guest.

    It counts once the node has spoken after that look, without a silence in between: what is said of a dead node is
    a guess, and HA goes on to call it in maintenance. A list that a missing right may have filtered proves nothing.
    """
    spoken = {look.by: look.at for look in facts.votes.values() if look.answered and look.quorate}
    for look in facts.cluster.values():
        if not (look.answered and look.quorate and _counts_too(look, facts)) or look.hidden or not look.sees_all:
            continue
        for node, word in look.node_states.items():
            silent = any(when > look.at for source, when in woke.items() if source.startswith(f"{node} ("))
            alive = node in spoken and spoken[node] >= look.at - TOGETHER
            if word == "maintenance" and node not in _busy(look) | {*look.unclear} and alive and not silent:
                yield node, look.at


def _works(facts: Facts) -> Iterator[tuple[str, datetime]]:
    """When a node was found online, or with a guest on it."""
    for look in facts.cluster.values():
        if look.answered and look.quorate and _counts_too(look, facts):
            for node in _busy(look) | {node for node, word in look.node_states.items() if word == "online"}:
                yield node, look.at


def _busy(look: ClusterLook) -> set[str]:
    """Nodes on which a guest runs, or has to by HA's word; or on which one may run that is not shown."""
    hiding = look.node_states if look.veiled else ()
    return {*hiding, *look.guests.values(), *(node for state, node in look.services.values() if state not in STOPPED)}


def _latest(known: dict[str, datetime], seen: Iterator[tuple[str, datetime]]) -> dict[str, datetime]:
    found = dict(known)
    for name, when in seen:
        found[name] = max(when, found.get(name, when))
    return found


def _layers(memory: Memory, facts: Facts, nodes: tuple[str, ...]) -> dict[str, datetime]:
    """The parts of the design that were seen, each with the last time."""
    return _latest(memory.layers, _seen(facts, nodes))


def _seen(facts: Facts, nodes: tuple[str, ...]) -> Iterator[tuple[str, datetime]]:
    for array in facts.arrays.values():
        if array.by in array.copies:
            yield f"pod {array.by}", array.at
        if set(nodes) & set(array.logins):
            yield f"sessions {array.by}", array.at
    for votes in facts.votes.values():
        if votes.quorate and votes.device:
            yield "device", votes.at


def _written(memory: Memory, facts: Facts, between: timedelta) -> dict[str, Written]:
    """HA's stamps, each with the first look that has seen it.

    A node whose cluster file system stands still tells stamps of the past beside others: they are passed over as a
    whole. Stamps that go back at all nodes, or a single one, are those of clocks that were set. After a gap it is not
    known whether a stamp has moved lately.
    """
    known, last = dict(memory.written), memory.looked or facts.at
    told = [look for look in facts.cluster.values() if look.answered and look.quorate and look.stamps]
    newer = [(median_high(look.stamps.values()), look) for look in told if memory.looked is None or look.at >= last]
    leads = max((stamp for stamp, _ in newer), default=0)
    for stamp_of_all, look in sorted(newer, key=lambda one: (one[1].at, one[1].by)):
        if leads - stamp_of_all > OLD.total_seconds():
            continue
        for name, stamp in look.stamps.items():
            if name not in known or known[name].stamp != stamp:
                known[name] = Written(stamp=stamp, since=look.at, moved=name in known and look.at - last <= between)
    return dict(sorted(known.items()))


def _learn(memory: Memory, facts: Facts) -> Memory:
    """Master, services and guests: the newest word of the quorate part, whoever has said it."""
    views = [look for look in facts.cluster.values() if look.answered and look.quorate and _counts_too(look, facts)]
    told = max(views, key=lambda look: (look.at, look.by), default=None)
    if told is None or (SERVICES in memory.as_of and told.at <= memory.as_of[SERVICES]):
        return memory
    as_of = memory.as_of | {SERVICES: told.at, GUESTS: told.at}
    before = _brought(memory, told)
    services, states = dict(memory.services), dict(memory.states)
    for sid in services.keys() - told.services.keys():  # no longer under HA
        del services[sid]
        states.pop(sid, None)
        as_of[sid] = told.at
    for sid, (state, node) in told.services.items():
        if state in ON_ITS_WAY and sid in services and memory.was_seen(sid):
            continue  # the home that it had before the loss
        services[sid], states[sid], as_of[sid] = node, state, told.at
    placement = dict(memory.placement)
    for vmid in told.stopped:
        if vmid in placement and _answers(placement[vmid], told.at, facts):
            del placement[vmid]
            as_of[str(vmid)] = told.at
    for vmid, node in told.guests.items():
        placement[vmid], as_of[str(vmid)] = node, told.at
    master = told.master or memory.master
    if told.master:
        as_of[MASTER] = told.at
    return memory.model_copy(
        update={
            "master": master,
            "resting": tuple(sorted(node for node, state in told.node_states.items() if state == "maintenance")),
            "services": services,
            "states": states,
            "before": before,
            "placement": placement,
            "veiled": memory.veiled if told.veiled is None else told.veiled,
            "as_of": as_of,
        }
    )


def _brought(memory: Memory, told: ClusterLook) -> dict[str, Before]:
    """Guests that HA has brought from nodes that it calls lost: where each was before the first loss.

    One that is elsewhere so early after its node was seen last had left it before.
    """
    found = {}
    for sid, (state, node) in told.services.items():
        was = memory.services.get(sid, node)
        last = memory.seen(was)
        lost = told.node_states.get(was, "") not in PRESENT and (last is None or told.at - last >= memory.early)
        if one := memory.before.get(sid):
            if told.node_states.get(one.node, "") not in PRESENT and node != one.node:
                found[sid] = one
        elif state not in ON_ITS_WAY and node != was and lost and sid in memory.as_of:
            found[sid] = Before(node=was, as_of=memory.as_of[sid], moved=told.at)
    return found


def _counts_too(look: ClusterLook, facts: Facts) -> bool:
    """The node's own votes do not say otherwise: an API may believe in a quorum for longer than corosync does."""
    votes = facts.votes.get(look.by)
    return votes is None or not votes.answered or votes.quorate


def _answers(node: str, when: datetime, facts: Facts) -> bool:
    """The node spoke for itself in the same round: what others say of a silent node's guests may be guessed."""
    own = (*facts.votes.values(), *facts.cluster.values())
    return any(look.by == node and look.answered and look.at >= when - TOGETHER for look in own)
