"""What the arrays say of their copies, of each other, of the mediator and of their initiators."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cluster.conditions import THIRD_PLACE, Condition, lost_site, serves
from cluster.evidence import UP
from cluster.inventory import Inventory
from cluster.judging.mediator import mediator
from cluster.judging.pods import quorum_apart, served_apart, told_of_pods, with_the_lost_array
from cluster.judging.pulse import newest
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
    copies = with_the_lost_array({name: list(_of_pod(one)) for name, one in pods.items()}, _dark(case), case.inventory)
    serving = {name: {look.by for look in one.answering.values() if serves(look)} for name, one in pods.items()}
    yield from served_apart(told_of_pods(copies), serving)
    yield from _link(answering)
    yield from told_of_pods({name: mediator(one.answering) for name, one in pods.items()})
    yield from _paths(case)
    yield from _inactive(case)


def _of_pod(case: Storage) -> Iterator[Condition]:
    """Both copies of one pod."""
    answering, inventory = case.answering, case.inventory
    yield from _offline(case)
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
            return f"{array} has no copy of the pod"
        return "" if copy.status == "online" else f"{array} calls its own copy {copy.status}"
    told = other.copies.get(array)
    if told is None or told.status in ("online", "resyncing"):
        return ""
    return f"{array} does not answer here, and {other.by} calls its copy {told.status}"


def _offline(case: Storage) -> Iterator[Condition]:
    """Both arrays answer and neither serves the pod."""
    answering, pod = case.answering, case.inventory.pod.name
    if len(answering) < len(case.inventory.arrays) or any(serves(look) for look in answering.values()):
        return
    copies = {name: look.copies.get(name) for name, look in answering.items()}
    if all(copy is None for copy in copies.values()):
        if any(layer.startswith("pod ") for layer in case.absent):
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
        if peer is None or peer.by in peer.copies:
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


def _paths(case: Storage) -> Iterator[Condition]:
    """Every member has a session to every port of each array; none at all is worse than one that is missing."""
    few: dict[tuple[str, str], int] = {}
    noun = "logins" if case.inventory.transport == "fc" else "sessions"
    whole = len(case.answering) == len(case.inventory.arrays)
    diskless = {n for n in case.alive if whole and not any(look.logins.get(n) for look in case.answering.values())}
    for name, look in sorted(case.answering.items()):
        if f"sessions {name}" in case.absent:
            continue
        nodes = [
            node.name
            for site in case.inventory.sites
            for node in site.nodes
            if node.name in case.alive and not (case.apart and site.array != name)
        ]
        none = [node for node in nodes if not look.logins.get(node)]
        lost = diskless & set(none)
        few |= {(node, name): look.logins[node] for node in nodes if 0 < look.logins.get(node, 0) < look.portals}
        if none:
            yield Condition(
                kind="paths-lost",
                where=(name,) if len(none) == len(nodes) else (name, *none),
                case="everywhere" if lost else "",
                reasons=(
                    *((f"{name} offers no port",) if not look.portals else ()),
                    *(f"{node} has 0 of {look.portals} {noun} to {name}" for node in none),
                    *(f"{node} has no {noun[:-1]} to any array: its guests have no disks" for node in sorted(lost)),
                ),
                unless=(f"every node is logged in at {name}",),
            )
    if few:
        yield Condition(
            kind="paths-degraded",
            where=tuple(sorted({node for node, _ in few})),
            reasons=tuple(
                f"{node} has {count} of {case.answering[array].portals} {noun} to {array}"
                for (node, array), count in sorted(few.items())
            ),
            unless=("every node is logged in at every portal",),
        )


def _inactive(case: Storage) -> Iterator[Condition]:
    """The storage on each member, as the cluster tells it where that may be seen."""
    found = _told_storages(case)
    bad = {one: wrong for one, storages in found.items() if (wrong := _not_available(case, storages))}
    if bad:
        yield Condition(
            kind="storage-inactive",
            where=tuple(sorted({node for wrong in bad.values() for node in wrong})),
            of=tuple(bad) if len(bad) < len(found) else (),
            reasons=tuple(
                f"storage {one} is {word} on {node}" for one, wrong in bad.items() for node, word in wrong.items()
            ),
            unless=("the storage is available on every node",),
        )


def _told_storages(case: Storage) -> dict[str, Mapping[str, str]]:
    """Each storage on each node, as the cluster tells it; nothing where nobody tells."""
    told = newest(case.facts)
    first, *others = (storage.id for storage in case.inventory.all_storages)
    return {first: told.storages, **{one: told.more.get(one, {}) for one in others}} if told else {}


def _dark(case: Storage) -> set[str]:
    """The pods none of whose storages is available on any member, as the cluster tells it."""
    found = _told_storages(case)
    lit = {
        disk.pod.name
        for disk in case.inventory.disks
        if set(_not_available(case, found.get(disk.storage.id, {}))) < case.alive or not case.alive
    }
    return {pod.name for pod in case.inventory.all_pods} - lit


def _not_available(case: Storage, storages: Mapping[str, str]) -> dict[str, str]:
    bad = {node: word for node, word in sorted(storages.items()) if word != "available"}
    # where it is told for some nodes, it is told for all that have it
    bad |= {node: "not defined" for node in sorted(case.alive) if storages and node not in storages}
    return {node: word for node, word in bad.items() if node in case.alive}
