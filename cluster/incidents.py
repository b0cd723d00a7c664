"""Which incidents a verdict asks for, given those that are open. Pure, and about levels: the past plays no part.

Each lost site has its own `SiteLoss`, the lost nodes of a site that is still there share one `NodeLoss`, and all else
that is not healthy is a `ClusterIncident`, unless a loss is open: that one is told, and explains it on its page.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from cluster.answers.model import Answer
from cluster.conditions import BY_ITSELF, Condition, follows, lost_site
from cluster.nouns import Value
from cluster.plan import Finding
from cluster.verdict import HELD, Verdict
from cluster.watching import CALM, Open

Kind = Literal["SiteLoss", "NodeLoss", "ClusterIncident"]
# The folder of the ids of each kind: ``site-loss/metro/site-a/20261127T061500Z``.
FOLDER: dict[Kind, str] = {"SiteLoss": "site-loss", "NodeLoss": "node-loss", "ClusterIncident": "incident"}


class Wanted(Value):
    """An incident that is to be opened. `where`: the site, the nodes, or nothing for the cluster as a whole."""

    kind: Kind
    where: tuple[str, ...] = ()

    def place(self, cluster: str) -> str:
        """What its id begins with; the time of the first sign follows."""
        return "/".join((FOLDER[self.kind], cluster, *self.where[:1]))

    @property
    def about(self) -> dict[str, object]:
        """What its request says of the place."""
        if self.kind == "SiteLoss":
            return {"site": self.where[0]}
        return {"nodes": list(self.where)} if self.kind == "NodeLoss" else {}


class Ended(Value):
    """An incident that has ended: `status` is Temporal's word for how, `why` the message of one that failed."""

    run: str
    status: str
    why: str = ""

    @property
    def by_itself(self) -> bool:
        """It came to its own end and has told people so; a person's abort or cancellation is one."""
        return self.status == "completed" or self.why.startswith("Aborted") or self.status == "canceled"

    @property
    def never_began(self) -> bool:
        """Another run held its claim."""
        return self.why.startswith("AlreadyRunning")


def conditions(verdict: Verdict) -> tuple[Condition, ...]:
    """All that is so, the gravest first."""
    return (verdict.main, *verdict.also)


def asked_of_people(verdict: Verdict, answers: Sequence[Answer] = ()) -> dict[str, str]:
    """What a person has to do about it, by the key of the condition: the first task that its answer names."""
    first = {one.about: f": {one.tasks[0].do}" for one in answers if one.tasks}
    return {
        condition.key: condition.words + first.get(condition.key, "")
        for condition in conditions(verdict)
        if condition.planned is None
        and condition.kind not in BY_ITSELF
        and condition.case != HELD
        and not follows(condition, conditions(verdict))
    }


def told_to(incident: Open, verdict: Verdict) -> Verdict:
    """What an open incident is told of it: not what was announced, unless it is about that very site or these nodes.

    Where nothing else is so, the cluster is healthy to it.
    """
    told = [one for one in conditions(verdict) if one.planned is None or set(one.where) & set(incident.where)]
    if not told:
        said = tuple(f"announced: {one.words}" for one in conditions(verdict))
        return verdict.model_copy(update={"main": Condition(kind="healthy", reasons=said), "also": ()})
    return verdict.model_copy(update={"main": told[0], "also": tuple(told[1:])})


def wanted(verdict: Verdict, open_: tuple[Open, ...], site_of: Mapping[str, str]) -> tuple[Wanted, ...]:
    """What is to be opened beside the open ones, the gravest first. `site_of`: node to site.

    Nothing is opened for what was announced.
    """
    found = tuple(one for one in conditions(verdict) if one.planned is None)
    gone = dict.fromkeys(site for condition in found if (site := lost_site(condition)))
    sites = {one.where[0] for one in open_ if one.kind == "SiteLoss" and one.where}
    opens = [Wanted(kind="SiteLoss", where=(site,)) for site in gone if site not in sites]
    opens += _nodes(found, open_, site_of, {*gone, *sites})
    if not opens and not open_ and any(one.kind not in CALM for one in found):
        opens.append(Wanted(kind="ClusterIncident"))
    return tuple(opens)


def _nodes(
    found: tuple[Condition, ...], open_: tuple[Open, ...], site_of: Mapping[str, str], sites: set[str]
) -> list[Wanted]:
    """Lost nodes of sites that are not lost themselves and have no incident of their own yet."""
    known = sites | {site_of.get(node, node) for one in open_ if one.kind == "NodeLoss" for node in one.where}
    lost: dict[str, list[str]] = {}
    for condition in found:
        for node in condition.where if condition.kind == "node-lost" else ():
            lost.setdefault(site_of.get(node, node), []).append(node)
    return [
        Wanted(kind="NodeLoss", where=tuple(dict.fromkeys(nodes))) for site, nodes in lost.items() if site not in known
    ]


def taken_over_by(kind: str, site: str, open_: tuple[Open, ...]) -> str:
    """The graver incident that goes on with what this one was about: its run; empty while there is none.

    A site's loss takes over the loss of its nodes; any loss takes over what was only explained.
    """
    for one in open_:
        if one.kind == "SiteLoss" and (kind == "ClusterIncident" or (kind == "NodeLoss" and one.where == (site,))):
            return one.run
        if one.kind == "NodeLoss" and kind == "ClusterIncident":
            return one.run
    return ""


class StockWish(Value):
    """Which cluster's incidents are looked up; none means the worker's own."""

    cluster: str | None = None


class Stock(Finding):
    """The incidents that are open now, whoever has opened them, and the site of every node."""

    cluster: str
    open: tuple[Open, ...] = ()
    site_of: dict[str, str] = Field(default_factory=dict)


class FollowWish(Value):
    """Incidents whose end is waited for, by their runs."""

    runs: tuple[str, ...]


class Followed(Finding):
    """Those that have ended, and how."""

    ended: tuple[Ended, ...] = ()
