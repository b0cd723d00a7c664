"""The cluster drawn as it is seen now: sites, nodes, arrays, witness and links, each fact with its age. Pure.

Small enough to go along with every beat of a watch: the board draws it, and nothing is concluded from it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from cluster.answers.affected import guest
from cluster.conditions import serves
from cluster.inventory import Inventory, Node, Site
from cluster.looks import ArrayLook, ClusterLook, Facts, Look, VotesLook
from cluster.memory import Memory
from cluster.nouns import Value
from cluster.recovery import PRESENT
from cluster.units import counted

# good: as designed. odd: not as designed. bad: it does not work. unknown: nobody has said.
Mark = Literal["good", "odd", "bad", "unknown"]
# Guests of one node that are named; the others are counted.
NAMED = 8


class Fact(Value):
    """One thing that is seen: in words, whether it is as designed, and when it was seen (UTC)."""

    text: str
    mark: Mark
    at: datetime | None = None


class NodeScene(Value):
    """A node: as corosync and HA see it, the guests on it, and what each vantage point says (`views`, by its name)."""

    name: str
    member: Fact
    guests: tuple[str, ...] = ()
    more: int = 0
    views: dict[str, Fact] = Field(default_factory=dict)


class SiteScene(Value):
    """A site with its nodes, and the array beside them with its copy of the pod."""

    name: str
    nodes: tuple[NodeScene, ...]
    array: str
    copy_: Fact
    mediator: Fact


class Scene(Value):
    """The whole of it."""

    cluster: str
    at: datetime
    sites: tuple[SiteScene, ...]
    quorum: Fact
    witness: Fact
    replication: Fact
    pod: Fact
    manager: Fact


def scene(facts: Facts, memory: Memory, inventory: Inventory) -> Scene:
    """What these looks show."""
    votes = [look for look in facts.votes.values() if look.answered]
    quorate = [look for look in votes if look.quorate]
    return Scene(
        cluster=inventory.name,
        at=facts.at,
        sites=tuple(_site(site, facts, memory, inventory) for site in inventory.sites),
        quorum=_quorum(votes, quorate, inventory),
        witness=_third(quorate, facts, memory, inventory) if inventory.third else _witness(quorate, facts),
        replication=_replication(facts),
        pod=_pod(facts, inventory),
        manager=_manager(facts, memory),
    )


def _site(site: Site, facts: Facts, memory: Memory, inventory: Inventory) -> SiteScene:
    return SiteScene(
        name=site.name,
        nodes=tuple(_node(node, facts, memory, inventory) for node in site.nodes),
        array=site.array,
        copy_=_copy(facts.arrays.get(site.array)),
        mediator=_mediator(facts.arrays.get(site.array)),
    )


def _node(node: Node, facts: Facts, memory: Memory, inventory: Inventory) -> NodeScene:
    here = sorted(vmid for vmid, at in memory.placement.items() if at == node.name)
    return NodeScene(
        name=node.name,
        member=_member(node.name, facts, memory),
        guests=tuple(guest(vmid, inventory) for vmid in here[:NAMED]),
        more=max(0, len(here) - NAMED),
        views=_views(node.name, facts),
    )


def _member(name: str, facts: Facts, memory: Memory) -> Fact:
    """As a settled, quorate part of the cluster counts it, and as HA calls it."""
    counting = [look for look in facts.votes.values() if look.answered and look.settled and look.quorate]
    told = max((look for look in facts.cluster.values() if look.answered and look.quorate), key=_age, default=None)
    if not counting:
        own = facts.votes.get(name)
        if own is not None and own.answered:
            return Fact(text=f"no quorum: {own.total} of {own.expected} votes", mark="bad", at=own.at)
        return Fact(text="not known", mark="unknown")
    newest = max(counting, key=_age)
    if name not in {memory.ids.get(number) for number in newest.members}:
        return Fact(text="is no member", mark="bad", at=newest.at)
    word = told.node_states.get(name, "") if told else ""
    if word == "maintenance":
        return Fact(text="member, in maintenance", mark="odd", at=newest.at)
    well = not word or word in PRESENT
    return Fact(text="member" if well else f"member, HA calls it {word}", mark="good" if well else "odd", at=newest.at)


def _views(name: str, facts: Facts) -> dict[str, Fact]:
    """The row of the matrix: what each vantage point says of this node."""
    found: dict[str, Fact] = {}
    asked: Iterable[tuple[str, Look | None]] = (
        ("SSH", facts.votes.get(name)), ("API", facts.cluster.get(name)), ("BMC", facts.power.get(name)),
    )  # fmt: skip
    for label, look in asked:
        found[label] = _answer(look)
    power = facts.power.get(name)
    if power is not None and power.answered and power.on is not None:
        found["BMC"] = Fact(text="on" if power.on else "off", mark="good" if power.on else "bad", at=power.at)
    for array, look in sorted(facts.arrays.items()):
        found[array] = _sessions(name, look)
    return found


def _answer(look: Look | None) -> Fact:
    if look is None:
        return Fact(text="not asked", mark="unknown")
    return Fact(text=look.silent or "answers", mark="bad" if look.silent else "good", at=look.at)


def _sessions(node: str, look: ArrayLook) -> Fact:
    if not look.answered:
        return Fact(text="no answer", mark="unknown", at=look.at)
    ports = look.logins.get(node, 0)
    mark: Mark = "bad" if not ports else "odd" if ports < look.portals else "good"
    return Fact(text=f"{ports} of {look.portals} ports", mark=mark, at=look.at)


def _copy(look: ArrayLook | None) -> Fact:
    if look is None or not look.answered:
        return Fact(text="no answer", mark="unknown", at=look.at if look else None)
    own = look.copies.get(look.by)
    if own is None:
        return Fact(text="no copy of the pod", mark="bad", at=look.at)
    mark: Mark = "good" if own.status == "online" else "odd" if own.status == "resyncing" else "bad"
    done = f", {own.progress:.0%}" if own.progress is not None and own.status == "resyncing" else ""
    of = f" of {own.pod}" if own.pod and mark != "good" else ""
    return Fact(text=f"copy{of} {own.status}{done}", mark=mark, at=look.at)


def _mediator(look: ArrayLook | None) -> Fact:
    own = look.copies.get(look.by) if look is not None and look.answered else None
    if look is None or own is None or not own.mediator:
        return Fact(text="mediator not known", mark="unknown", at=look.at if look else None)
    well = own.mediator == "online"
    of = f" of {own.pod}" if own.pod and not well else ""
    return Fact(text=f"mediator{of} {own.mediator}", mark="good" if well else "bad", at=look.at)


def _quorum(votes: list[VotesLook], quorate: list[VotesLook], inventory: Inventory) -> Fact:
    if not votes:
        return Fact(text="no node tells its votes", mark="unknown")
    if not quorate:
        most = max(votes, key=lambda look: look.total)
        return Fact(text=f"lost: {most.total} of {most.expected} votes, {most.quorum} needed", mark="bad", at=most.at)
    newest = max(quorate, key=_age)
    whole = newest.total == inventory.votes
    margin = newest.total - newest.quorum
    spare = "" if whole else ", no margin" if margin <= 0 else f", margin {margin}"
    return Fact(
        text=f"{newest.total} of {newest.expected} votes, {newest.quorum} needed{spare}",
        mark="good" if whole else "odd",
        at=newest.at,
    )


def _witness(quorate: list[VotesLook], facts: Facts) -> Fact:
    look = facts.witness
    votes = any(one.device for one in quorate)
    if look is None or not look.answered:
        said = look.silent if look is not None else "not asked"
        return Fact(text=f"{said}; its vote {'counts' if votes else 'does not count'}", mark="bad", at=look and look.at)
    clients = counted(len(look.clients), "client")
    return Fact(
        text=f"{clients}, its vote {'counts' if votes else 'does not count'}",
        mark="good" if votes else "bad",
        at=look.at,
    )


def _third(quorate: list[VotesLook], facts: Facts, memory: Memory, inventory: Inventory) -> Fact:
    """The nodes of a third place, as a settled, quorate part of the cluster counts them."""
    names = [node.name for node in inventory.third.nodes] if inventory.third else []
    settled = [look for look in quorate if look.settled]
    if not settled:
        return Fact(text="not known", mark="unknown")
    newest = max(settled, key=_age)
    counted_there = {memory.ids.get(number) for number in newest.members} & set(names)
    whole = len(counted_there) == len(names)
    said = f"{len(counted_there)} of {counted(len(names), 'node')} {'votes' if len(names) == 1 else 'vote'}"
    return Fact(text=said, mark="good" if whole else "bad", at=newest.at)


def _replication(facts: Facts) -> Fact:
    answering = [look for look in facts.arrays.values() if look.answered]
    if not answering:
        return Fact(text="no array answers", mark="unknown")
    words = {look.by: look.replication or "no connection" for look in answering}
    newest = max(look.at for look in answering)
    well = set(words.values()) == {"connected"}
    said = "connected" if well else "; ".join(f"{by}: {word}" for by, word in sorted(words.items()))
    mark: Mark = "bad" if not well else "good" if len(answering) == len(facts.arrays) else "odd"
    return Fact(text=said, mark=mark, at=newest)


def _pod(facts: Facts, inventory: Inventory) -> Fact:
    """Who serves the pod; of several the first one that is not well speaks for all, by its name."""
    found = {pod.name: _served(facts.of(pod.name), inventory) for pod in inventory.all_pods}
    if len(found) == 1:
        return found[inventory.all_pods[0].name]
    ill = {name: fact for name, fact in found.items() if fact.mark != "good"}
    if not ill:
        first = found[inventory.all_pods[0].name]
        return first.model_copy(update={"text": f"{len(found)}, {first.text}"})
    worst = min(ill.values(), key=lambda fact: ("bad", "unknown", "odd").index(fact.mark))
    return worst.model_copy(update={"text": "; ".join(f"{name} {fact.text}" for name, fact in ill.items())})


def _served(facts: Facts, inventory: Inventory) -> Fact:
    answering = [look for look in facts.arrays.values() if look.answered]
    serving = [look.by for look in answering if serves(look)]
    newest = max((look.at for look in answering), default=None)
    if len(serving) == len(inventory.arrays):
        return Fact(text="served by both arrays", mark="good", at=newest)
    if serving:
        return Fact(text=f"served by {serving[0]} alone", mark="odd", at=newest)
    known = len(answering) == len(inventory.arrays)
    return Fact(text="served by no array" if known else "not known", mark="bad" if known else "unknown", at=newest)


def _manager(facts: Facts, memory: Memory) -> Fact:
    told = max((look for look in facts.cluster.values() if look.answered and look.quorate), key=_age, default=None)
    if told is None:
        return Fact(text="not known", mark="unknown")
    if told.disarmed:
        return Fact(text=f"disarmed ({told.disarmed})", mark="bad", at=told.at)
    if not told.master:
        return Fact(text="no master", mark="odd", at=told.at)
    old = told.master_old
    return Fact(text=f"master {told.master}{', silent' if old else ''}", mark="odd" if old else "good", at=told.at)


def _age(look: VotesLook | ClusterLook) -> datetime:
    return look.at
