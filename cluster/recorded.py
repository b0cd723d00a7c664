"""An inventory as it stands in histories of runs: in version 0.1 the speed of a rehearsal's time was a field of it.

A run that was begun then is carried on: the field is left out of the inventory, and the speed is told beside it.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator

from cluster.inventory import Inventory

SPEED = "speed"


def _without_speed(recorded: object) -> object:
    if isinstance(recorded, dict):
        return {field: value for field, value in recorded.items() if field != SPEED}
    return recorded


RecordedInventory = Annotated[Inventory, BeforeValidator(_without_speed)]


def speed_beside(told: Any) -> Any:
    """A model's input with the speed beside its `inventory`, wherever it was recorded."""
    inventory = told.get("inventory") if isinstance(told, dict) else None
    return {SPEED: inventory[SPEED], **told} if isinstance(inventory, dict) and SPEED in inventory else told
