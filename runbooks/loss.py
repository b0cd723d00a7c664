"""The loss of nodes: what it is told of, what is measured, what is reported, and who is concerned. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from cluster.conditions import lost_site
from cluster.facts import Memory
from cluster.forecast import Forecast
from cluster.guests import numbers
from cluster.incidents import conditions
from cluster.inventory import Inventory
from cluster.memory import NOBODY_MOVED, ON_ITS_WAY, Before
from cluster.outages import Outage, Standing
from cluster.recorded import RecordedInventory
from cluster.recovery import PRESENT, STOPPED, Back, Frozen, HaView
from cluster.watching import Opening
from workflows.catalogue import RunbookReport, RunbookRequest

# Of a guest that was stopped before the loss, whatever HA does with its node.
NOT_TO_RUN = (*STOPPED, *ON_ITS_WAY)


@dataclass(frozen=True)
class Loss:
    """Lost nodes of one site, those that are left, and where HA's guests ran before: guest to lost node.

    `stopped` are guests of them that were stopped by request before: they were not lost with the nodes.
    """

    inventory: RecordedInventory
    site: str
    nodes: tuple[str, ...]
    memory: Memory
    guests: dict[str, str]
    stopped: tuple[str, ...] = ()

    @classmethod
    def of(cls, inventory: Inventory, site: str, nodes: tuple[str, ...], memory: Memory) -> "Loss":
        """As the watch remembers it."""
        homes = memory.homes(nodes) or {}
        stopped = tuple(sorted(sid for sid in homes if memory.states.get(sid) in STOPPED))
        return cls(inventory, site, nodes, memory, homes, stopped)

    @property
    def whole(self) -> bool:
        """All hosts of the site."""
        return len(self.nodes) == len(self.inventory.site(self.site).nodes)

    @property
    def survivor(self) -> str:
        """The site that is left whole."""
        return self.inventory.other_site(self.site).name

    @property
    def survivors(self) -> tuple[str, ...]:
        """The nodes that are left, those of the other site first."""
        there = [node.name for node in self.inventory.other_site(self.site).nodes]
        here = [node.name for node in self.inventory.site(self.site).nodes]
        return tuple(node for node in (*there, *here) if node not in self.nodes)

    @property
    def unmanaged(self) -> dict[int, str] | None:
        """Guests of the lost nodes that HA does not know, perhaps alive there; None when that is not known."""
        found = self.memory.unmanaged(self.nodes)
        known = numbers(self.guests)
        return None if found is None else {vmid: node for vmid, node in found.items() if vmid not in known}

    @property
    def perhaps(self) -> dict[str, Before]:
        """Guests that HA has brought from the lost nodes while nobody looked: where they were seen last."""
        found = self.memory.perhaps(self.nodes)
        return {sid: one for sid, one in found.items() if sid not in self.guests}

    @property
    def homes(self) -> dict[str, str]:
        """Where guests of the lost nodes belong, as far as it is known or likely: guest to node."""
        return {sid: one.node for sid, one in self.perhaps.items()} | self.guests

    def is_early(self, now: datetime, speed: float) -> bool:
        """HA cannot have moved anybody yet, also not from the node that was lost first.

        `speed` is how much faster than the clock the cluster's time runs.
        """
        seen = [self.memory.seen(node) for node in self.nodes]
        if self.memory.t0(self.nodes) is None or not all(seen):
            return False
        return all((now - when) * speed < NOBODY_MOVED for when in seen if when)

    def listed(self, view: HaView, *, early: bool) -> "Loss":
        """With HA's own list. `early`: HA cannot have moved anybody yet, so what it lists elsewhere ran elsewhere."""
        here = {sid: one.node for sid, one in view.services.items() if one.node in self.nodes}
        if not early:
            # what HA calls online may be back: others may be there by now than those who lived there
            known = self.guests.keys() | self.memory.services.keys()
            here = {sid: at for sid, at in here.items() if view.nodes.get(at) not in PRESENT or sid not in known}
        guests = here if early else {**self.guests, **here}
        # one that ran when the nodes were lost and is stopped now was set down since
        ran = self.memory.services.keys() - set(self.stopped)
        idle = {sid for sid in here if view.services[sid].state in STOPPED and sid not in ran}
        # HA fences a node for its stopped guests as well, and gives them another place
        kept = {sid for sid in self.stopped if sid not in view.services or view.services[sid].state in NOT_TO_RUN}
        return replace(self, guests=guests, stopped=tuple(sorted(idle | kept)))

    def others(self, view: HaView) -> dict[str, str]:
        """Guests under HA that run where nothing was lost: guest to node."""
        return {
            sid: one.node
            for sid, one in view.services.items()
            if one.state == "started" and one.node in self.survivors and sid not in self.guests
        }


class SiteLossRequest(RunbookRequest):
    """Which site is lost.

    In mode `plan` nothing is frozen: it only observes. A watch fills in `opening`, and an incident that continues as
    new `carried`.
    """

    site: str | None = None
    opening: Opening | None = None
    carried: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_names_the_site(self) -> Self:
        if not self.lost:
            raise ValueError('"site" is required: the site that is lost')
        if self.plan is not None:
            raise ValueError('leave out "plan": a loss is not planned')
        return self

    @property
    def lost(self) -> str:
        """The site, as it was named, or as the verdict names it."""
        told = conditions(self.opening.verdict) if self.opening else ()
        return self.site or next((site for one in told if (site := lost_site(one))), "")


class NodeLossRequest(RunbookRequest):
    """Which nodes of one site are lost.

    In mode `plan` nothing is frozen: it only observes. A watch fills in `opening`, and an incident that continues as
    new `carried`.
    """

    nodes: tuple[str, ...] = ()
    opening: Opening | None = None
    carried: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _names_nodes(self) -> Self:
        if not self.nodes:
            raise ValueError('"nodes" is required: the nodes that are lost, all of one site')
        if self.plan is not None:
            raise ValueError('leave out "plan": a loss is not planned')
        return self


class Inheritance(BaseModel):
    """What the loss of nodes hands to the loss of their site: homes, fencing that was seen, what was disabled.

    `standing` is how its guests stand, `outages` are those that each has had since.
    """

    run: str
    homes: dict[str, str]
    fenced: dict[str, datetime]
    proofs: dict[str, str]
    frozen: tuple[Frozen, ...]
    standing: dict[str, Standing] = Field(default_factory=dict)
    outages: tuple[Outage, ...] = ()


class Timeline(BaseModel):
    """T+ in seconds of the cluster's own time; T0 is the last proof of life, `uncertain` how much later it may be.

    `assumed`: the last proof of life is not known, and T0 is the start of the run.
    """

    t0: datetime
    uncertain: float
    assumed: bool = False
    noticed: float | None = None
    declared: float | None = None
    quorum: float | None = None
    fenced: dict[str, float] = Field(default_factory=dict)
    running: dict[str, float] = Field(default_factory=dict)
    rejoined: float | None = None


class Progress(BaseModel):
    """Measured beside expected: what a live view draws. `guests` are HA's, with the lost node where each ran."""

    speed: float
    timeline: Timeline | None
    forecast: Forecast | None
    guests: dict[str, str]
    back: tuple[Back, ...]
    waiting: dict[str, str]
    unfenced: dict[str, str] = Field(default_factory=dict)
    outages: tuple[Outage, ...] = ()


class LossReport(RunbookReport):
    """How the loss went: measured against the forecast, and what is left to do.

    `homes` are the nodes on which HA's guests ran before; `outages` are those of each guest, in UTC; `unfenced` says
    of nodes why they were not fenced; `missing` are lost nodes that have not come back; `outstanding` are switches to
    be set back.
    """

    site: str
    nodes: tuple[str, ...]
    timeline: Timeline
    forecast: Forecast
    back: tuple[Back, ...]
    not_back: dict[str, str]
    homes: dict[str, str]
    unmanaged: dict[int, str]
    frozen: tuple[Frozen, ...]
    outstanding: dict[str, str]
    outages: tuple[Outage, ...] = ()
    unfenced: dict[str, str] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    handed_to: str = ""


class SiteLossReport(LossReport):
    """The loss of a site's hosts."""


class NodeLossReport(LossReport):
    """The loss of some nodes of a site."""
