"""A rehearsal's time: how much faster than the wall's it runs, and that it does so on the twin alone."""

from cluster.addresses import is_loopback
from cluster.inventory import Inventory
from workers.errors import Unusable
from workers.settings import Settings


def speed_of_time(inventory: Inventory, settings: Settings) -> float:
    """How much faster than the wall the cluster's time runs for this worker.

    Faster time shortens every wait that safety asks for: Unusable where an address of the cluster is no loopback one.
    """
    if settings.speed != 1 and (real := _real(inventory)):
        said = f"{settings.speed:g} shortens the safety waits: it is only for a rehearsal on loopback addresses"
        raise Unusable(f"QUORATE_SPEED: {said}, and {real[0]} is not one", "unset it")
    return settings.speed


def _real(inventory: Inventory) -> list[str]:
    hosts = [(node.name, node.address) for node in inventory.nodes]
    hosts += [(node.name, node.bmc.address) for node in inventory.nodes if node.bmc]
    hosts += [(array.name, array.address) for array in inventory.arrays]
    hosts += [(inventory.decider, inventory.outside)]
    return [f"{name} ({address})" for name, address in hosts if not is_loopback(address)]
