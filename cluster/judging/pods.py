"""Several pods beside each other: what is so of which of them, and what follows from one of them for another."""

from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import combinations

from cluster.conditions import Condition
from cluster.inventory import Inventory


def told_of_pods(found: Mapping[str, Iterable[Condition]]) -> Iterator[Condition]:
    """What is so of any pod, once; what is not so of all of them names those of which it is. `found` is by pod."""
    together: dict[str, list[tuple[str, Condition]]] = {}
    for pod, conditions in found.items():
        for one in conditions:
            together.setdefault(one.key, []).append((pod, one))
    for told in together.values():
        first = told[0][1]
        if len(told) == len(found) and all(one == first for _, one in told):
            yield first
            continue
        reasons = [f"{'' if pod in said else f'pod {pod}: '}{said}" for pod, one in told for said in one.reasons]
        # of two cases the one that is less certain asks for more care
        case = max((one.case for _, one in told), key=len)
        unless = tuple(dict.fromkeys(said for _, one in told for said in one.unless))
        of = tuple(pod for pod, _ in told) if len(told) < len(found) else ()
        update = {"case": case, "of": of, "reasons": tuple(dict.fromkeys(reasons)), "unless": unless}
        yield first.model_copy(update=update)


def with_the_lost_array(
    found: Mapping[str, list[Condition]], dark: Set[str], inventory: Inventory
) -> dict[str, list[Condition]]:
    """A pod that was served by the lost array alone is offline, where no node has its disks either.

    An array is lost by the word of its peer, which knows nothing of a pod that it does not serve itself: the other pods
    tell it. That an array is silent proves nothing about its data path, so the nodes have to say it too: `dark` are the
    pods whose storage is available on none of them.
    """
    lost = {
        name for conditions in found.values() for one in conditions if one.kind == "array-lost" for name in one.where
    }

    def judged(pod: str, one: Condition) -> Condition:
        if one.kind != "replication-lost" or one.case != "unseen" or pod not in dark:
            return one
        other = inventory.peer(one.where[0]).name
        if other not in lost:
            return one
        said = (*one.reasons, f"{other} is lost", "its storage is available on no node")
        return Condition(
            kind="pod-offline",
            where=tuple(sorted((*one.where, other))),
            reasons=said,
            unless=("one array calls its own copy online",),
        )

    return {pod: [judged(pod, one) for one in conditions] for pod, conditions in found.items()}


def quorum_apart(told: Iterable[Condition]) -> Iterator[Condition]:
    """Where only some pods are away from the quorum, it is not to follow them: the others are with it."""
    for one in told:
        yield one.model_copy(update={"case": "apart"}) if one.of and not one.case else one


def served_apart(told: Iterable[Condition], serving: Mapping[str, Set[str]]) -> Iterator[Condition]:
    """Where pods are served by different arrays, a lost copy asks for other advice: no site has all disks."""
    apart = any(one and other and not one & other for one, other in combinations(serving.values(), 2))
    for one in told:
        splits = apart and one.kind == "replication-lost" and one.of and not one.case
        yield one.model_copy(update={"case": "apart"}) if splits else one
