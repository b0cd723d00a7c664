"""From facts to what has happened: a pure function, with its reasons and what would change its mind.

A management interface that is silent proves nothing about the data path, and no single source proves anything. A site
is lost when its nodes are out of a settled, quorate membership, when two vantage points in different failure domains
find it dark, and when nobody sees it alive (design §2.3). All else is told as it is, or called undetermined.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from cluster.conditions import (
    GRAVITY,
    Condition,
    Kind,
    doubt,
    explained,
    known_name,
    nodes_lost,
    parted,
    storage_conditions,
    voices,
    witness_conditions,
)
from cluster.evidence import FORGETS, client_numbers, clients_of, found_dark, seen_alive, too_early
from cluster.facts import Facts, Memory, VotesLook
from cluster.inventory import Inventory, Site

# A condition that has come and gone so often within five minutes is unsteady.
UNSTEADY, WITHIN = 6, timedelta(minutes=5)
# The case of a condition that is told although it is not seen just now.
HELD = "held"
# What is no condition of its own: it neither comes nor goes.
UNCOUNTED: tuple[Kind, ...] = ("undetermined", "healthy")
# Losses of nodes are never held: what is back is told as back.
_LEAST = GRAVITY.index("undetermined")


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
        """Equal for two looks that found the same."""
        return " + ".join(condition.key for condition in (self.main, *self.also))

    @property
    def sentence(self) -> str:
        """What a person reads first."""
        where = f" ({', '.join(self.main.where)})" if self.main.where else ""
        return f"{self.kind.replace('-', ' ')}{where}"


def judge(facts: Facts, memory: Memory, inventory: Inventory) -> Verdict:
    """What these facts mean, given what is remembered."""
    facts = facts.in_order
    found, settling = _membership(facts, memory, inventory)
    views = {node: look for node, look in facts.votes.items() if look.answered}
    lost = {name for condition in found for name in condition.where}
    gone = {node.name for site in inventory.sites if site.name in lost for node in site.nodes} | lost
    alive = {node.name for node in inventory.nodes} - gone
    quorate = {node: view for node, view in views.items() if view.quorate and node in alive}
    if not settling:
        found += witness_conditions(quorate, facts, inventory)
        found += [one for one in storage_conditions(facts, alive, inventory) if not explained(one, lost, inventory)]
    found = _damped(found, memory, facts.at, inventory.speed)
    ranked = sorted(found, key=lambda condition: condition.gravity)
    main = ranked[0] if ranked else Condition(kind="healthy", reasons=_well(views, inventory))
    return Verdict(main=main, also=tuple(ranked[1:]), silent=facts.silent, settling=settling)


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


def _damped(found: list[Condition], memory: Memory, now: datetime, speed: float) -> list[Condition]:
    """The same, with what is unsteady said to be so. A lesser condition that blinks is told until it stays away.

    Damping is of each condition alone, and never upward: what is proven is told at once, whatever else blinks.
    """
    told = {one.key for one in found}
    held = [key for key in memory.changes if key not in told and (one := _named(key)) and one.gravity > _LEAST]
    damped = []
    for one in (*found, *filter(None, map(_named, held))):
        times = [when for when in memory.changes.get(one.key, ()) if (now - when) * speed < WITHIN]
        said = f"unsteady: {len(times)} changes in 5 min"
        if len(times) < UNSTEADY:
            if one.key in told:
                damped.append(one)
        elif one.key in told:
            damped.append(one.model_copy(update={"reasons": (*one.reasons, said)}))
        else:
            damped.append(one.model_copy(update={"reasons": (f"{said}; it is not seen just now",)}))
    return damped


def _named(key: str) -> Condition | None:
    """The condition of that key, as it is held; None for a key of another version."""
    kind, *where = key.split(" ")
    if kind not in GRAVITY:
        return None
    return Condition(kind=kind, where=tuple(where), case=HELD, unless=("it stays away for five minutes",))


# --- membership ----------------------------------------------------------------------------------------------------


def _membership(facts: Facts, memory: Memory, inventory: Inventory) -> tuple[list[Condition], bool]:
    """What is wrong with the membership, and whether it is still settling."""
    views = {node: look for node, look in facts.votes.items() if look.answered}
    if not views:
        return _nobody(facts, memory, inventory)
    if unsettled := [node for node, view in views.items() if not view.settled]:
        return [doubt("settling", f"the votes are settling on {', '.join(sorted(unsettled))}")], True
    if strange := _strangers((number for view in views.values() for number in view.members), memory):
        return [doubt("names", f"{strange} is a member, and no API has told its name", "an API tells it")], False
    if odd := _disagreement(views, memory):
        return [doubt("disagreement", odd)], False
    quorate = {node: view for node, view in views.items() if view.quorate}
    if not quorate:
        return _no_quorum(views, facts, memory, inventory)
    members = {known_name(number, memory) for view in quorate.values() for number in view.members}
    outside = [node.name for node in inventory.nodes if node.name not in members]
    found: list[Condition] = []
    settling = False
    for site in inventory.sites:
        missing = [node.name for node in site.nodes if node.name in outside]
        if len(missing) == len(site.nodes):
            condition, early = _site(site, quorate, facts, memory, inventory)
            found.append(condition)
            settling = settling or early
        elif missing:
            found.append(nodes_lost(missing, sorted(quorate), facts))
    return found, settling


def _strangers(numbers: Iterable[int], memory: Memory) -> str:
    """Those whose names nobody has told: they may be anyone."""
    return ", ".join(f"node {number}" for number in sorted(set(numbers) - memory.ids.keys()))


def _disagreement(views: dict[str, VotesLook], memory: Memory) -> str:
    """Nodes that cannot all be right: memberships are equal or have nobody in common, and one of them is quorate."""
    named = {node: {known_name(number, memory) for number in view.members} for node, view in views.items()}
    for node, members in named.items():
        if node not in members:
            return f"{node} does not count itself"
        for other, theirs in named.items():
            if members == theirs:
                continue
            if other in members:
                return f"{node} counts {len(members)} members, {other} among them, which counts {len(theirs)}"
            if members & theirs:
                return f"{node} and {other} count different members, and {len(members & theirs)} in common"
            if views[node].quorate and views[other].quorate:
                return f"{node} and {other} are both quorate and do not count each other"
    return ""


def _nobody(facts: Facts, memory: Memory, inventory: Inventory) -> tuple[list[Condition], bool]:
    """No node answers here. The witness without clients says the same, unless it has just been started."""
    witness, last = facts.witness, max((*memory.alive.values(), *memory.counted.values()), default=facts.at)
    answering = [look for look in facts.arrays.values() if look.answered]
    answered = [f"{look.by} ({look.how})" for look in facts.looks if look.answered]
    said = f"what answers: {', '.join(answered)}" if answered else "this worker may be cut off itself"
    silence = doubt("silence", f"no node tells its votes here; {said}", unless="any node tells its votes")
    if witness is None or not witness.answered or witness.clients or any(look.logins for look in answering):
        return [silence], False
    patience = FORGETS + (memory.totem.detection if memory.totem else timedelta())
    if (facts.at - last) * inventory.speed < patience:
        return [silence], True
    arrays = f"{', '.join(look.by for look in answering)} answer" if answering else "nor does an array"
    reasons = [f"no node answers, {arrays}", f"{witness.by} answers and has no client"]
    if len(answered) == 1:
        reasons.append("seen from a third place that is cut off from both sites it would look the same")
    return [Condition(kind="quorum-lost", reasons=tuple(reasons), unless=("any node answers",))], False


def _no_quorum(
    views: dict[str, VotesLook], facts: Facts, memory: Memory, inventory: Inventory
) -> tuple[list[Condition], bool]:
    """Nobody who answers is quorate; whether somebody else is, only the witness could know."""
    dark = [node.name for node in inventory.nodes if node.name not in views]
    here = ", ".join(views)
    if len(views) == 1 and not client_numbers(facts):
        return [doubt("one voice", f"only {here} answers; it has no quorum")], False
    if elsewhere := sorted(clients_of(facts, memory) - views.keys()):
        said = f"{here} have no quorum, and {inventory.witness.name} has clients that do not answer"
        return [doubt("elsewhere", f"{said} here: {', '.join(elsewhere)}")], False
    counts = sorted({f"{view.total} of {view.expected} votes" for view in views.values()})
    needed = max(view.quorum for view in views.values())
    reasons = [f"{here}: {', '.join(counts)}, {needed} are needed"]
    if dark:
        reasons.append(f"{', '.join(dark)} do not answer")
    if facts.witness is not None and facts.witness.silent:
        reasons.append(f"{inventory.witness.name} does not answer: {facts.witness.silent}")
        reasons.append("seen from inside a site that is cut off from everything it would look the same")
    sites = tuple(site.name for site in inventory.sites if all(node.name in dark for node in site.nodes))
    unless = ("any node counts a quorum again",)
    return [Condition(kind="quorum-lost", where=sites, reasons=tuple(reasons), unless=unless)], False


def _site(
    site: Site, quorate: dict[str, VotesLook], facts: Facts, memory: Memory, inventory: Inventory
) -> tuple[Condition, bool]:
    """All nodes of a site are out of the quorate membership: lost, isolated, parted, or not to be told yet."""
    names = {node.name for node in site.nodes}
    says = f"{', '.join(sorted(quorate))} are quorate without {site.name}"
    if speak := voices(names, facts):
        own_views = [view for node, view in facts.votes.items() if node in names and view.answered]
        # nodes that are alone are starting, or each has lost its network: a side of a split holds together
        if any(len(view.members) >= min(2, len(names)) for view in own_views):
            return parted(site, says, speak, facts, inventory), False
        return nodes_lost(sorted(names), sorted(quorate), facts), False
    if early := too_early(site, facts, memory, inventory):
        return doubt("settling", f"{says}{early}"), True
    if strange := _strangers(client_numbers(facts), memory):
        return doubt("names", f"{says}; {strange} is a client of {inventory.witness.name} and has no name here"), False
    others = {node.name for node in inventory.other_site(site.name).nodes}
    survivors = [node for node in quorate if node in others]
    if len(survivors) < min(2, len(others)):
        return doubt("one voice", f"only {', '.join(survivors)} says that {site.name} is gone"), False
    if clients := sorted(names & clients_of(facts, memory)):
        sign = f"{inventory.witness.name} has {', '.join(clients)} as clients"
        return parted(site, says, [sign], facts, inventory), False
    own = facts.arrays.get(site.array)
    if own and own.answered:  # its array runs: its nodes are gone, not the site
        return nodes_lost(sorted(names), sorted(quorate), facts), False
    seen = [one for signs in seen_alive(site, facts, memory, inventory) for one in signs]
    dark = found_dark(site, facts, memory, inventory)
    if seen:
        reasons, unless = (says, *seen, *dark.values()), (f"any node of {site.name} is a member again",)
        return Condition(kind="site-isolated", where=(site.name,), reasons=reasons, unless=unless), False
    if len(dark) < 2:
        said = "; ".join(dark.values()) or "nobody outside confirms it"
        return doubt("one domain", f"{says}; {said}; a second failure domain must say so"), False
    return Condition(
        kind="site-lost",
        where=(site.name,),
        reasons=(says, *dark.values()),
        unless=(
            f"any node of {site.name} answers, or is a client of {inventory.witness.name}",
            f"an array has a login of {site.name}, or a management controller there calls its node on",
        ),
    ), False


def _well(views: dict[str, VotesLook], inventory: Inventory) -> tuple[str, ...]:
    total = max((view.total for view in views.values()), default=0)
    return (f"{total} of {inventory.votes} votes, {len(views)} of {len(inventory.nodes)} nodes answer",)
