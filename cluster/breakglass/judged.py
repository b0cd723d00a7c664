"""How the cluster is now, as every vantage point tells it when it is asked: what a break-glass run stands on. Pure."""

import operator
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from cluster.basis import Basis
from cluster.conditions import Condition, known_name, serves
from cluster.evidence import clients_of
from cluster.guests import numbers
from cluster.judging.pulse import newest
from cluster.looks import ClusterLook, Facts, VotesLook
from cluster.memory import GUESTS, SERVICES, Memory
from cluster.nouns import Value
from cluster.plan import Finding
from cluster.verdict import UNSTEADY, Verdict, turns

# What a change is made for: the quorum at these nodes, or anywhere; their sessions; these guests with HA; all guests.
Outcome = Literal["quorum there", "quorum", "answers", "sessions", "no errors", "guests"]


class JudgeWish(Value):
    """Which cluster; none means the worker's own. `powers`: wait for every management controller too.

    `until`: look again until that has come about for what it is `about` (nodes or guests), for `limit` seconds of the
    cluster's time at most; without it, look once.
    """

    cluster: str | None = None
    powers: bool = False
    until: Outcome | None = None
    about: tuple[str, ...] = ()
    limit: float = 600.0


class Judged(Finding):
    """A verdict with the facts that a plan needs, all of one moment (`at`, by the worker's clock).

    `on` and `off` are nodes by the word of their management controllers; one that says nothing is in neither.
    `answers` are nodes that answer for themselves, `quorate` those that count themselves in the quorate part, `serving`
    the arrays that call their own copy of the pod online, of several pods of each. `partly` are those that do so of
    some pods and not of all.

    `parts` are the members that each node counts whose votes are told, `needed` the votes that make a quorum by the
    most that any of them says, and `clients` the nodes that the witness hears; None while it does not answer.
    `resting` are nodes that HA had in maintenance when it was heard last. `outside` are guests that run and are not
    under HA, with their nodes; None where nobody tells. `unsteady` are keys of conditions that come and go. `heard`:
    HA's word is known, of now or of before; `tells`: of now. `hidden` are services whose guests the token may not see,
    `deaf` the arrays that do not answer: what nobody tells has not come about. `basis` is what the verdict was computed
    from, for the record.
    """

    verdict: Verdict
    at: datetime
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    quorate: tuple[str, ...] = ()
    serving: tuple[str, ...] = ()
    partly: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    parts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    needed: int = 0
    clients: tuple[str, ...] | None = None
    resting: tuple[str, ...] = ()
    outside: dict[int, str] | None = None
    unsteady: tuple[str, ...] = ()
    heard: bool = True
    tells: bool = True
    hidden: tuple[str, ...] = ()
    deaf: tuple[str, ...] = ()
    basis: Basis | None = None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that is so, the gravest first."""
        return (self.verdict.main, *self.verdict.also)


def judged(verdict: Verdict, facts: Facts, title: str, memory: Memory | None = None) -> Judged:
    """What a run keeps of one look; `title` says in words what is so, `memory` is the watch's, this look included."""
    memory = memory or Memory()
    views = {node: look for node, look in facts.votes.items() if look.answered}
    told, witness = newest(facts), facts.witness
    power = {name: look.on for name, look in facts.power.items() if look.answered}
    return Judged(
        finding=title,
        mark="done" if verdict.kind == "healthy" else "warned",
        verdict=verdict,
        at=facts.at,
        on=_named(name for name, on in power.items() if on is True),
        off=_named(name for name, on in power.items() if on is False),
        answers=_named(look.by for look in (*facts.votes.values(), *facts.cluster.values()) if look.answered),
        quorate=_named(look.by for look in facts.votes.values() if look.answered and look.quorate and look.settled),
        serving=_named(look.by for look in facts.arrays.values() if serves(look)),
        partly=_named(look.by for look in facts.arrays.values() if not serves(look) and any(map(serves, look.each))),
        parts={node: _members(look, memory) for node, look in sorted(views.items())},
        needed=max((look.quorum for look in views.values()), default=0),
        clients=_named(clients_of(facts, memory)) if witness is not None and witness.answered else None,
        resting=_named(_resting(facts, memory, told)),
        outside=_outside(told, memory),
        heard=told is not None or SERVICES in memory.as_of,
        tells=told is not None,
        hidden=_named(told.hidden if told else ()),
        deaf=_named(look.by for look in facts.arrays.values() if not look.answered),
        unsteady=tuple(one.key for one in (verdict.main, *verdict.also) if turns(one.key, memory, facts) >= UNSTEADY),
    )


def _members(look: VotesLook, memory: Memory) -> tuple[str, ...]:
    return _named(known_name(number, memory) for number in look.members)


def _resting(facts: Facts, memory: Memory, told: ClusterLook | None) -> Iterable[str]:
    """By a quorate node's word, or where there is none by any that was heard: one word is enough."""
    if told is not None:
        return (node for node, state in told.node_states.items() if state == "maintenance")
    own = (look.node_states for look in facts.cluster.values() if look.answered)
    return (*memory.resting, *(node for states in own for node, state in states.items() if state == "maintenance"))


def _outside(told: ClusterLook | None, memory: Memory) -> dict[int, str] | None:
    """By HA's word of now, else by what the watch has seen without a gap: a guest more is better than one less.

    Where a missing right may hide guests, it is not known who else runs.
    """
    veiled = told.veiled if told is not None and told.veiled is not None else memory.veiled
    if veiled:
        return None
    if told is None and not memory.was_seen(GUESTS):
        return None
    services, guests = (told.services, told.guests) if told else (memory.services, memory.placement)
    kept = numbers(services)
    return {vmid: node for vmid, node in sorted(guests.items()) if vmid not in kept}


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def lacks(wish: JudgeWish, found: Judged) -> str:
    """What of the outcome has not come about yet, in words; empty when all of it has."""
    about = set(wish.about)
    if wish.until == "quorum there":
        there = about & set(found.quorate)
        return "" if there else f"no node of {', '.join(wish.about)} counts a quorum yet"
    if wish.until == "quorum":
        return "" if found.quorate else "no node counts a quorum yet"
    if wish.until == "answers":
        silent = sorted(about - set(found.answers))
        return f"no answer from {', '.join(silent)} yet" if silent else ""
    if wish.until is not None and (unknown := _not_told(wish.until, about, found)):
        return unknown
    kinds = {"sessions": _SESSIONS, "no errors": _ERRORS, "guests": _ERRORS}.get(str(wish.until), ())
    left = [one for one in found.conditions if one.kind in kinds and (not about or concerns(one, about))]
    return "; ".join(reason for one in left for reason in one.reasons)


def _not_told(until: Outcome, about: set[str], found: Judged) -> str:
    """Why it is not known: where nobody tells of a trouble there may be one all the same."""
    if until == "sessions":
        return f"which sessions {' and '.join(found.deaf)} has is not known: no answer" if found.deaf else ""
    if not found.tells:
        return HA_UNTOLD
    unseen = [sid for sid in found.hidden if sid in about or not about]
    return f"whether {', '.join(unseen)} runs is not known: VM.Audit is missing there" if unseen else ""


def concerns(condition: Condition, names: Iterable[str]) -> bool:
    """It is about one of these nodes or guests. Paths that every node has lost are told with the array alone."""
    if condition.kind == "paths-lost" and len(condition.where) == 1:
        return True
    return bool({*names} & {*condition.where})


def reached(wish: JudgeWish, found: Judged) -> str:
    """What has come about, in words."""
    if wish.until in ("quorum there", "quorum"):
        there = [node for node in found.quorate if node in wish.about] if wish.about else found.quorate
        return f"{', '.join(there)} {'counts' if len(there) == 1 else 'count'} a quorum"
    words = {"answers": "all of them answer", "sessions": "every session is there"}
    return words.get(str(wish.until), "HA has every guest as requested")


HA_UNTOLD = "what HA has of the guests is not known: no node with a quorum tells it"
_SESSIONS, _ERRORS = ("paths-lost", "paths-degraded"), ("ha-error",)
