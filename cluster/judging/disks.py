"""What of the storage reaches the nodes: sessions or logins at the arrays, and the storage as the cluster has it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cluster.conditions import Condition
from cluster.judging.pulse import newest

if TYPE_CHECKING:
    from cluster.judging.storage import Storage


def path_conditions(case: "Storage") -> Iterator[Condition]:
    """Every member has a session to every port of each array; none at all is worse than one that is missing."""
    few: dict[tuple[str, str], int] = {}
    noun = "logins" if case.inventory.transport == "fc" else "sessions"
    # an array that shows no port at all tells nothing of who is logged in
    whole = len(case.answering) == len(case.inventory.arrays) and all(one.portals for one in case.answering.values())
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


def inactive(case: "Storage") -> Iterator[Condition]:
    """The storage on each member, as the cluster tells it where that may be seen."""
    found = told_storages(case)
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


def told_storages(case: "Storage") -> dict[str, Mapping[str, str]]:
    """Each storage on each node, as the cluster tells it; nothing where nobody tells."""
    told = newest(case.facts)
    first, *others = (storage.id for storage in case.inventory.all_storages)
    return {first: told.storages, **{one: told.more.get(one, {}) for one in others}} if told else {}


def dark(case: "Storage") -> set[str]:
    """The pods none of whose storages is available on any member, as the cluster tells it."""
    found = told_storages(case)
    lit = {
        disk.pod.name
        for disk in case.inventory.disks
        if set(_not_available(case, found.get(disk.storage.id, {}))) < case.alive or not case.alive
    }
    return {pod.name for pod in case.inventory.all_pods} - lit


def in_use(case: "Storage") -> set[str]:
    """The pods whose storages are all available on every member, as the cluster tells it."""
    found = told_storages(case)
    members = {node.name for node in case.inventory.site_nodes} & case.alive
    closed = {
        disk.pod.name
        for disk in case.inventory.disks
        if not all(found.get(disk.storage.id, {}).get(node) == "available" for node in members)
    }
    return {pod.name for pod in case.inventory.all_pods} - closed if members else set()


def _not_available(case: "Storage", storages: Mapping[str, str]) -> dict[str, str]:
    bad = {node: word for node, word in sorted(storages.items()) if word != "available"}
    # where it is told for some nodes, it is told for all that have it
    bad |= {node: "not defined" for node in sorted(case.alive) if storages and node not in storages}
    return {node: word for node, word in bad.items() if node in case.alive}
