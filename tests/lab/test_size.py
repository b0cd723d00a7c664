"""A cluster of any size: thirty-two nodes and two hundred guests live through the loss of a site."""

import pytest

from bench.sizes import grown
from cluster.inventory import Inventory
from lab.built import build
from lab.physics import jump
from lab.physics.power import switch_off
from lab.world import World
from tests.lab.stage import INVENTORY

pytestmark = pytest.mark.slow  # in `make test-twin`


def test_a_big_cluster_loses_a_site():
    """All hundred guests of the lost site run again, spread evenly, each once."""

    async def play() -> None:
        inventory = Inventory.model_validate(grown(INVENTORY.model_dump(mode="json"), nodes=32, guests=200))
        world = World(inventory, clock=jump.clock())
        world.cluster.ha.first_master = "pxmx02-01"
        await world.cluster.start()
        await build(world)
        await world.clock.sleep(60)
        lost = [node.name for node in inventory.sites[0].nodes]
        assert world.votes("pxmx02-01").total == 33

        switch_off(world, lost)
        await world.clock.sleep(250)

        guests = [guest for guest in world.cluster.guests.values() if guest.vmid >= 1000]
        assert (len(guests), all(guest.running and guest.node not in lost for guest in guests)) == (200, True)
        load = [sum(guest.node == node.name for guest in guests) for node in inventory.sites[1].nodes]
        assert max(load) - min(load) <= 1
        assert world.votes("pxmx02-01").total == 17
        await world.cluster.stop()

    jump.run(play())
