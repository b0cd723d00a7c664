"""Both halves of it, in the order in which a site comes to be: before any storage, and with it."""

from typing import TYPE_CHECKING

from lab.probed import arrays, cluster, hosts
from lab.probed.facts import Facts

if TYPE_CHECKING:
    from lab.world import World


def surround(world: "World", facts: Facts) -> None:
    """What is there before any deployment."""
    arrays.identify(world, facts)
    hosts.prepare(world, facts)
    cluster.define(world, facts)


async def furnish(world: "World", facts: Facts) -> None:
    """Storage, votes, guests and HA, as the answers have them; takes the lab seconds of a stretch."""
    hosts.vote(world, facts)
    if facts.stretched(world.inventory):
        await arrays.build(world, facts)
    hosts.log_in(world, facts)
    hosts.configure(world, facts)
    hosts.write_groups(world, facts, cluster.sizes(world, facts))
    cluster.place_guests(world, facts)
    world.record("lab", "built", world.inventory.name)
    await cluster.rest(world, facts)
