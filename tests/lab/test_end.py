"""A world that has come to its end."""

import asyncio

from lab.physics.clock import Clock
from lab.world import World
from tests.twin import EXAMPLE
from workers.inventory_file import load


def test_what_was_to_happen_later_does_not():
    """Nothing of a world is still under way when it has ended; an event loop would tell of it at its close."""
    happened: list[str] = []

    async def life() -> set[asyncio.Task[None]]:
        world = World(load(EXAMPLE), clock=Clock(1.0), seed=1)
        world.after(3600, lambda: happened.append("an hour later"))
        await world.end()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(life()) == set()
    assert happened == []
