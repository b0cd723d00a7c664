"""What all HTTPS servers of the twin have in common: latency, planted faults, power, busy time.

Each server says which service it is and how a refused call looks; the rest is the same for arrays and nodes.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from lab.faults import rebound
from lab.listener import dark, lost
from lab.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Refusal = Callable[[int, str], web.Response]


def closed(request: web.Request) -> web.Response:
    """Close the connection without a reply, as a died process or a cut link would."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # never reaches anyone


def device(world: World, service: str, *, call: Callable[[web.Request], str], refuse: Refusal) -> Middleware:
    """A middleware that makes an application behave like a device of the world.

    A service is an array's name, or a node's behind ``pve:``.
    `call` names a request in the device's own words (``POST /pods``); `refuse` shapes a planted failure.
    """
    place = service.removeprefix("pve:")

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = call(request)
        if dark(world, place):
            await lost(world, place)  # a connection that was made before it went dark
            return closed(request)
        fault = world.faults.take(service, name)
        if fault is not None and fault.action == "reset":
            return closed(request)
        if fault is not None and fault.action == "hang":
            await world.faults.lifted(fault)
            return closed(request)
        with world.working(f"{service} {name}"):
            await world.latency()
            if fault is not None and fault.action == "delay":
                await world.clock.sleep(fault.seconds)
            if fault is not None and fault.action == "fail":
                return refuse(fault.status, fault.message)
            if fault is not None and fault.frozen is not None and request.method in ("GET", "HEAD"):
                handler = rebound(handler, world, fault.frozen)
            response = await handler(request)
        if fault is not None and fault.action == "drop":
            return closed(request)
        return response

    return middleware
