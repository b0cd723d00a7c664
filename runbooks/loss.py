"""The loss of a site: what it is told of, what is measured, what is reported, and who is concerned. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field, model_validator

from cluster.facts import Memory
from cluster.forecast import Forecast
from cluster.guests import numbers
from cluster.inventory import Inventory
from cluster.recovery import Back, Frozen
from cluster.watching import Opening
from workflows.catalogue import RunbookReport, RunbookRequest


@dataclass(frozen=True)
class Loss:
    """A lost site, the one that is left, and what was known before."""

    inventory: Inventory
    site: str
    memory: Memory

    @property
    def nodes(self) -> tuple[str, ...]:
        """The lost nodes."""
        return tuple(node.name for node in self.inventory.site(self.site).nodes)

    @property
    def survivor(self) -> str:
        """The site that is left."""
        return self.inventory.other_site(self.site).name

    @property
    def survivors(self) -> tuple[str, ...]:
        """Its nodes."""
        return tuple(node.name for node in self.inventory.site(self.survivor).nodes)

    @property
    def guests(self) -> dict[str, str]:
        """Guests under HA that ran on a lost node, with that node."""
        return {sid: node for sid, node in self.memory.services.items() if node in self.nodes}

    @property
    def unmanaged(self) -> dict[int, str]:
        """Guests of the lost nodes that HA does not know: perhaps alive there."""
        managed = numbers(self.memory.services)
        return {
            vmid: node for vmid, node in self.memory.placement.items() if node in self.nodes and vmid not in managed
        }


class SiteLossRequest(RunbookRequest):
    """What a start form takes, for example ``{"site": "site-a", "mode": "apply"}``.

    In mode `plan` nothing is frozen: it only observes. A watch fills in `opening`.
    """

    site: str | None = None
    opening: Opening | None = None

    @model_validator(mode="after")
    def _one_names_the_site(self) -> Self:
        if self.site is None and self.opening is None:
            raise ValueError('site: which one is lost? for example {"site": "site-a", "mode": "apply"}')
        if self.plan is not None:
            raise ValueError("plan: a loss is not planned; leave it out")
        return self


class Timeline(BaseModel):
    """T+ in seconds of the cluster's own time; T0 is the last proof of life, `uncertain` how much later it may be."""

    t0: datetime
    uncertain: float
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


class SiteLossReport(RunbookReport):
    """How the loss went: measured against the forecast, and what is left to do.

    `homes` are the nodes on which HA's guests of the site ran before; `outstanding` are switches to be set back.
    """

    site: str
    timeline: Timeline
    forecast: Forecast
    back: tuple[Back, ...]
    not_back: dict[str, str]
    homes: dict[str, str]
    unmanaged: dict[int, str]
    frozen: tuple[Frozen, ...]
    outstanding: dict[str, str]
