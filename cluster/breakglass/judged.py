"""How the cluster is now, as every vantage point tells it when it is asked: what a break-glass run stands on. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from cluster.conditions import Condition, serves
from cluster.looks import Facts
from cluster.nouns import Value
from cluster.plan import Finding
from cluster.verdict import Verdict

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
    the arrays that call their own copy of the pod online.
    """

    verdict: Verdict
    at: datetime
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    quorate: tuple[str, ...] = ()
    serving: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that is so, the gravest first."""
        return (self.verdict.main, *self.verdict.also)


def judged(verdict: Verdict, facts: Facts, title: str) -> Judged:
    """What a run keeps of one look; `title` says in words what is so."""
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
    )


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
    kinds = {"sessions": _SESSIONS, "no errors": _ERRORS, "guests": _ERRORS}.get(str(wish.until), ())
    left = [one for one in found.conditions if one.kind in kinds and (not about or about & set(one.where))]
    return "; ".join(reason for one in left for reason in one.reasons)


def reached(wish: JudgeWish, found: Judged) -> str:
    """What has come about, in words."""
    if wish.until in ("quorum there", "quorum"):
        there = [node for node in found.quorate if node in wish.about] if wish.about else found.quorate
        return f"{', '.join(there)} {'counts' if len(there) == 1 else 'count'} a quorum"
    words = {"answers": "all of them answer", "sessions": "every session is there"}
    return words.get(str(wish.until), "HA has every guest as requested")


_SESSIONS, _ERRORS = ("paths-lost", "paths-degraded"), ("ha-error",)
