"""What the arrays say of their copies, of each other and of the mediator."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cluster.conditions import THIRD_PLACE, Condition, lost_site, serves
from cluster.evidence import ALIVE, UP
from cluster.inventory import Inventory
from cluster.judging.disks import dark, in_use, inactive, path_conditions
from cluster.judging.mediator import mediator
from cluster.judging.pods import quorum_apart, served_apart, told_of_pods, with_the_lost_array
from cluster.looks import ArrayLook, CopyLook, Facts
from cluster.units import are

BOTH = ("both copies are online",)
# What Purity calls a copy that does not serve (reference: flasharray-rest §5.3).
NOT_SERVING = ("offline", "suspended", "resyncing", "unknown")


@dataclass(frozen=True)
class Storage:
    """What is judged. `alive` are the members, `apart` says that the sites do not see each other.

    `absent` are layers that were never there: their absence is told elsewhere.
    """

    facts: Facts
    inventory: Inventory
    alive: frozenset[str]
    apart: bool
    absent: frozenset[str]

    @property
    def pods(self) -> "dict[str, Storage]":
        """The same of each pod alone, by its name."""
        return {
            one.pod.name: replace(self, facts=self.facts.of(one.pod.name), inventory=one)
            for one in self.inventory.stretched
        }

    @property
    def answering(self) -> dict[str, ArrayLook]:
        """The arrays that answer."""
        return {name: look for name, look in self.facts.arrays.items() if look.answered}


def storage_conditions(case: Storage) -> Iterator[Condition]:
    """Copies, link, mediator, sessions, and the storage on each node."""
    answering, pods = case.answering, case.pods
    used = in_use(case)
    found = {name: list(_of_pod(one, used=name in used)) for name, one in pods.items()}
    copies = with_the_lost_array(found, dark(case), case.inventory)
    serving = {name: {look.by for look in one.answering.values() if serves(look)} for name, one in pods.items()}
    yield from served_apart(told_of_pods(copies), serving)
    yield from _link(answering)
    yield from told_of_pods({name: mediator(one.answering) for name, one in pods.items()})
    yield from path_conditions(case)
    yield from inactive(case)


def _of_pod(case: Storage, *, used: bool) -> Iterator[Condition]:
    """Both copies of one pod; `used` says that every node goes on with its storage."""
    answering, inventory = case.answering, case.inventory
    yield from _offline(case, used=used)
    for array in inventory.arrays:
        peer = answering.get(inventory.peer(array.name).name)
        own = answering.get(array.name)
        if own is None and peer is not None:
            yield from _told_lost(array.name, peer, case)
        elif own is not None and f"pod {array.name}" not in case.absent:
            yield from _copy(array.name, own, peer, inventory)


def storage_elsewhere(losses: list[Condition], facts: Facts, inventory: Inventory) -> Iterator[Condition]:
    """The quorum is at one site and a pod at the other: what that means depends on who still reaches the pod."""
    pods = [one.name for one in inventory.all_pods]
    yield from quorum_apart(told_of_pods({name: _elsewhere(losses, facts.of(name), inventory) for name in pods}))


def _elsewhere(losses: list[Condition], facts: Facts, inventory: Inventory) -> Iterator[Condition]:
    for loss in losses:
        lost = inventory.site(lost_site(loss))
        winner = inventory.other_site(lost.name)
        own, other = facts.arrays.get(winner.array), facts.arrays.get(lost.array)
        if other is None or not serves(other) or not (word := _own_word(winner.array, own, other)):
            continue
        reach = sorted({node.name for node in winner.nodes} & other.logins.keys())
        meaning = [f"{', '.join(reach)} {are(reach)} logged in at {lost.array}: guests go on over the storage network"]
        if not reach:
            meaning = [
                f"{winner.name} has the quorum and no storage: its guests fail, and HA does not help them",
                f"no node of {winner.name} is logged in at {lost.array}",
            ]
        yield Condition(
            kind="storage-elsewhere",
            where=(winner.name, lost.name),
            case="reached" if reach else THIRD_PLACE if inventory.third else "",
            reasons=(f"quorum: {winner.name}; pod: {lost.name}", word, *meaning),
            unless=(f"{winner.array} serves the pod, or {lost.name} has the quorum",),
        )


def _own_word(array: str, own: ArrayLook | None, other: ArrayLook) -> str:
    """Who says that the array does not serve; empty when nothing says so."""
    if own is not None and own.answered:
        copy = own.copies.get(array)
        if copy is None:
            return "" if _told_there(array, other) else f"{array} has no copy of the pod"
        return "" if copy.status == "online" else f"{array} calls its own copy {copy.status}"
    told = other.copies.get(array)
    if told is None or told.status in ALIVE:
        return ""
    return f"{array} does not answer here, and {other.by} calls its copy {told.status}"


def _offline(case: Storage, *, used: bool) -> Iterator[Condition]:
    """Both arrays answer and neither serves the pod. While nodes use it, a list without it is no word on the pod."""
    answering, pod = case.answering, case.inventory.pod.name
    if len(answering) < len(case.inventory.arrays) or any(serves(look) for look in answering.values()):
        return
    copies = {name: look.copies.get(name) for name, look in answering.items()}
    if all(copy is None for copy in copies.values()):
        if any(layer.startswith("pod ") for layer in case.absent):
            return
        if used:
            shown = f"neither array shows pod {pod}, and its storage is available on every node"
            yield _unseen(tuple(sorted(answering)), shown)
            return
        reasons = [f"pod {pod} is on neither array"]
    else:
        reasons = [
            f"{name} calls its own copy {copy.status}{_frozen(copy)}" if copy else f"{name} has no copy of the pod"
            for name, copy in sorted(copies.items())
        ]
    yield Condition(
        kind="pod-offline",
        where=tuple(sorted(answering)),
        reasons=tuple(reasons),
        unless=("one array calls its own copy online",),
    )


def _told_there(array: str, peer: ArrayLook) -> bool:
    """Its peer has a copy on it that takes writes: an array that shows none hides it, or its user may not see it."""
    copy = peer.copies.get(array)
    return copy is not None and copy.status in ALIVE


def _unseen(arrays: tuple[str, ...], reason: str) -> Condition:
    """What an array's list leaves out without an error: no evidence that it is gone."""
    return Condition(
        kind="blind",
        where=arrays,
        case="hidden",
        reasons=(f"{reason}: the user of Quorate's token may not see it",),
        unless=("the array shows the pod",),
    )


def _frozen(copy: CopyLook) -> str:
    return f", its data is of {copy.frozen_at:%Y-%m-%d %H:%M:%S} UTC" if copy.frozen_at else ""


def _told_lost(array: str, peer: ArrayLook, case: Storage) -> Iterator[Condition]:
    """It is silent here, and its peer has lost it too: two vantage points.

    A peer that is offline itself knows nothing of it (reference: flasharray-rest §6.2).
    """
    copy, facts = peer.copies.get(array), case.facts
    if copy is None and serves(peer):
        yield _unstretched(array, peer, case.inventory)
    if copy is None or copy.status == "online" or not serves(peer):
        return
    if copy.status == "resyncing":
        yield _resyncing(array, peer.by, copy)
        return
    silence = facts.arrays[array].silent if array in facts.arrays else "was not asked"
    yield Condition(
        kind="array-lost",
        where=(array,),
        reasons=(f"{peer.by} calls its copy {copy.status}", f"{array} does not answer here: {silence}"),
        unless=(f"{array} answers, or {peer.by} calls its copy online",),
    )


def _copy(array: str, own: ArrayLook, peer: ArrayLook | None, inventory: Inventory) -> Iterator[Condition]:
    """The array's own copy, as it says itself and as its peer has it."""
    copy = own.copies.get(array)
    if copy is None:
        if peer is not None and _told_there(array, peer):
            yield _unseen((array,), f"{array} does not show pod {inventory.pod.name}, and {peer.by} has a copy there")
        elif peer is None or peer.by in peer.copies:
            yield _unstretched(array, peer, inventory)
    elif copy.status == "resyncing":
        yield _resyncing(array, array, copy)
    elif copy.status != "online":
        serving = peer.copies[peer.by].status if peer and peer.by in peer.copies else "unknown"
        yield Condition(
            kind="replication-lost",
            where=(array,),
            case="unseen" if peer is None else "" if copy.status in NOT_SERVING else "not known",
            reasons=(f"{array} calls its own copy {_word(copy.status)}; the other copy is {serving}",),
            unless=BOTH,
        )
    elif peer is not None and serves(peer) and (told := peer.copies.get(array)) and told.status != "online":
        yield Condition(
            kind="replication-lost",
            where=(array,),
            reasons=(f"{array} calls its own copy online, and {peer.by} calls it {_word(told.status)}",),
            unless=BOTH,
        )
    elif copy.frozen_at is not None:
        yield Condition(
            kind="replication-lost",
            where=(array,),
            case="not known",
            reasons=(f"{array} calls its own copy online{_frozen(copy)}",),
            unless=BOTH,
        )


def _word(status: str) -> str:
    """A copy's state; one that nobody has documented is not known to be fine."""
    if not status or status == "None":
        return "nothing"
    return status if status in ("online", *NOT_SERVING) else f"{status}, a state that Quorate does not know"


def _unstretched(array: str, peer: ArrayLook | None, inventory: Inventory) -> Condition:
    only = f"; {peer.by} has the only one" if peer else ""
    return Condition(
        kind="pod-unstretched",
        where=(array,),
        reasons=(f"{array} has no copy of pod {inventory.pod.name}{only}",),
        unless=("the pod is stretched to both arrays",),
    )


def _resyncing(array: str, by: str, copy: CopyLook) -> Condition:
    progress = f", {copy.progress:.0%} done" if copy.progress is not None else ""
    return Condition(
        kind="resyncing",
        where=(array,),
        reasons=(f"{by} calls {'its copy' if by == array else f'the copy of {array}'} resyncing{progress}",),
        unless=BOTH,
    )


def _link(answering: dict[str, ArrayLook]) -> Iterator[Condition]:
    """The link between the arrays: down while both copies are online still, or carrying data on fewer ways."""
    paired = [look for look in answering.values() if look.copies]
    said = {
        look.by: f"{look.by} calls the link to its peer {look.replication}"
        if look.replication
        else f"{look.by} has no connection to its peer"
        for look in paired
        if look.replication != "connected"
    }
    both_online = all(
        copy.status == "online" for look in paired for name, copy in look.copies.items() if name == look.by
    )
    broken = [look.by for look in paired if look.by in said and look.replication not in UP]
    if broken and len(paired) > 1 and both_online:
        yield Condition(
            kind="replication-lost",
            reasons=tuple(said[name] for name in broken),
            unless=("both arrays call the link connected",),
        )
    weak = [name for name in said if name not in broken]
    if weak and not broken:
        yield Condition(
            kind="replication-degraded",
            where=tuple(sorted(weak)),
            reasons=(*(said[name] for name in weak), "data is still mirrored, but over fewer or uneven links"),
            unless=("both arrays call the link connected",),
        )
