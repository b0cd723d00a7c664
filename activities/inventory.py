"""The inventory as the worker has it: what a run is about, fixed in its history at the start."""

from pydantic import BaseModel
from temporalio import activity

from activities.errors import NotFound
from cluster.inventory import Inventory
from cluster.plan import Finding


class ClusterName(BaseModel):
    """Which cluster is meant; none means the worker's own."""

    cluster: str | None = None


class InventoryFinding(Finding):
    """The inventory. It holds references to secrets, never a secret."""

    inventory: Inventory


class InventoryReader:
    """Knows the one inventory that this worker was started with."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    @activity.defn(name="inventory.read")
    async def read(self, which: ClusterName) -> InventoryFinding:
        """The inventory of that cluster; NotFound when this worker serves another one."""
        inventory = self._inventory
        if which.cluster not in (None, inventory.name):
            raise NotFound(f"cluster {which.cluster!r} is unknown here: this worker serves {inventory.name!r}")
        sites = " and ".join(f"{len(site.nodes)} nodes at {site.name}" for site in inventory.sites)
        return InventoryFinding(finding=f"{inventory.name}: {sites}, {inventory.votes} votes", inventory=inventory)
