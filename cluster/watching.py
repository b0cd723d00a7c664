"""What passes between the watch of a cluster, the activity that looks for it, and the incidents that it opens."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.answers.model import Answer
from cluster.basis import Basis
from cluster.conditions import CALM, SITE_GONE, Condition, Kind, lost_site
from cluster.events import Event
from cluster.facts import Memory
from cluster.notices import Notice
from cluster.nouns import Value
from cluster.plan import Finding
from cluster.scene import Scene
from cluster.silences import Silence
from cluster.verdict import Verdict

__all__ = ["CALM", "SITE_GONE", "lost_site"]


class WatchWish(Value):
    """What is known already: `known` is the key of the verdict that was told last. `urgent`: ask everybody often.

    `silences` are the announcements that stand, whatever the worker's clock says.
    """

    cluster: str | None = None
    memory: Memory = Memory()
    known: str = ""
    urgent: bool = False
    until: timedelta = timedelta(hours=1)
    silences: tuple[Silence, ...] = ()


class Beat(Value):
    """What a watch tells while it looks, with reasons of now; the next attempt goes on from there.

    `looked_at` is when the look was made. A page that shows an older one than some rounds says that nobody is looking.
    """

    verdict: Verdict
    memory: Memory
    looked_at: datetime
    answers: tuple[Answer, ...] = ()
    scene: Scene | None = None


class Seen(Finding):
    """A verdict; `new` unless the time was over or the look was asked to stop: its memory counts all the same.

    `odd_since` is when the first look was not as usual, `looked_at` when the newest look was made. `answers` say what
    to do, one for each condition of the verdict. `basis` is what it was computed from, where it is new: it is for the
    record, and no run carries it on.
    """

    cluster: str
    policy: Literal["act", "observe"]
    verdict: Verdict
    memory: Memory
    at: datetime
    odd_since: datetime | None = None
    looked_at: datetime | None = None
    new: bool = True
    workers_at: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    basis: Basis | None = None


class Reach(Finding):
    """Which nodes answer to a worker that stands at a site, and what to do if that site is cut off."""

    nodes: tuple[str, ...] = ()
    answer: Answer | None = None


class Suspected(Value):
    """A verdict that somebody wants to have confirmed for the site, node or array `where`."""

    kinds: tuple[Kind, ...] = Field(min_length=1)
    where: str
    memory: Memory = Memory()

    def fits(self, condition: Condition) -> bool:
        """The condition is the suspected one. Of parted sites only the one without quorum is lost."""
        if condition.kind not in self.kinds:
            return False
        if condition.kind in SITE_GONE:
            return lost_site(condition) == self.where
        return self.where in condition.where


class Awaited(Value):
    """A site whose nodes are to answer."""

    site: str


class Opening(Value):
    """Why an incident was opened: the verdict, what was remembered, and when the first sign was seen."""

    verdict: Verdict
    memory: Memory
    at: datetime
    odd_since: datetime
    answers: tuple[Answer, ...] = ()


class Open(Value):
    """An incident that is open: its run, what it was opened for, and where: its site, its nodes, or nothing."""

    run: str
    key: str
    kind: str
    where: tuple[str, ...] = ()


class Change(Value):
    """What an open incident is told: the cluster looks different now, and these incidents are open."""

    verdict: Verdict
    at: datetime
    open: tuple[Open, ...] = ()
    answers: tuple[Answer, ...] = ()


class WatchRequest(BaseModel):
    """What a start form takes, for example ``{"cluster": "metro"}``; nothing means the worker's own cluster.

    All else is what a watch hands to its successor when its history has grown long: `untold` are notices that have
    not been delivered, `opened` is when an incident was opened last at each place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str | None = None
    seen: Seen | None = None
    memory: Memory = Memory()
    incidents: tuple[Open, ...] = ()
    epochs: dict[str, str] = Field(default_factory=dict)
    hinted: bool = False
    anew: bool = False
    urgent: bool = False
    nudged: datetime | None = None
    ids: tuple[str, ...] = ()
    received: int = 0
    latest: tuple[Event, ...] = ()
    remark: str = ""
    rights: str = ""
    rights_asked: datetime | None = None
    opened: dict[str, datetime] = Field(default_factory=dict)
    untold: tuple[Notice, ...] = ()
    silences: tuple[Silence, ...] = ()


class WatchState(BaseModel):
    """What a watch knows now: what `quorate incident` and the tests read.

    `at` is the newest look that was told; the one that runs now tells its own with its heartbeat. `open` is the
    gravest of the `incidents`. `remark` is what became of one that did not end by itself, `rights` what the token
    lacks.
    """

    cluster: str
    verdict: Verdict | None
    at: datetime | None
    memory: Memory
    open: Open | None
    incidents: tuple[Open, ...] = ()
    remark: str = ""
    rights: str = ""
    received: int
    trouble: str
    answers: tuple[Answer, ...] = ()
    silences: tuple[Silence, ...] = ()


def watch_id(cluster: str) -> str:
    """The fixed id of its run: one watch a cluster."""
    return f"watch/{cluster}"


def site_losses(verdict: Verdict) -> dict[str, Condition]:
    """The lost sites with the condition that tells it: beside a graver verdict too."""
    return {lost_site(one): one for one in (verdict.main, *verdict.also) if one.kind in SITE_GONE}


def isolated(verdict: Verdict, nodes: tuple[str, ...]) -> Verdict:
    """The same, where a worker that stands at the site called lost reaches these nodes: it is cut off, and alive."""
    site = verdict.main.where[0]
    alive = f"the worker at {site} answers and reaches {', '.join(nodes)}"
    main = verdict.main.model_copy(update={"kind": "site-isolated", "reasons": (*verdict.main.reasons, alive)})
    return verdict.model_copy(update={"main": main})
