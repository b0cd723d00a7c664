"""`/cluster/resources`: its rows of guests, or the word for an answer that cannot be read."""

from typing import Any

from pydantic import ValidationError

from activities.errors import Unreachable
from cluster.guests import GuestRow, rows


def parse_guests(resources: Any) -> tuple[GuestRow, ...]:
    """Virtual machines and containers without templates.

    Unreachable when the answer has another shape: a row that is passed over may be a guest that runs.
    """
    try:
        return rows(resources)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__} {error}".strip().splitlines()[0][:80]
        raise Unreachable(f"Proxmox VE: cluster/resources says something that cannot be read: {reason}") from None
