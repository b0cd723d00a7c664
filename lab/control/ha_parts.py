"""What a fault takes from HA: its daemons on a node, and the orders that they carry out."""

import math
from typing import TYPE_CHECKING, Literal

from lab.control.parts import Boots, Part, Parts, turned
from lab.control.places import Unfit

if TYPE_CHECKING:
    from lab.world import World


def lrm_stalled(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """The daemon's process hangs: it feeds no watchdog, and a reset of the node ends it."""
    return [turned(f"pve-ha-lrm of {where[0]}", world.cluster.ha.lrms[where[0]], "stalled", off=True)]


def crm_stopped(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """The daemon was stopped in an orderly way: a master gives its lock back. A boot starts it again."""
    name = where[0]
    crm, stopped = world.cluster.ha.crms[name], world.nodes[name].stopped
    if not world.nodes[name].powered:
        raise Unfit(f"{name} has no power: pve-ha-crm does not run there")

    def take() -> None:
        crm.end()
        stopped.add("pve-ha-crm")

    def give() -> None:
        stopped.discard("pve-ha-crm")
        if crm.ended:
            crm.begin()

    return [Part(f"pve-ha-crm of {name}", gone=lambda: crm.ended, take=take, give=give)]


def order_fails(deed: Literal["start", "migrate"]) -> Parts:
    """The next so many starts, or migrations, of a guest fail; all of them where no number is given."""

    def parts(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
        guest = world.cluster.guests[int(where[0])]
        times = float(where[1]) if len(where) > 1 else math.inf
        return [
            Part(
                f"{deed} of {guest.vmid}",
                gone=lambda: guest.failing.get(deed, 0) > 0,
                take=lambda: guest.failing.update({deed: times}),
                give=lambda: guest.failing.update({deed: 0}),
            )
        ]

    return parts
