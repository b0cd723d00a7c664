"""What all HTTPS servers of the twin have in common: latency, planted faults, power, busy time.

Each server says which service it is and how a refused call looks; the rest is the same for arrays and nodes.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from lab.physics.faults import Fault, rebound
from lab.physics.world import World
from lab.serving.listener import dark, lost

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Refusal = Callable[[int, str], web.Response]
Forget = Callable[[web.Request], Awaitable[web.Response | None]]


def closed(request: web.Request) -> web.Response:
    """Close the connection without a reply, as a died process or a cut link would."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # never reaches anyone


def instead(fault: Fault, refuse: Refusal) -> web.Response | None:
    """What is answered in the stead of the device, which then does nothing; None when it answers for itself."""
    if fault.action == "garbage":
        body = fault.message.encode("latin-1", "replace")
        return web.Response(body=body, headers={"Content-Type": "application/json"})
    if fault.action != "fail":
        return None
    response = refuse(fault.status, fault.message)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    if fault.location:
        response.headers["Location"] = fault.location
    return response


def device(
    world: World, service: str, *, call: Callable[[web.Request], str], refuse: Refusal, forget: Forget | None = None
) -> Middleware:
    """A middleware that makes an application behave like a device of the world.

    A service is an array's name, or a node's behind ``pve:``.
    `call` names a request in the device's own words (``POST /pods``); `refuse` shapes a planted failure.
    `forget` ends the caller's session; a device without sessions answers as if there had been one.
    """
    place = service.removeprefix("pve:")

    async def before(fault: Fault, request: web.Request) -> web.Response | None:
        if fault.action == "delay":
            await world.clock.sleep(fault.seconds)
        if fault.action == "expire" and forget is not None:
            return await forget(request)
        return instead(fault, refuse)

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
            if fault is not None and (answer := await before(fault, request)) is not None:
                return answer
            if fault is not None and fault.frozen is not None and request.method in ("GET", "HEAD"):
                handler = rebound(handler, world, fault.frozen)
            response = await handler(request)
        if fault is not None and fault.action == "drop":
            return closed(request)
        return response

    return middleware
