"""Both halves of it, in the order in which a site comes to be: before any storage, and with it."""

from typing import TYPE_CHECKING

from lab.physics.power import switch_off
from lab.probed import arrays, cluster, hosts
from lab.probed.facts import Facts

if TYPE_CHECKING:
    from lab.world import World


# Lab seconds per second while a world is built: HA's rounds of ten seconds are two to a second of the wall.
FASTER = 20.0


def surround(world: "World", facts: Facts) -> None:
    """What is there before any deployment."""
    arrays.identify(world, facts)
    hosts.prepare(world, facts)
    cluster.define(world, facts)


async def furnish(world: "World", facts: Facts) -> None:
    """Storage, votes, guests and HA, as the answers have them.

    A stretch, and HA that lets a node rest, take minutes of lab time, which runs faster until the world is there.
    """
    speed, world.clock.speed = world.clock.speed, max(world.clock.speed, FASTER)
    try:
        await _furnished(world, facts)
    finally:
        world.clock.speed = speed


async def _furnished(world: "World", facts: Facts) -> None:
    hosts.vote(world, facts)
    if facts.stretched(world.inventory):
        await arrays.build(world, facts)
    hosts.log_in(world, facts)
    hosts.configure(world, facts)
    hosts.write_groups(world, facts, cluster.sizes(world, facts))
    cluster.place_guests(world, facts)
    world.record("lab", "built", world.inventory.name)
    await cluster.rest(world, facts)
    switch_off(world, facts.off(world.inventory))
