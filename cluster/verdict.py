"""From facts to what has happened: a pure function, with its reasons and what would revise it.

A management interface that is silent proves nothing about the data path, and no single source proves anything. A site
is lost when its nodes are out of a settled, quorate membership, when two vantage points in different failure domains
find it dark, and when nobody sees it alive (design §2.3). All else is told as it is, or called undetermined.
"""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from cluster.conditions import (
    GRAVITY,
    SITE_GONE,
    Condition,
    Kind,
    known_name,
    lost_site,
    serves,
    voices,
)
from cluster.inventory import Inventory
from cluster.judging.ha import by_request, ha_conditions
from cluster.judging.membership import membership
from cluster.judging.pulse import newest
from cluster.judging.sight import blindness, not_deployed, unknown
from cluster.judging.storage import Storage, storage_conditions, storage_elsewhere
from cluster.judging.votes import votes_conditions
from cluster.looks import Facts, VotesLook, fresh
from cluster.memory import Memory

# A condition that has come and gone so often within five minutes is unsteady; from twice as many on it is told while it
# is away as well: otherwise it would never last long enough to be told.
UNSTEADY, WITHIN = 6, timedelta(minutes=5)
BLINKS = 2 * UNSTEADY
# The case of a condition that is told although it is not seen just now.
HELD = "held"
# What a verdict's key says of what was announced.
PLANNED = " (planned)"
# What is no condition of its own: it neither comes nor goes.
UNCOUNTED: tuple[Kind, ...] = ("undetermined", "healthy")
# Losses of nodes are never held: what is back is told as back.
_LEAST = GRAVITY.index("undetermined")
# What follows from the loss of a site with its array, or from a cut between the sites.
_FOLLOWS: tuple[Kind, ...] = ("array-lost", "replication-lost", "replication-degraded", "resyncing", "mediator-lost")
# Conditions that say already that these are silent.
_NAMING: tuple[Kind, ...] = ("array-lost", "witness-lost")


class Verdict(BaseModel):
    """What has happened, gravest first. `settling`: wait, the cluster is still making up its mind."""

    model_config = ConfigDict(frozen=True)

    main: Condition
    also: tuple[Condition, ...] = ()
    silent: tuple[str, ...] = ()
    settling: bool = False

    @property
    def kind(self) -> Kind:
        """In one word."""
        return self.main.kind

    @property
    def key(self) -> str:
        """Equal for two looks that found the same, and of it the same as planned."""
        return " + ".join(f"{one.key}{PLANNED if one.planned else ''}" for one in (self.main, *self.also))

    @property
    def sentence(self) -> str:
        """What a person reads first."""
        where = f" ({', '.join(self.main.where)})" if self.main.where else ""
        return f"{'planned: ' if self.main.planned else ''}{self.main.name}{where}"


def judge(facts: Facts, memory: Memory, inventory: Inventory) -> Verdict:
    """What these facts mean, given what is remembered. What is older than the watch's rounds is silence."""
    facts = fresh(facts.in_order, inventory)
    found, settling = membership(facts, memory, inventory)
    if not settling:
        found += _beside(found, facts, memory, inventory)
    found = _damped(found, memory, facts)
    ranked = sorted(found, key=lambda condition: condition.gravity)
    views = {node: look for node, look in facts.votes.items() if look.answered}
    main = ranked[0] if ranked else _rest(views, facts, inventory)
    return Verdict(main=main, also=tuple(ranked[1:]), silent=facts.silent, settling=settling)


def _beside(found: list[Condition], facts: Facts, memory: Memory, inventory: Inventory) -> list[Condition]:
    """What else is so, where it does not follow from the membership."""
    losses = [one for one in found if one.kind in SITE_GONE]
    lost = {lost_site(one) for one in losses} | {
        name for one in found if one.kind == "quorum-lost" for name in one.where
    }
    gone = {node.name for site in inventory.sites if site.name in lost for node in site.nodes}
    gone |= {name for one in found if one.kind == "node-lost" for name in one.where}
    alive = frozenset(_members(facts, memory, inventory) - gone)
    views = {node: look for node, look in facts.votes.items() if look.answered and look.quorate and node in alive}
    doubtful = any(one.kind == "undetermined" for one in found)
    if doubtful:
        alive &= frozenset(voices(alive, facts))
    absent, undeployed = not_deployed(facts, memory, views, inventory)
    apart = any(one.kind in ("sites-parted", "site-isolated") for one in found)
    with_paths = alive & {node.name for node in inventory.site_nodes}
    storage = storage_conditions(Storage(facts, inventory, with_paths, apart, absent))
    told = [
        *storage_elsewhere(losses, facts, inventory),
        *(() if doubtful else votes_conditions(views, facts, memory, inventory, absent)),
        *(one for one in storage if not explained(one, found, facts, inventory)),
        *ha_conditions(facts, memory, inventory, alive, losing=bool(gone), bare=bool(undeployed)),
        *undeployed,
    ]
    if any(look.answered for look in facts.votes.values()):
        arrays = {site.array for site in inventory.sites if site.name in lost}
        known = gone | arrays | {name for one in told if one.kind in _NAMING for name in one.where}
        told += blindness(facts, memory, inventory, known)
    return told


def _members(facts: Facts, memory: Memory, inventory: Inventory) -> set[str]:
    """Nodes that a quorate node counts, or that answer for themselves."""
    quorate = [look for look in facts.votes.values() if look.answered and look.settled and look.quorate]
    counted = {known_name(number, memory) for look in quorate for number in look.members}
    names = {node.name for node in inventory.nodes}
    return names & (counted | set(voices(names, facts)))


def explained(condition: Condition, found: list[Condition], facts: Facts, inventory: Inventory) -> bool:
    """What follows from a site's loss is not told as a second one. An array that answers is not lost with its hosts."""
    arrays: set[str] = set()
    for one in found:
        if one.kind == "sites-parted":
            arrays |= {site.array for site in inventory.sites}
        elif one.kind in (*SITE_GONE, "quorum-lost"):
            lost = [site.array for site in inventory.sites if site.name in one.where]
            arrays |= {name for name in lost if one.kind == "site-isolated" or not _answers(name, facts)}
    return bool(arrays) and condition.kind in _FOLLOWS and set(condition.where) <= arrays


def turned(memory: Memory, verdict: Verdict, now: datetime) -> Memory:
    """Remember what stands, and when each condition came or went. What is still settling is no judgement."""
    if verdict.settling:
        return memory
    told = (verdict.main, *verdict.also)
    standing = tuple(sorted(one.key for one in told if one.kind not in UNCOUNTED and one.case != HELD))
    changes = {key: kept for key, times in memory.changes.items() if (kept := _recent(times, now))}
    if memory.judged:
        for key in {*standing} ^ {*memory.standing}:
            changes[key] = (*changes.get(key, ()), now)
    update: dict[str, object] = {"standing": standing, "changes": dict(sorted(changes.items()))}
    if verdict.main.key != memory.judged:
        update |= {"judged": verdict.main.key, "steady": now}
    return memory.model_copy(update=update)


def _recent(times: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    return tuple(when for when in times if now - when < WITHIN)


def turns(key: str, memory: Memory, facts: Facts) -> int:
    """How often the condition of that key has come or gone within five minutes of the cluster's time."""
    return sum((facts.at - when) * facts.speed < WITHIN for when in memory.changes.get(key, ()))


def _damped(found: list[Condition], memory: Memory, facts: Facts) -> list[Condition]:
    """The same, with what is unsteady said to be so. A lesser condition that blinks is told until it stays away.

    Damping is of each condition alone, and never upward: what is proven is told at once, whatever else blinks.
    """
    told = {one.key for one in found}
    held = [key for key in memory.changes if key not in told and (one := _named(key)) and one.gravity > _LEAST]
    damped = []
    for one in (*found, *filter(None, map(_named, held))):
        times = turns(one.key, memory, facts)
        said = f"unsteady: {times} changes in 5 min"
        if one.key in told:
            unsteady = (said,) if times >= UNSTEADY else ()
            damped.append(one.model_copy(update={"reasons": (*one.reasons, *unsteady)}))
        elif times >= BLINKS:
            damped.append(one.model_copy(update={"reasons": (f"{said}; it is not seen now",)}))
    return damped


def _named(key: str) -> Condition | None:
    """The condition of that key, as it is held; None for a key of another version."""
    kind, *where = key.split(" ")
    if kind not in GRAVITY:
        return None
    return Condition(kind=kind, where=tuple(where), case=HELD, unless=("it is not seen for five minutes",))


def _answers(array: str, facts: Facts) -> bool:
    return (look := facts.arrays.get(array)) is not None and look.answered


def _rest(views: dict[str, VotesLook], facts: Facts, inventory: Inventory) -> Condition:
    """Nothing is found to be wrong: healthy, or nobody knows."""
    well = Condition(kind="healthy", reasons=_well(views, facts, inventory))
    return unknown(facts) or well


def _well(views: dict[str, VotesLook], facts: Facts, inventory: Inventory) -> tuple[str, ...]:
    """What stands behind the word healthy."""
    total = max((view.total for view in views.values()), default=0)
    online = sum(serves(look) for look in facts.arrays.values())
    told = newest(facts)
    services = f", {len(told.services)} HA guests as requested" if told else ""
    quiet, several = facts.silent, len(inventory.all_pods)
    pods = "pod" if several == 1 else f"{several} pods"
    return (
        f"{total} of {inventory.votes} votes, {len(views)} of {len(inventory.nodes)} nodes answer",
        f"{pods} online on {online} arrays that answer{services}",
        *(by_request(told) if told else ()),
        *((f"not known now, because there is no answer: {', '.join(quiet)}",) if quiet else ()),
    )
