"""What can be wrong with a stretched cluster: the names, in the order of their gravity.

Each condition says where, from which words of which vantage points, and what would change the mind. How they are found
is in `cluster.judging`.
"""

import operator
from collections.abc import Iterable
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from cluster.looks import ArrayLook, Facts
from cluster.memory import Memory
from cluster.silences import Silence

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
# All hosts of a site are out of the quorate part: HA gives them up, whether they are dark, cut off or alive, and
# whatever their array does.
SITE_GONE: tuple[Kind, ...] = ("sites-parted", "site-lost", "site-isolated")


# The case of a lost third place that has nodes of its own: it is to the sites what a witness is elsewhere.
THIRD_PLACE = "third place"
# The case of a lost quorum where both sites reach the third place and not each other.
UNREST = "unrest"

# No incident is opened for these.
CALM: tuple[Kind, ...] = ("healthy", "not-deployed")
# What HA, the arrays and the incident's own runbook see to: a person follows it, and need not act.
BY_ITSELF: tuple[Kind, ...] = (*CALM, *SITE_GONE, "node-lost", "resyncing")


# What follows from a graver condition, and is over with it: nothing more that a person has to do.
FOLLOWING: dict[Kind, tuple[Kind, ...]] = {
    "storage-elsewhere": ("storage-inactive", "paths-lost", "paths-degraded"),
    "pod-offline": ("storage-inactive",),
}


class Condition(BaseModel):
    """One thing that is so. `where` names sites, nodes, arrays, guests; `unless` is what would change the mind.

    `case` tells apart what has the same name and needs other advice, and `nodes` are those that somebody has to see
    to where `where` names no node; `of` are the pods, or the storages, of which it is so where there are others of
    which it is not. None of them is part of the key. `planned` is the silence that has announced it.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    where: tuple[str, ...] = ()
    case: str = ""
    nodes: tuple[str, ...] = ()
    of: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    reasons: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    planned: Silence | None = None

    @property
    def key(self) -> str:
        """What makes it this condition: ``site-lost site-a``."""
        return " ".join((self.kind, *self.where))

    @property
    def words(self) -> str:
        """In words: ``witness lost (qdevice)``."""
        return self.name + (f" ({', '.join(self.where)})" if self.where else "")

    @property
    def name(self) -> str:
        """Its kind as people call it."""
        return "third place lost" if self.case == THIRD_PLACE else self.kind.replace("-", " ")

    @property
    def gravity(self) -> int:
        """Its place in the order of gravity, 0 the gravest."""
        return GRAVITY.index(self.kind)


def lost_site(condition: Condition) -> str:
    """The site whose hosts HA gives up; empty when the condition is no loss of a site.

    Parted sites are named with the one that has the quorum first.
    """
    return condition.where[-1] if condition.kind in SITE_GONE else ""


def follows(condition: Condition, beside: Iterable[Condition]) -> bool:
    """It is a consequence of a graver one of these."""
    return any(condition.kind in FOLLOWING.get(other.kind, ()) for other in beside)


def doubt(about: str, reason: str, unless: str = "the vantage points agree") -> Condition:
    """Nothing can be said, and why."""
    return Condition(kind="undetermined", where=(about,), reasons=(reason,), unless=(unless,))


def known_name(node_id: int, memory: Memory) -> str:
    """The node's name, or its number where it has not been told yet."""
    return memory.ids.get(node_id) or f"node {node_id}"


def voices(names: Iterable[str], facts: Facts) -> list[str]:
    """Those of these nodes that answer for themselves, by SSH or by their API."""
    own = (*facts.votes.values(), *facts.cluster.values())
    return sorted({look.by for look in own if look.answered} & set(names))


def serves(look: ArrayLook) -> bool:
    """The array's own copy is online, as it says itself."""
    return look.answered and (own := look.copies.get(look.by)) is not None and own.status == "online"
