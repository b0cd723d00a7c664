"""Sockets of the emulated machines: who listens, and what a caller meets when nobody can.

A machine without power, or behind a cut link, does not refuse: what is sent to it is lost. Callers are taken and never
answered, so that they run into their own timeouts; a neighbour's address resolution gives up on a dead machine earlier.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lab.physics.links import ENGINE

if TYPE_CHECKING:
    from lab.physics.world import World

# Address resolution of a machine without power gives up after about three seconds (reference: proxmox-api §7).
NO_ROUTE_AFTER = 3.0
LOOKS_EVERY = 0.1  # wall seconds between two looks whether a lost caller is still there or the world has changed
BACKLOG = 128

Serve = Callable[[socket.socket], Awaitable[object]]


def dark(world: "World", place: str) -> str:
    """Why the engine does not reach a place: ``off``, ``cut``, or nothing when it does.

    Management controllers (``bmc:NODE``) have a network of their own that is never cut.
    """
    if place.startswith("bmc:"):
        return "" if world.nodes[place.removeprefix("bmc:")].bmc_powered else "off"
    host = world.nodes.get(place) or world.witness
    if not (world.arrays[place].up if place in world.arrays else host.powered):
        return "off"
    return "" if world.links.reaches(ENGINE, place) else "cut"


async def lost(world: "World", place: str) -> None:
    """Wait in the dark: until address resolution gives up, or until the place is reached again."""
    until = world.clock.now() + NO_ROUTE_AFTER
    while (why := dark(world, place)) and not (why == "off" and world.clock.now() >= until):  # noqa: ASYNC110
        await asyncio.sleep(LOOKS_EVERY)


class Listener:
    """One address of a place: connections go to `serve`, or are lost."""

    def __init__(self, world: "World", place: str, address: str, port: int, serve: Serve) -> None:
        self._world = world
        self._place = place
        self._serve = serve
        self._socket = socket.create_server((address, port), backlog=BACKLOG)
        self._socket.setblocking(False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._keep(self._accept())

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
        for task in list(self._tasks):
            task.cancel()

    def _keep(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._socket)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._keep(self._meet(connection))

    async def _meet(self, connection: socket.socket) -> None:
        if dark(self._world, self._place):
            await lost(self._world, self._place)
            connection.close()
            return
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await self._serve(connection)
