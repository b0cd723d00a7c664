"""One node passes a call on to another. The twin's nodes share one process, so only what can go wrong is played."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lab.physics.faults import Fault
from lab.pve.errors import PassedOn, PveError, WireError, forgotten, planted
from lab.serving import wire

if TYPE_CHECKING:
    from lab.physics.world import World

# Lab seconds (reference: proxmox-api §7). A dead neighbour in the same network: address resolution gives up.
NO_ROUTE_DELAY = 3.0
# Behind a router, or a cut link: what is sent is lost, and each phase of the call is limited.
PHASE_LIMIT = 30.0


@asynccontextmanager
async def forwarded(world: "World", here: str, there: str, call: str) -> "AsyncIterator[World]":
    """The world as the other node answers from it; 595 when it is not reached, 596 when it does not answer."""
    await _connect(world, here, there)
    fault = world.faults.take(f"pve:{there}", call)
    if fault is not None:
        await _meet(world, fault)
    yield fault.frozen if fault is not None and fault.frozen is not None and call.startswith("GET ") else world
    if fault is not None and fault.action == "drop":
        raise WireError(596, "Broken pipe")


async def _connect(world: "World", here: str, there: str) -> None:
    if there not in world.nodes:
        text = f"failed to get address info for: {there}: Name or service not known"
        raise PveError(f"hostname lookup '{there}' failed - {text}")
    if not world.links.reaches(here, there) or (not world.nodes[there].powered and not _neighbours(world, here, there)):
        await world.clock.sleep(PHASE_LIMIT)
        raise WireError(595, "Connection timed out")
    if not world.nodes[there].powered:
        await world.clock.sleep(NO_ROUTE_DELAY)
        raise WireError(595, "No route to host")


def _neighbours(world: "World", here: str, there: str) -> bool:
    """A site is one network; between the sites there are routers."""
    return world.nodes[here].site == world.nodes[there].site


async def _meet(world: "World", fault: Fault) -> None:
    """What was planted on the other node's service, as the node in between passes it on."""
    if fault.action == "hang":
        await world.clock.sleep(PHASE_LIMIT)
        raise WireError(596, "Connection timed out")
    if fault.action == "reset":
        raise WireError(596, "Broken pipe")
    if fault.action == "delay":
        await world.clock.sleep(fault.seconds)
    if fault.action == "expire":
        raise forgotten()
    if (answer := wire.instead(fault, planted)) is not None:
        raise PassedOn(answer)
