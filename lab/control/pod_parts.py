"""Faults of one pod: what an array knows of a pod alone, while the arrays and the other pods are well."""

from typing import TYPE_CHECKING

from lab.control.parts import Boots, Part
from lab.control.places import Unfit

if TYPE_CHECKING:
    from lab.world import World


def preference(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A pod's preference, which somebody has changed on the arrays."""
    name, array = where
    pod = next((one for one in world.arrays[array].pods if one.name == name), None)
    if pod is None:
        raise Unfit(f"there is no pod {name} on {array} yet: build the cluster first")
    before = pod.failover_preferences

    def prefer(names: list[str]) -> None:
        pod.failover_preferences = names

    return [
        Part(
            f"preference of {name}",
            gone=lambda: pod.failover_preferences == [array],
            take=lambda: prefer([array]),
            give=lambda: prefer(before),
        )
    ]
