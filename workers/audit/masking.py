"""The one place that everything passes before it is written to a record."""

from typing import Any

from activities.clients.masks import MASKS


def masked(data: dict[str, Any]) -> dict[str, Any]:
    """The same without secrets that this process knows. Histories hold references alone: there should be none."""
    found: dict[str, Any] = MASKS.data(data)
    return found
