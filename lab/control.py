"""The control plane: plain HTTP on the witness's address, by which tests and drills steer the twin.

It is no part of the emulated world: nothing that Quorate does in earnest may use it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lab.faults import Fault
from lab.power import nodes_of, switch_off, switch_on

if TYPE_CHECKING:
    from lab.twin import Twin


def union_seconds(intervals: list[tuple[float, float, str]]) -> float:
    """Seconds in which at least one of the intervals was under way."""
    total, reached = 0.0, float("-inf")
    for start, end, _ in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def control(twin: "Twin") -> web.Application:
    """The application of the control plane."""

    async def status(_: web.Request) -> web.Response:
        world = twin.world
        return web.json_response(
            {
                "time": world.clock.now(),
                "speed": world.clock.speed,
                "changes": len(world.changes),
                "faults": [asdict(fault) for fault in world.faults.planted],
                "busy_seconds": union_seconds(world.busy),
                "nodes": {name: host.powered for name, host in world.nodes.items()},
            }
        )

    async def changes(_: web.Request) -> web.Response:
        lines = "".join(change.line() + "\n" for change in twin.world.changes)
        return web.Response(text=lines, content_type="application/x-ndjson")

    async def reset(_: web.Request) -> web.Response:
        await twin.reset()
        return web.json_response({"changes": 0})

    async def plant(request: web.Request) -> web.Response:
        fault = Fault(**await request.json())
        twin.world.faults.plant(fault)
        return web.json_response(asdict(fault))

    async def clear(_: web.Request) -> web.Response:
        twin.world.faults.clear()
        return web.json_response({"faults": []})

    async def speed(request: web.Request) -> web.Response:
        twin.world.clock.speed = float((await request.json())["speed"])
        return web.json_response({"speed": twin.world.clock.speed})

    async def power(request: web.Request) -> web.Response:
        order = await request.json()
        nodes = nodes_of(twin.world, order["what"])
        if order["on"]:
            await switch_on(twin.world, nodes)
        else:
            switch_off(twin.world, nodes)
        return web.json_response({name: twin.world.nodes[name].powered for name in nodes})

    application = web.Application(middlewares=[_plain_errors])
    application.add_routes(
        [
            web.get("/status", status),
            web.get("/changes", changes),
            web.post("/reset", reset),
            web.post("/faults", plant),
            web.delete("/faults", clear),
            web.put("/speed", speed),
            web.post("/power", power),
        ]
    )
    return application


@web.middleware
async def _plain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A wrong call gets a sentence, not a stack trace."""
    try:
        return await handler(request)
    except (TypeError, ValueError, KeyError) as error:
        answer: dict[str, Any] = {"error": f"{type(error).__name__}: {error}"}
        return web.json_response(answer, status=400)
