"""The inventory as the worker has it: what a run is about, fixed in its history at the start."""

from activities.errors import NotFound
from activities.serving import serves
from cluster.contracts import records
from cluster.contracts.records import ClusterName, InventoryFinding
from cluster.inventory import Inventory
from cluster.units import counted


class InventoryReader:
    """Knows the one inventory that this worker was started with, and how fast the cluster's time runs."""

    def __init__(self, inventory: Inventory, speed: float = 1.0) -> None:
        self._inventory, self._speed = inventory, speed

    @serves(records.inventory)
    async def read(self, which: ClusterName) -> InventoryFinding:
        """The inventory of that cluster; NotFound when this worker serves another one."""
        inventory = self._inventory
        if which.cluster not in (None, inventory.name):
            raise NotFound(f"cluster {which.cluster!r} is unknown here: this worker serves {inventory.name!r}")
        sites = " and ".join(f"{counted(len(site.nodes), 'node')} at {site.name}" for site in inventory.places)
        said = f"{inventory.name}: {sites}, {inventory.votes} votes"
        return InventoryFinding(finding=said, inventory=inventory, speed=self._speed)
