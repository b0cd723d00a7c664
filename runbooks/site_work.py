"""Planned work on a site: what is asked for and reported. Pure."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from cluster.approval import Approval
from cluster.evacuation import SiteNodes
from cluster.inventory import Inventory
from cluster.plan import Mode
from cluster.recovery import Back
from cluster.silences import LONGEST
from cluster.units import Duration
from runbooks.homecoming import Moved
from workflows.catalogue import RunbookReport, RunbookRequest


class SiteRequest(RunbookRequest):
    """Which site is emptied, and who asks for it.

    `dark_for` is how long it may stay dark from when it is empty: so long the watch takes it as planned.
    """

    site: str | None = None
    dark_for: Duration = Field(default=timedelta(hours=24), gt=timedelta(), le=LONGEST)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.site is None:
            raise ValueError('"site" is required: the site to be emptied')
        if self.mode is Mode.APPLY and not (self.by or "").strip():
            raise ValueError('"by" is required: who asks for it; that person cannot approve it')
        return self

    def wrong_site(self, inventory: Inventory) -> str:
        """Empty when the inventory has that site."""
        known = [site.name for site in inventory.sites]
        return "" if self.site in known else f"site: {self.site!r} is none of {', '.join(known)}"


class EvacuationReport(RunbookReport):
    """Where the guests belong and where they are now; the return starts from it.

    `rested` are nodes that were in maintenance before. `outstanding` are switches that stay off until guests are home.
    """

    site: str
    homes: dict[str, str] = Field(default_factory=dict)
    back: tuple[Back, ...] = ()
    moved: tuple[Moved, ...] = ()
    rested: tuple[str, ...] = ()
    approval: Approval | None = None
    vetoes: tuple[str, ...] = ()
    master: str = ""
    outstanding: dict[str, str] = Field(default_factory=dict)


def site_nodes(inventory: Inventory, site: str) -> SiteNodes:
    """The site's nodes and the others."""
    return SiteNodes(
        site=site,
        nodes=tuple(node.name for node in inventory.site(site).nodes),
        others=tuple(node.name for node in inventory.other_site(site).nodes),
    )
