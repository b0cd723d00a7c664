"""Who is lost by now: one object, which all parts of a loss share.

Nodes may follow, guests may be learned of late, nodes come back and are lost once more, and a graver incident may take
over; whoever learns of it writes it here.
"""

from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.conditions import GRAVITY, Condition, lost_site
    from cluster.incidents import conditions
    from cluster.units import shortly
    from cluster.watching import Change
    from runbooks.losing.carried import LossState
    from runbooks.loss import Loss

# A verdict of these kinds says nothing of single nodes.
BLIND = ("quorum-lost", "undetermined")


def named_lost(loss: Loss) -> str:
    """What an incident about single nodes is called."""
    return f"Lost: {shortly(loss.nodes)}"


@dataclass(eq=False)
class Lost:
    """The lost nodes of one incident. `headline` is its own, without what is graver meanwhile."""

    so_far: Loss | None = None
    headline: str = ""
    any_back: bool = False  # at least one of them was a member again
    missing: tuple[str, ...] = ()  # those that nobody waits for any more
    handed_to: str = ""  # the graver incident that goes on with it
    _were_back: set[str] = field(default_factory=set)  # those that the watch has called well since

    @property
    def loss(self) -> Loss:
        """Who is lost, by now."""
        if self.so_far is None:
            raise AssertionError("it is known as soon as the clock runs")
        return self.so_far

    @property
    def here(self) -> set[str]:
        """All nodes of its site."""
        return {node.name for node in self.loss.inventory.site(self.loss.site).nodes}

    def ours(self, condition: Condition) -> bool:
        """What this incident is about: its site, or nodes of it."""
        if lost_site(condition):
            return lost_site(condition) == self.loss.site
        return condition.kind == "node-lost" and bool(set(condition.where) & self.here)

    def is_ours(self, key: str) -> bool:
        """The same of a condition's key, as ``site-lost site-a``."""
        kind, *where = key.split(" ")
        return kind in GRAVITY and self.ours(Condition(kind=kind, where=tuple(where)))

    def all_well(self, change: Change) -> bool:
        """The verdict calls none of them lost."""
        return change.verdict.kind not in BLIND and not any(map(self.ours, conditions(change.verdict)))

    def once_more(self, change: Change) -> set[str]:
        """Those that were back, and that this verdict calls lost again."""
        if change.verdict.kind in BLIND:
            return set()
        ours = [one for one in conditions(change.verdict) if self.ours(one)]
        whole = any(one.kind != "node-lost" for one in ours)
        lost = {node for node in self.loss.nodes if whole or any(node in one.where for one in ours)}
        again, self._were_back = self._were_back & lost, (self._were_back | set(self.loss.nodes)) - lost
        return again

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {
            "loss": self.loss,
            "plain_headline": self.headline,
            "any_back": self.any_back,
            "were_back": sorted(self._were_back),
            "missing": self.missing,
        }

    def resumes(self, known: LossState) -> None:
        """As the earlier run knew them."""
        self.so_far, self.headline = known.loss, known.plain_headline
        self.any_back, self._were_back, self.missing = known.any_back, set(known.were_back), known.missing
