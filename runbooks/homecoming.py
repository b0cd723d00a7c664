"""Bringing guests home: what is asked for, what is reported. Pure."""

from typing import Self

from pydantic import BaseModel, Field, model_validator

from cluster.approval import Approval
from cluster.failback import LossRecord
from cluster.guests import numbers
from cluster.inventory import Inventory
from cluster.plan import Mode
from workflows.catalogue import RunbookReport, RunbookRequest


class FailbackRequest(RunbookRequest):
    """Which site's guests go home, and who asks for it.

    The homes are those of the site's last incident; of `incident`, a run; or given as `homes`, guest to node. `by` is
    who asks: that person's approval does not count.
    """

    site: str | None = None
    incident: str | None = None
    homes: dict[str, str] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.site is None:
            raise ValueError('"site" is required: the site to bring guests home to')
        if self.mode is Mode.APPLY and not (self.by or "").strip():
            raise ValueError('"by" is required: who asks for it; that person cannot approve it')
        if self.homes is not None and self.incident is not None:
            raise ValueError('give either "incident" or "homes", not both')
        return self

    def wrong_homes(self, inventory: Inventory) -> str:
        """What of the given homes does not fit the inventory; empty when all do."""
        if self.site not in {site.name for site in inventory.sites}:
            return f"site: {self.site!r} is none of {', '.join(site.name for site in inventory.sites)}"
        known = {node.name for node in inventory.site(self.site).nodes}
        if odd := [f"{sid} at {node}" for sid, node in (self.homes or {}).items() if node not in known]:
            return f"homes: {', '.join(odd)}: a home is one of {self.site}'s nodes {', '.join(sorted(known))}"
        if odd := [sid for sid in self.homes or {} if not numbers((sid,))]:
            return f"homes: {', '.join(odd)}: a guest is named as HA does, vm:300 or ct:137"
        return ""


class Moved(BaseModel):
    """A guest that was brought home; times in seconds of the cluster's own time."""

    sid: str
    source: str
    home: str
    seconds: float
    downtime: float


class FailbackReport(RunbookReport):
    """Who came home, who stayed and why, what the quarantine and the people have said, what was set back."""

    site: str
    incident: str = ""
    homes: dict[str, str] | None = None  # unknown in reports of version 0.1
    moved: tuple[Moved, ...] = ()
    staying: dict[str, str] = Field(default_factory=dict)
    vetoes: tuple[str, ...] = ()
    approval: Approval | None = None
    restored: tuple[str, ...] = ()
    outstanding: dict[str, str] = Field(default_factory=dict)


class Homes(BaseModel):
    """Where the guests belong, and what else the failback has to take care of."""

    inventory: Inventory
    site: str
    record: LossRecord

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes that have paths, each of which may hold a volume."""
        return tuple(node.name for node in self.inventory.site_nodes)

    @property
    def arrays(self) -> tuple[str, ...]:
        """The site's own array, and its peer."""
        own = self.inventory.site(self.site).array
        return own, self.inventory.peer(own).name
