"""Noise that is no incident, drawn by lot: what does a watch make of it?

    python -m tests.verdict.noise --count 10000        how often a healthy cluster is called lost: never
    python -m tests.verdict.noise --count 500 --loss   how soon a site that dies in the same noise is called lost

A schedule is a seed. It is a sequence of looks, one second apart, of everybody: answers fail, hang and come late, a
whole site's management is out of reach, the engine's own network is cut, the witness's daemon restarts, clocks are off
by up to a second, and one source lies. What is not in it: two liars, and both sites' management out of reach while the
witness is not (from there it looks like the end of both sites, and is told as such).
"""

import argparse
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from cluster.facts import ArrayLook, CopyLook, Facts, Look, Memory, Totem, WitnessLook, remember
from cluster.verdict import Verdict, judge, turned
from tests.verdict.world import (
    ARRAY,
    IDS,
    INVENTORY,
    NODES,
    NUMBER,
    OF,
    OTHER,
    QDEVICE,
    QUICK,
    SITE_OF,
    SLOW,
    START,
    World,
    quiet,
)

FALSE = ("site-lost", "site-isolated", "sites-parted", "quorum-lost")
LOOKS, LOSS_LOOKS = 40, 90
# A noise that is longer than this is an incident of its own.
LONGEST = 20.0
HEALTHY = World()
EVERYBODY = tuple((look.by, look.how) for look in HEALTHY.facts.looks)
TURN = {source: number for number, source in enumerate(EVERYBODY)}
QUIET = {(look.by, look.how): quiet(look) for look in HEALTHY.facts.looks}
WITNESS = HEALTHY.witness or WitnessLook(by=QDEVICE, how="ssh", domain="witness", at=START)
Source = tuple[str, str]
L = TypeVar("L", bound=Look)
Change = dict[str, object]
Lie = Callable[[Look], Change]


@dataclass(frozen=True)
class Span:
    """From when to when something is so, in seconds after the first look."""

    begin: float
    end: float

    def holds(self, now: float) -> bool:
        return self.begin <= now < self.end


@dataclass
class Schedule:
    """What goes wrong when. `dies` is the site that loses its power, `keeps` who goes on seeing it alive."""

    seed: int
    totem: Totem = SLOW
    silences: list[tuple[frozenset[Source], Span]] = field(default_factory=list)
    unsettled: list[tuple[str, Span]] = field(default_factory=list)
    restarts: list[Span] = field(default_factory=list)
    drift: dict[Source, timedelta] = field(default_factory=dict)
    liar: Source | None = None
    lie: Lie = lambda look: {}
    lies: Span = Span(0, 0)
    dies: str = ""
    at: float = 0
    settles: float = 0
    forgets: dict[str, float] = field(default_factory=dict)
    keeps: Source | None = None

    @property
    def evident(self) -> float:
        """From when on everybody who answers has the loss, if nothing disturbs."""
        return max(self.settles, *self.forgets.values(), self.at + 10) + 3


def drawn(seed: int, *, loss: bool = False) -> Schedule:
    """The schedule of a seed."""
    chance = random.Random(seed)
    plan = Schedule(seed, totem=chance.choice([SLOW, QUICK]))
    last = LOSS_LOOKS if loss else LOOKS

    def span(longest: float = LONGEST, first: float = 0) -> Span:
        begin = chance.uniform(first, last)
        return Span(begin, begin + chance.uniform(0.5, longest))

    for _ in range(chance.randint(0, 6)):
        plan.silences.append((frozenset(chance.sample(EVERYBODY, chance.randint(1, 4))), span()))
    if chance.random() < 0.5:  # a slow array
        plan.silences.append((frozenset({(chance.choice([*ARRAY.values()]), "api")}), span()))
    if chance.random() < 0.4:  # a site's management
        site = chance.choice([*OF])
        members = {one for one in EVERYBODY if one[0] in OF[site] or one[0] == ARRAY[site]}
        plan.silences.append((frozenset(members), span(40)))
    if chance.random() < 0.2:  # the engine's own network
        plan.silences.append((frozenset(EVERYBODY), span(10)))
    for _ in range(chance.randint(0, 2)):
        plan.unsettled.append((chance.choice(NODES), span(2)))
    plan.drift = {one: timedelta(seconds=chance.uniform(-1, 1)) for one in EVERYBODY if chance.random() < 0.3}
    if loss:
        _death(plan, chance)
    elif chance.random() < 0.5:
        begin = chance.uniform(0, last)
        plan.restarts = [Span(begin, begin + chance.uniform(10, 15))]
    if chance.random() < 0.6 and not plan.keeps:
        plan.liar, plan.lie = _lie(chance)
        plan.lies = span(LONGEST if loss else 60)
    return plan


def _death(plan: Schedule, chance: random.Random) -> None:
    plan.dies, plan.at = chance.choice([*OF]), chance.uniform(5, 30)
    plan.settles = plan.at + plan.totem.detection.total_seconds() + chance.uniform(0, 1.5)
    plan.forgets = {node: plan.at + chance.uniform(4, 12) for node in OF[plan.dies]}
    plan.settles = max(plan.settles, *plan.forgets.values())
    if chance.random() < 0.2:
        left = OTHER[plan.dies]
        dead = chance.choice(OF[plan.dies])
        plan.keeps = chance.choice(
            [(chance.choice(OF[left]), "ssh"), (ARRAY[left], "api"), (QDEVICE, "ssh"), (dead, "bmc")]
        )


def _lie(chance: random.Random) -> tuple[Source, Lie]:
    """One source, and what it says instead."""
    node, site = chance.choice(NODES), chance.choice([*OF])
    left = [NUMBER[one] for one in OF[OTHER[site]]]
    array = ARRAY[OTHER[site]]
    lies: list[tuple[Source, Lie]] = [
        ((node, "ssh"), lambda _: {"members": tuple(left), "total": 4}),
        ((node, "ssh"), lambda _: {"members": (NUMBER[node],), "total": 1, "quorate": False}),
        ((node, "ssh"), lambda _: {"members": tuple(IDS), "total": 3, "quorate": False}),
        ((node, "ssh"), lambda _: {"members": (), "total": 0}),
        ((node, "api"), lambda _: {"ids": {1: "x", 2: "y", 3: "z"}}),
        ((node, "api"), lambda _: {"quorate": False, "node_states": dict.fromkeys(NODES, "unknown")}),
        ((node, "bmc"), lambda _: {"on": False}),
        ((QDEVICE, "ssh"), lambda _: {"clients": tuple(left)}),
        ((QDEVICE, "ssh"), lambda _: {"clients": ()}),
        ((QDEVICE, "ssh"), lambda _: {"clients": (7, 8)}),
        ((array, "api"), lambda _: _lost(array, site)),
        ((array, "api"), lambda _: {"logins": {}, "copies": {}}),
    ]
    return chance.choice(lies)


def _lost(array: str, site: str) -> Change:
    """The array has lost a site."""
    said = {array: CopyLook(status="online", mediator="online"), ARRAY[site]: CopyLook(status="offline")}
    return {"copies": said, "logins": dict.fromkeys(OF[OTHER[site]], 4), "replication": "connecting"}


# --- what is seen ----------------------------------------------------------------------------------------------------


def looked(plan: Schedule, now: int, before: Facts) -> Facts:
    """The newest looks at this second: SSH is asked each second, the slower ones in turn, every third second."""
    at = START + timedelta(seconds=now)
    hushed = frozenset().union(*(who for who, span in plan.silences if span.holds(now)))
    lies = plan.lies.holds(now)

    def seen(look: L, old: L) -> L:
        source = (look.by, look.how)
        if look.how != "ssh" and (TURN[source] + now) % 3:
            return old
        when = at + plan.drift.get(source, timedelta())
        if source in hushed or _is_dead(plan, source, now):
            return _copy(QUIET[source], {"at": when})  # type: ignore[return-value]  # of the same source
        change = {} if plan.keeps == source else _true(plan, look, now)
        if lies and plan.liar == source:
            change |= plan.lie(look)
        return _copy(look, {**change, "at": when})

    return Facts.model_construct(
        at=at,
        votes={name: seen(look, before.votes[name]) for name, look in HEALTHY.votes.items()},
        cluster={name: seen(look, before.cluster[name]) for name, look in HEALTHY.cluster.items()},
        witness=seen(WITNESS, WITNESS),
        arrays={name: seen(look, before.arrays[name]) for name, look in HEALTHY.arrays.items()},
        power={name: seen(look, before.power[name]) for name, look in HEALTHY.power.items()},
    )


def _copy(look: L, change: Change) -> L:
    """As `model_copy`, which takes four times as long: there are hundreds of thousands of looks."""
    new = look.__class__.__new__(look.__class__)
    for name in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        object.__setattr__(new, name, getattr(look, name))
    object.__setattr__(new, "__dict__", {**look.__dict__, **change})
    return new


def _is_dead(plan: Schedule, source: Source, now: float) -> bool:
    if not plan.dies or now < plan.at or source == plan.keeps:
        return False
    return source[0] == ARRAY[plan.dies] or SITE_OF.get(source[0]) == plan.dies


def _true(plan: Schedule, look: Look, now: float) -> Change:
    """What an honest source says now, where it is not as usual."""
    change: Change = {}
    if look.by == QDEVICE:
        restarted = next((span for span in plan.restarts if span.holds(now)), None)
        back = len(NODES) if restarted is None else int((now - restarted.begin) / 2) - 2
        change["clients"] = tuple(
            NUMBER[node] for node in NODES[: max(0, back)] if now < plan.forgets.get(node, now + 1)
        )
    elif look.how == "ssh":
        votes = next((span for span in plan.restarts if span.begin + 8 <= now < span.end + 5), None)
        if votes:
            change |= {"device": False, "total": 6}
        if plan.dies and now >= plan.settles:
            left = tuple(NUMBER[node] for node in OF[OTHER[plan.dies]])
            change |= {"members": left, "total": 4}
        elif plan.dies and now >= plan.settles - 1:
            change |= {"total": 4, "settled": False}
        if any(span.holds(now) and node == look.by for node, span in plan.unsettled):
            change["settled"] = False
    elif isinstance(look, ArrayLook) and plan.dies and now >= plan.at:
        gone = _lost(look.by, plan.dies)
        change = gone if now >= plan.at + 10 else {"replication": "connecting"}
    return change


# --- what is made of it ----------------------------------------------------------------------------------------------


def watched(plan: Schedule, looks: int) -> Iterator[tuple[Facts, Verdict]]:
    """What a watch sees and says, look after look, that has known the cluster for a while."""
    facts = HEALTHY.facts
    memory = remember(Memory(totem=plan.totem), facts, NODES)
    memory = turned(memory, judge(facts, memory, INVENTORY), START)
    for now in range(1, looks + 1):
        facts = looked(plan, now, facts)
        memory = remember(memory, facts, NODES)
        verdict = judge(facts, memory, INVENTORY)
        memory = turned(memory, verdict, facts.at)
        yield facts, verdict


def falsely(seed: int) -> str:
    """What a healthy cluster was called at some moment of the schedule; empty when nothing grave was said."""
    for number, (_, verdict) in enumerate(watched(drawn(seed), LOOKS), start=1):
        for condition in (verdict.main, *verdict.also):
            if condition.kind in FALSE:
                return f"seed {seed}, look {number}: {condition.key}: {'; '.join(condition.reasons)}"
    return ""


@dataclass(frozen=True)
class Told:
    """How a true loss was told: `delay` looks after the evidence, None when never; `last` is the last verdict."""

    seed: int
    delay: float | None
    last: str
    keeps: Source | None
    wrong: str = ""


def lost(seed: int) -> Told:
    """A site dies in the noise: when is it told, and what else is told that is not so."""
    plan = drawn(seed, loss=True)
    first, last, wrong = None, "", ""
    for number, (facts, verdict) in enumerate(watched(plan, LOSS_LOOKS), start=1):
        last = verdict.kind
        speaks = any((look.by, look.how) == plan.keeps and look.answered for look in facts.looks)
        for one in (verdict.main, *verdict.also):
            early = one.kind in FALSE and number < plan.at + plan.totem.detection.total_seconds()
            other = one.kind in ("site-lost", "site-isolated") and one.where != (plan.dies,)
            if early or other or (speaks and one.kind == "site-lost"):
                wrong = f"look {number}: {one.key}"
        if verdict.main.key == f"site-lost {plan.dies}" and first is None:
            first = number
    delay = None if first is None else max(0.0, first - plan.evident)
    return Told(seed, delay, last, plan.keeps, wrong)


def main() -> int:
    """Print figures; the exit status is 1 when anything was told that was not so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="how many schedules")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--loss", action="store_true", help="a site really dies in each of them")
    chosen = parser.parse_args()
    seeds = range(chosen.seed, chosen.seed + chosen.count)
    return _losses(seeds) if chosen.loss else _benign(seeds)


def _benign(seeds: range) -> int:
    began, found = time.monotonic(), [text for text in map(falsely, seeds) if text]
    print(*found, sep="\n", end="\n" if found else "")
    print(
        f"seeds {seeds.start} to {seeds.stop - 1}: {len(seeds)} schedules of {LOOKS} looks in "
        f"{time.monotonic() - began:.1f} s; false declarations: {len(found)}/{len(seeds)}"
    )
    return 1 if found else 0


def _losses(seeds: range) -> int:
    told = [lost(seed) for seed in seeds]
    plain = [one for one in told if one.keeps is None]
    bad = [one for one in told if one.wrong] + [one for one in plain if one.delay is None]
    delays = [one.delay for one in plain if one.delay is not None]
    for one in bad:
        print(one)
    print(
        f"seeds {seeds.start} to {seeds.stop - 1}: {len(delays)}/{len(plain)} losses told, "
        f"{statistics.median(delays):.1f} looks after the evidence (median), {max(delays):.1f} (longest)"
    )
    print(f"seen alive by somebody: {dict(Counter(one.last for one in told if one.keeps))}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
