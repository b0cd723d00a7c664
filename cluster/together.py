"""Which runs may live together on one cluster: a table, asked in both orders. Pure.

A run that changes something holds while an incident is open that it does not serve: what HA and the arrays do then is
theirs (design §2.1), and what people agreed to was agreed for another cluster. Incidents themselves never wait for
anybody, and a break-glass run is there for one. Two runs that both move guests, nodes or storage exclude each other:
the later one is refused.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, get_args

from pydantic import Field

from cluster.ledger import INCIDENTS
from cluster.nouns import Value
from cluster.plan import Finding

# Workflow types of the runs that change something and are no incident.
Moving = Literal["EvacuateSite", "ReturnSite", "Failback"]
# Those that are there for an incident: each judges the cluster itself before every attempt of every change.
Breaking = Literal["HandOverQuorum", "ReviveGuests", "RestoreSessions", "ReconcileArrays", "ColdStart"]
Changing = Literal["DeployStretchedCluster", Moving, Breaking]
MOVING: tuple[Moving, ...] = get_args(Moving)
BREAKING: tuple[Breaking, ...] = get_args(Breaking)
CHANGING: tuple[Changing, ...] = ("DeployStretchedCluster", *MOVING, *BREAKING)
OTHER = "another runbook"
# What stands beside a run where the watch does not tell how the cluster is: neither a run nor a verdict.
UNSEEN = "Unseen"
May = Literal["lives", "holds", "refuses"]

# What each runbook serves: conditions that it is there to end, or that are a normal part of its work.
DEPLOYS = frozenset(
    {
        "not-deployed", "pod-unstretched", "resyncing", "replication-degraded", "votes-changed", "witness-lost",
        "paths-lost", "paths-degraded", "storage-inactive", "ha-impaired", "blind", "undetermined",
    }
)  # fmt: skip
# A guest that HA has given up is a matter between HA and that guest: it stays where it is.
ONE_GUEST = frozenset({"ha-error"})
SERVES: dict[str, frozenset[str]] = {
    "DeployStretchedCluster": DEPLOYS | ONE_GUEST,
    "EvacuateSite": ONE_GUEST,
    "ReturnSite": ONE_GUEST,
    "Failback": ONE_GUEST,
    OTHER: ONE_GUEST,
}


class Rule(Value):
    """What the later of two runs may do beside the other one, and why not more."""

    may: May
    why: str = ""


LIVES = Rule(may="lives")
_NOT_KNOWN = Rule(may="holds", why="it is not known whether an incident is about to open, so nothing is changed")
_FENCES = "HA fences and restarts guests, and nothing may be changed meanwhile"
_BOTH_MOVE = "both move guests: one at a time"
_BUILDS = "a deployment changes what the other run uses: one at a time"
_BREAKS = (
    "one of them is for an emergency, and two runs that change the cluster would not know of each other: end it first"
)

_RUNS: dict[tuple[str, str], Rule] = {
    **{("DeployStretchedCluster", other): Rule(may="refuses", why=_BUILDS) for other in CHANGING},
    **{(one, "DeployStretchedCluster"): Rule(may="refuses", why=_BUILDS) for one in CHANGING},
    **{(one, other): Rule(may="refuses", why=_BREAKS) for one in CHANGING for other in BREAKING},
    **{(one, other): Rule(may="refuses", why=_BREAKS) for one in BREAKING for other in CHANGING},
    **{(one, other): Rule(may="refuses", why=_BOTH_MOVE) for one in MOVING for other in MOVING},
    ("ReturnSite", "EvacuateSite"): Rule(
        may="holds", why="the site is still being emptied or waits to be switched off: end that run first"
    ),
}


class Beside(Value):
    """Something that is going on: a run, or a verdict of the watch that has no run yet.

    `kind` is a workflow type; `about` the conditions that an incident is about (``node-lost pxmx01-01``), or why it is
    not known how the cluster is, where `kind` is `UNSEEN`.
    """

    kind: str
    run: str = ""
    run_id: str = ""
    about: tuple[str, ...] = ()
    since: datetime | None = None

    @property
    def incident(self) -> bool:
        """It is one, or will be one."""
        return self.kind in INCIDENTS

    def __str__(self) -> str:
        told = ", ".join(self.about)
        if self.kind == UNSEEN:
            return told
        if not self.run:
            return f"the watch sees {told}"
        return f"{self.run} ({told})" if told else self.run


def rule(kind: str, other: Beside) -> Rule:
    """What a run of that workflow type may do while the other is there; `other` was there before."""
    if kind in INCIDENTS or (kind in BREAKING and (other.incident or other.kind == UNSEEN)):
        return LIVES
    if other.kind == UNSEEN:
        return _NOT_KNOWN
    row = kind if kind in CHANGING else OTHER
    if not other.incident:
        return _RUNS.get((row, other.kind), LIVES)
    if other.kind == "SiteLoss":
        return Rule(may="holds", why=f"a site is lost: {_FENCES}")
    if other.kind == "NodeLoss":
        return Rule(may="holds", why=f"a node is lost: {_FENCES}")
    unserved = [one for one in other.about if one.partition(" ")[0] not in SERVES[row]]
    if other.about and not unserved:
        return LIVES
    return Rule(may="holds", why="the cluster is not healthy, and the plan was approved for a healthy one")


class TogetherWish(Value):
    """Who may live with the run that asks. `enters`: it has just begun, and is put on record as being at work.

    `known`: return as soon as the answer is another one than this, or after `until` of the cluster's time; without it,
    return at once.
    """

    cluster: str
    enters: bool = False
    site: str = ""
    mode: str = ""
    known: str | None = None
    until: float = Field(default=600.0, gt=0)


class TogetherFinding(Finding):
    """Why the run has to hold or is refused; both are empty while it may go on.

    `inventory` is the digest of the one by which the worker judges.
    """

    holds: str = ""
    refuses: str = ""
    inventory: str = ""


def judged(kind: str, others: Iterable[Beside]) -> TogetherFinding:
    """All that stands in the way, in a sentence each."""
    said: dict[May, list[str]] = {"holds": [], "refuses": [], "lives": []}
    for other in others:
        found = rule(kind, other)
        said[found.may].append(f"{other} is open: {found.why}" if other.run else f"{other}: {found.why}")
    holds, refuses = "; ".join(said["holds"]), "; ".join(said["refuses"])
    return TogetherFinding(
        finding=refuses or holds or "no incident and no other run is in the way", holds=holds, refuses=refuses
    )


def standing(verdict: Mapping[str, object], opened: Iterable[Beside]) -> Beside | None:
    """What the watch's verdict stands for; None while it is healthy, or where an open incident is about the same.

    `verdict` is the watch's own, as data: ``{"main": {"kind": …, "where": […]}, "also": […]}``. A verdict counts before
    its incident is open, and a graver one counts beside the incident that is.
    """
    conditions = _conditions(verdict)
    words = [one.partition(" ")[0] for one in conditions]
    if not words or words == ["healthy"]:
        return None
    kind = "SiteLoss" if words[0].startswith("site") else "NodeLoss" if words[0] == "node-lost" else "ClusterIncident"
    known = {one.partition(" ")[0] for other in opened if other.incident for one in other.about}
    covered = any(other.kind == kind and kind != "ClusterIncident" for other in opened) or set(words) <= known
    return None if covered else Beside(kind=kind, about=tuple(conditions))


def unseen(
    watch: str, verdict: Mapping[str, object] | None, looked: datetime | None, now: datetime, rounds: timedelta
) -> Beside | None:
    """Why the verdict of a watch that runs says nothing of now; None while it does.

    `looked` is its newest look, `rounds` how far apart two looks may be. The words do not change while time goes by.
    """
    if looked is None or not _conditions(verdict or {}):
        return Beside(kind=UNSEEN, about=(f"{watch} has given no verdict yet",))
    if now - looked > rounds:
        since = f"{looked:%Y-%m-%d %H:%M:%S} UTC"
        why = f"{watch} last looked at {since}, and should look at least every {rounds.total_seconds():.0f} s"
        return Beside(kind=UNSEEN, about=(f"{why}: is its worker running?",))
    return None


def _conditions(verdict: Mapping[str, object]) -> list[str]:
    """All conditions of a verdict, the gravest first: ``node-lost pxmx01-01``."""
    found = []
    also = verdict.get("also")
    for one in (verdict.get("main"), *(also if isinstance(also, list | tuple) else ())):
        if isinstance(one, dict) and one.get("kind"):
            found.append(" ".join((str(one["kind"]), *map(str, one.get("where") or ()))))
    return list(dict.fromkeys(found))
