"""Nodes that do not all reach each other: totem makes rings of those that do, and never comes to rest. Pure.

Knet passes nothing on from one node to the next. Where the link between two sites is cut and both still reach the nodes
of a third place, corosync 3.1.7 (four times 2+2+1 and twice 3+3+2 nodes, in network namespaces) formed two rings, with
the third place on either side (five times with the second site, once with the first). Each ring hears others that are
not in it, so both were formed anew after each consensus timeout, for as long as the cut lasted (75 s at most), and
nothing is delivered meanwhile. A node that has not synchronised still shows the old membership, as if it were quorate.
Of the rings of a cut that lasted, the one with the third place synchronised for a moment in 0 of 17 and in 4 of 12
rounds, the other one in 29 of 34 and in none of 12.
"""

from collections.abc import Callable, Iterable, Mapping
from random import Random

Nodes = frozenset[str]
# In how many rounds at most a ring synchronises for a moment: all of it hears the same others, or some of it more.
ALIKE, UNLIKE = 0.9, 0.35


def whole(near: Mapping[str, Nodes], group: Nodes) -> bool:
    """All of them reach each other without help."""
    return all(near[name] >= group for name in group)


def rings(near: Mapping[str, Nodes], group: Nodes, chance: Random) -> tuple[Nodes, ...]:
    """The rings that they make: each of nodes that all reach each other; who is with whom is left to chance.

    It begins with one of those that reach the fewest: who reaches everybody is taken along.
    """
    left, made = set(group), []
    while left:
        least = min(len(near[name] & left) for name in left)
        ring = {chance.choice(sorted(name for name in left if len(near[name] & left) == least))}
        for name in sorted(left, key=lambda one: (len(near[one] & left), one)):
            if all(name in near[other] for other in ring):
                ring.add(name)
        made.append(frozenset(ring))
        left -= ring
    return tuple(made)


def settles(near: Mapping[str, Nodes], ring: Nodes, chance: Random) -> float:
    """In how many of its rounds a ring synchronises for a moment: another share in each cut."""
    heard = {near[name] - ring for name in ring}
    return chance.uniform(0.0, ALIKE if len(heard) == 1 else UNLIKE)


def directly(nodes: Iterable[str], carries: Callable[[str, str], bool]) -> dict[str, Nodes]:
    """Whom each node reaches without help, itself included."""
    names = list(nodes)
    return {name: frozenset(other for other in names if other == name or carries(name, other)) for name in names}
