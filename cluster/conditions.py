"""What can be wrong with a stretched cluster, and how storage, witness and paths show it.

Each condition says where, from which words of which vantage points, and what would change the mind.
"""

from collections.abc import Iterator
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from cluster.facts import ArrayLook, CopyLook, Facts, Memory, VotesLook
from cluster.inventory import Inventory, Site

# The gravest first: what a person has to know before anything else.
Kind = Literal[
    "quorum-lost",
    "storage-elsewhere",
    "pod-offline",
    "sites-parted",
    "site-lost",
    "site-isolated",
    "node-lost",
    "undetermined",
    "array-lost",
    "pod-unstretched",
    "paths-lost",
    "witness-lost",
    "votes-changed",
    "replication-lost",
    "ha-error",
    "ha-impaired",
    "mediator-lost",
    "links-down",
    "storage-inactive",
    "replication-degraded",
    "resyncing",
    "paths-degraded",
    "blind",
    "not-deployed",
    "healthy",
]
GRAVITY: tuple[Kind, ...] = get_args(Kind)


class Condition(BaseModel):
    """One thing that is so. `where` names sites, nodes, arrays, guests; `unless` is what would change the mind.

    `case` tells apart what has the same name and needs other advice; it is no part of the key.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    where: tuple[str, ...] = ()
    case: str = ""
    reasons: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What makes it this condition: ``site-lost site-a``."""
        return " ".join((self.kind, *self.where))

    @property
    def gravity(self) -> int:
        """Its place in the order of gravity, 0 the gravest."""
        return GRAVITY.index(self.kind)


def witness_conditions(views: dict[str, VotesLook], facts: Facts, inventory: Inventory) -> Iterator[Condition]:
    """The quorum device gives no vote, to all nodes or to those of one site. `views` are those of the quorate part."""
    deployed = {node: view for node, view in views.items() if view.expected == inventory.votes}
    without = [node for node, view in deployed.items() if not view.device]
    if not without:
        return
    witness, total = inventory.witness.name, {views[node].total for node in without}
    reasons = [f"{', '.join(without)} count {'/'.join(map(str, sorted(total)))} votes, none of the quorum device"]
    look = facts.witness
    if look is not None:
        said = f"does not answer: {look.silent}" if look.silent else f"answers and has {len(look.clients)} clients"
        reasons.append(f"{witness} {said}")
    sites = {inventory.site_of(node).name for node in without}
    all_of_them = len(without) == len(deployed)
    where = (witness,) if all_of_them else (witness, *sorted(sites))
    yield Condition(
        kind="witness-lost",
        where=where,
        reasons=tuple(reasons),
        unless=("the nodes count the quorum device's vote again",),
    )


def storage_conditions(facts: Facts, alive: set[str], inventory: Inventory) -> Iterator[Condition]:
    """What the arrays say of each other, of the mediator and of their initiators. `alive` are the cluster's members."""
    answering = {name: look for name, look in facts.arrays.items() if look.answered}
    for array in inventory.arrays:
        peer = answering.get(inventory.peer(array.name).name)
        own = answering.get(array.name)
        if own is None and peer is not None:
            yield from _told_lost(array.name, peer, facts)
        elif own is not None:
            yield from _copy(array.name, own, peer)
    yield from _link(answering)
    yield from _mediator(answering)
    yield from _paths(answering, alive, inventory)


def _told_lost(array: str, peer: ArrayLook, facts: Facts) -> Iterator[Condition]:
    """It is silent here, and its peer has lost it too: two vantage points.

    A peer that is offline itself knows nothing of it (reference: flasharray-rest §6.2).
    """
    copy = peer.copies.get(array)
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


def _copy(array: str, own: ArrayLook, peer: ArrayLook | None) -> Iterator[Condition]:
    copy = own.copies.get(array)
    if copy is None or copy.status == "online":
        return
    if copy.status == "resyncing":
        yield _resyncing(array, array, copy)
        return
    serving = peer.copies[peer.by].status if peer and peer.by in peer.copies else "unknown"
    yield Condition(
        kind="replication-lost",
        where=(array,),
        reasons=(f"{array} calls its own copy {copy.status}; the other copy is {serving}",),
        unless=("both copies are online",),
    )


def _resyncing(array: str, by: str, copy: CopyLook) -> Condition:
    progress = f", {copy.progress:.0%} done" if copy.progress is not None else ""
    return Condition(
        kind="resyncing",
        where=(array,),
        reasons=(f"{by} calls {'its copy' if by == array else f'the copy of {array}'} resyncing{progress}",),
        unless=("both copies are online",),
    )


def serves(look: ArrayLook) -> bool:
    """The array's own copy is online, as it says itself."""
    return look.answered and (own := look.copies.get(look.by)) is not None and own.status == "online"


def _link(answering: dict[str, ArrayLook]) -> Iterator[Condition]:
    broken = [look for look in answering.values() if look.copies and look.replication not in ("", "connected")]
    both_online = all(
        copy.status == "online" for look in answering.values() for name, copy in look.copies.items() if name == look.by
    )
    if broken and len(answering) > 1 and both_online:
        yield Condition(
            kind="replication-lost",
            reasons=tuple(f"{look.by} calls the link to its peer {look.replication}" for look in broken),
            unless=("both arrays call the link connected",),
        )


def _mediator(answering: dict[str, ArrayLook]) -> Iterator[Condition]:
    lost, elected = {}, ""
    for name, look in answering.items():
        own = look.copies.get(name)
        if own and own.mediator in ("unreachable", "flummoxed"):
            lost[name] = own.mediator
        elected = next((n for n, copy in look.copies.items() if copy.pre_elected), elected)
    if lost:
        pre = (f"{elected} is pre-elected: it alone survives a break of the replication",) if elected else ()
        yield Condition(
            kind="mediator-lost",
            where=tuple(sorted(lost)),
            reasons=(*(f"{name} calls the mediator {status}" for name, status in sorted(lost.items())), *pre),
            unless=("both arrays call the mediator online",),
        )


def _paths(answering: dict[str, ArrayLook], alive: set[str], inventory: Inventory) -> Iterator[Condition]:
    missing = {
        (node.name, name): look.logins.get(node.name, 0)
        for name, look in answering.items()
        if look.logins and look.copies
        for node in inventory.nodes
        if node.name in alive and look.logins.get(node.name, 0) < look.portals
    }
    if missing:
        yield Condition(
            kind="paths-degraded",
            where=tuple(sorted({node for node, _ in missing})),
            reasons=tuple(
                f"{node} has {count} of {answering[array].portals} sessions to {array}"
                for (node, array), count in sorted(missing.items())
            ),
            unless=("every node is logged in at every portal",),
        )


def voices(names: set[str], facts: Facts) -> list[str]:
    """The site's nodes that answer for themselves."""
    speak = sorted({look.by for look in (*facts.votes.values(), *facts.cluster.values()) if look.answered} & names)
    return [f"{', '.join(speak)} answer: they are alive"] if speak else []


def parted(site: Site, says: str, signs: list[str], facts: Facts, inventory: Inventory) -> Condition:
    """Both are alive: who has the quorum, and who has the pod."""
    winner = inventory.other_site(site.name)
    holders = {look.by for look in facts.arrays.values() if serves(look)}
    pod = " and ".join(one.name for one in inventory.sites if one.array in holders) or "nobody who answers"
    trap = () if winner.array in holders or not holders else (
        f"{winner.name} has the quorum and no storage: its guests fail, and HA does not help them",
    )  # fmt: skip
    return Condition(
        kind="sites-parted",
        where=(winner.name, site.name),
        reasons=(says, *signs, f"quorum: {winner.name}; pod: {pod}", *trap),
        unless=(f"the nodes of {site.name} are members again",),
    )


def nodes_lost(missing: list[str], sayers: list[str], facts: Facts) -> Condition:
    """They are no members any more, for whatever reason."""
    speak = [f"{', '.join(missing)} left the membership, say {', '.join(sayers)}", *voices(set(missing), facts)]
    return Condition(kind="node-lost", where=tuple(missing), reasons=tuple(speak), unless=("it is a member again",))


def doubt(about: str, reason: str, unless: str = "the vantage points agree") -> Condition:
    """Nothing can be said, and why."""
    return Condition(kind="undetermined", where=(about,), reasons=(reason,), unless=(unless,))


def explained(condition: Condition, lost: set[str], inventory: Inventory) -> bool:
    """What follows from a site's loss is not a second one."""
    arrays = {site.array for site in inventory.sites if site.name in lost}
    follows = ("array-lost", "replication-lost", "resyncing", "mediator-lost")
    return bool(arrays) and condition.kind in follows and set(condition.where) <= arrays


def known_name(node_id: int, memory: Memory) -> str:
    """The node's name, or its number where nobody has said the name yet."""
    return memory.ids.get(node_id) or f"node {node_id}"
