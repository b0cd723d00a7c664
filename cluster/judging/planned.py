"""What of a verdict was announced: a loss of nodes that were named, in maintenance and without a guest when they went.

What is not known counts as a guest that ran there. A silence never covers what names anything outside of it, and the
graver conditions (a lost quorum, parted sites, a doubt) are covered by none.
"""

from collections.abc import Iterator

from cluster.conditions import Condition, Kind
from cluster.inventory import Inventory, Site
from cluster.memory import Memory
from cluster.recovery import STOPPED
from cluster.silences import Silence
from cluster.verdict import Verdict

# What goes with a site that is emptied and switched off, where it names nothing else.
GOES_WITH_A_SITE: tuple[Kind, ...] = (
    "array-lost", "paths-lost", "paths-degraded", "replication-lost", "replication-degraded", "resyncing",
    "links-down", "blind",
)  # fmt: skip
# Nodes without any disk: whoever runs on them has lost something.
_DISKLESS = "everywhere"


def announced(verdict: Verdict, silences: tuple[Silence, ...], memory: Memory, inventory: Inventory) -> Verdict:
    """The same verdict, with what these silences cover marked as planned, and behind all that is not.

    `silences` are those that stand: when they end is not judged here. Of lost nodes only some of which are covered
    the others are a condition of their own.
    """
    if not silences:
        return verdict
    case = _Case(silences, memory, inventory)
    parts = [part for one in (verdict.main, *verdict.also) for part in case.parts(one)]
    first, *rest = sorted(parts, key=lambda one: one.planned is not None)
    return verdict.model_copy(update={"main": first, "also": tuple(rest)})


def empty(node: str, memory: Memory) -> bool:
    """No guest ran there when it was seen last: a look says so, of a time at which it was alive and in maintenance.

    That look must be so new that none was missed until the node's last proof of life, and nothing newer may say
    otherwise.
    """
    rested, last = memory.rested.get(node), memory.t0((node,))
    if rested is None or last is None or last - rested > memory.rounds:
        return False
    if node in memory.worked and memory.worked[node] >= rested:
        return False
    listed = [sid for sid, at in memory.services.items() if at == node and memory.states.get(sid) not in STOPPED]
    brought = [one for one in memory.before.values() if one.node == node and one.as_of >= rested]
    runs = [vmid for vmid, at in memory.placement.items() if at == node and memory.as_of.get(str(vmid), last) >= rested]
    return not (listed or brought or runs)


class _Case:
    """What stands, and what is remembered."""

    def __init__(self, silences: tuple[Silence, ...], memory: Memory, inventory: Inventory) -> None:
        self._silences, self._memory, self._inventory = silences, memory, inventory

    def parts(self, condition: Condition) -> Iterator[Condition]:
        """The condition, with its mark where it is covered; lost nodes in two where only some of them are."""
        if condition.kind in ("site-lost", "site-isolated"):
            site = self._inventory.site(condition.where[0])
            yield self._marked(condition, self._of_nodes(tuple(node.name for node in site.nodes)))
        elif condition.kind == "node-lost":
            yield from self._nodes(condition)
        else:
            yield self._marked(condition, self._beside(condition))

    def _nodes(self, condition: Condition) -> Iterator[Condition]:
        covered = tuple(node for node in condition.where if self._of_nodes((node,)))
        others = tuple(node for node in condition.where if node not in covered)
        if others:
            yield condition.model_copy(update={"where": others})
        if covered:
            yield self._marked(condition.model_copy(update={"where": covered}), self._of_nodes(covered))

    @staticmethod
    def _marked(condition: Condition, by: Silence | None) -> Condition:
        return condition if by is None else condition.model_copy(update={"planned": by})

    def _of_nodes(self, nodes: tuple[str, ...]) -> Silence | None:
        """The silence whose end is the end of its being planned; None unless every node is named, and was empty."""
        longest = []
        for node in nodes:
            site = next((one.name for one in self._inventory.sites if node in _names(one)), "")
            naming = [one for one in self._silences if node in one.where or site in one.where]
            if not naming or not empty(node, self._memory):
                return None
            longest.append(max(naming, key=lambda one: one.until))
        return min(longest, key=lambda one: one.until, default=None)

    def _beside(self, condition: Condition) -> Silence | None:
        """What goes with a site that was announced as a whole, and of which every node is empty."""
        if condition.kind not in GOES_WITH_A_SITE or condition.case == _DISKLESS or not condition.where:
            return None
        for site in self._inventory.sites:
            inside = _names(site) | {site.name, site.array}
            standing = [one for one in self._silences if one.where == (site.name,)]
            if standing and {*condition.where, *condition.nodes} <= inside:
                nodes = sorted(_names(site))
                return standing[0] if all(empty(node, self._memory) for node in nodes) else None
        return None


def _names(site: Site) -> set[str]:
    return {node.name for node in site.nodes}
