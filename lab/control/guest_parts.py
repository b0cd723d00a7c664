"""What a fault takes from guests and their volumes, and how it gives it back."""

from typing import TYPE_CHECKING

from lab.control.parts import Boots, Part
from lab.control.places import QMP_STATES, Unfit, volumes

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


def suspended_volume(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A volume that device-mapper has suspended, as it is for good when a reload on a node has not come through."""
    node, name = where
    lv = volumes(world)[name]
    if node not in lv.active_on:
        raise Unfit(f"{name} is not active on {node}: it is on {', '.join(sorted(lv.active_on)) or 'no node'}")
    return [
        Part(
            f"{name} suspended on {node}",
            gone=lambda: node in lv.suspended_on,
            take=lambda: lv.suspended_on.add(node),
            give=lambda: lv.suspended_on.discard(node),
        )
    ]
