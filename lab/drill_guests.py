"""What a fault takes from guests, and how it gives it back."""

from typing import TYPE_CHECKING

from lab.drill_parts import Boots, Part
from lab.places import QMP_STATES, Unfit

if TYPE_CHECKING:
    from lab.world import World


def guest_paused(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A machine whose process is there and does not work; ``paused`` unless another state is asked for."""
    guest = world.cluster.guests[int(where[0])]
    state = where[1] if len(where) > 1 else QMP_STATES[0]
    if not guest.running:
        raise Unfit(f"guest {guest.vmid} does not run: only what runs can be {state}")

    def give() -> None:
        if guest.qmp == state:
            guest.qmp = ""

    return [
        Part(
            f"processors of {guest.vmid}",
            gone=lambda: bool(guest.qmp),
            take=lambda: setattr(guest, "qmp", state),
            give=give,
        )
    ]
