"""The control plane: plain HTTP on the witness's address, by which tests and drills steer the twin.

It is no part of the emulated world: nothing that Quorate does in earnest may use it.
"""

import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from lab.control import scenario
from lab.control.drills import Drills, table
from lab.control.picture import picture
from lab.control.places import Unfit
from lab.physics.faults import Fault, freeze
from lab.physics.power import nodes_of, switch_off, switch_on
from lab.world import World

# The fastest that time is run through on request: HA's rounds of ten seconds are still six to a second of the wall.
FASTEST = 60.0


class Steered(Protocol):
    """A twin, as its control plane knows it."""

    world: World

    async def reset(self, *, built: bool = False) -> None:
        """Back to the beginning, or to a built cluster."""


_STOPS: "weakref.WeakKeyDictionary[Steered, Callable[[], None]]" = weakref.WeakKeyDictionary()


def on_stop(twin: Steered, stop: Callable[[], None]) -> None:
    """Let `POST /stop` end the process that runs this twin; without it the call is refused."""
    _STOPS[twin] = stop


def union_seconds(intervals: list[tuple[float, float, str]]) -> float:
    """Seconds in which at least one of the intervals was under way."""
    total, reached = 0.0, float("-inf")
    for start, end, _ in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def control(twin: Steered) -> web.Application:
    """The application of the control plane."""
    plane = _Plane(twin)
    application = web.Application(middlewares=[_plain_errors])
    application.add_routes(
        [
            web.get("/status", plane.status),
            web.get("/picture", plane.picture),
            web.get("/changes", plane.changes),
            web.post("/reset", plane.reset),
            web.post("/stop", plane.stop),
            web.put("/speed", plane.speed),
            web.post("/advance", plane.advance),
            web.get("/faults-known", plane.known),
            web.post("/fail", plane.fail),
            web.post("/restore", plane.restore),
            web.get("/scenario", plane.played),
            web.post("/scenario", plane.play),
            web.delete("/scenario", plane.end),
            web.post("/faults", plane.plant),
            web.delete("/faults", plane.clear),
            web.post("/power", plane.power),
        ]
    )
    return application


class _Plane:
    """The calls, and what they steer."""

    def __init__(self, twin: Steered) -> None:
        self._twin = twin
        self._world = twin.world
        self._drills = Drills(twin.world)
        self._player = scenario.Player(twin.world, self._drills)

    async def status(self, _: web.Request) -> web.Response:
        """The few figures that a script wants; `picture` has the rest."""
        world = self._world
        return web.json_response(
            {
                "time": world.clock.now(),
                "speed": world.clock.speed,
                "changes": len(world.changes),
                "faults": [fault.shown() for fault in world.faults.planted],
                "drills": [active.shown() for active in self._drills.active],
                "busy_seconds": union_seconds(world.busy),
                "nodes": {name: host.powered for name, host in world.nodes.items()},
            }
        )

    async def picture(self, _: web.Request) -> web.Response:
        """The whole state, for people to look at."""
        return web.json_response(picture(self._world, self._drills) | {"scenario": self._scenario()})

    async def changes(self, request: web.Request) -> web.Response:
        """The log as JSON lines; `since` leaves out what the caller has."""
        since = int(request.query.get("since", 0))
        lines = "".join(change.line() + "\n" for change in self._world.changes if change.number > since)
        return web.Response(text=lines, content_type="application/x-ndjson")

    async def reset(self, request: web.Request) -> web.Response:
        """Back to bare arrays and a bare cluster, or to a built one; no fault holds and no scenario goes on."""
        order = await request.json() if request.can_read_body else {}
        await self._twin.reset(built=bool(order.get("built")))
        self._player.run = None
        return web.json_response({"changes": len(self._world.changes)})

    async def stop(self, _: web.Request) -> web.Response:
        """End the process, if it is one that may be ended."""
        stop = _STOPS.get(self._twin)
        if stop is None:
            raise Unfit("this twin is part of another program, which ends it")
        stop()
        return web.json_response({"stopped": True})

    # --- time ---

    async def speed(self, request: web.Request) -> web.Response:
        """Lab seconds per second."""
        order = await request.json()
        self._drills.set_speed(float(order["speed"]), by=_by(order))
        return web.json_response({"speed": self._world.clock.speed})

    async def advance(self, request: web.Request) -> web.Response:
        """Run through some lab time at a higher speed, and answer when it is over."""
        order = await request.json()
        span, clock = float(order["seconds"]), self._world.clock
        if not 0 < span <= 86_400:
            raise Unfit(f"time goes on by more than nothing and by a day at most, not by {span:g} s")
        before, fast = clock.speed, max(clock.speed, float(order.get("speed", FASTEST)))
        self._drills.set_speed(fast, by=_by(order))
        try:
            await clock.sleep(span)
        finally:
            if clock.speed == fast:  # else someone else has set it meanwhile
                self._drills.set_speed(before, by=_by(order))
        return web.json_response({"time": clock.now(), "speed": clock.speed})

    # --- faults by name ---

    async def known(self, _: web.Request) -> web.Response:
        """Every fault that can be played."""
        return web.json_response(table(self._world, self._drills))

    async def fail(self, request: web.Request) -> web.Response:
        """Begin a fault."""
        order = await request.json()
        name, where = str(order["fault"]), _words(order)
        changed = self._drills.fail(name, where, by=_by(order))
        return web.json_response({"fault": name, "where": where, "changed": changed, "active": self._active()})

    async def restore(self, request: web.Request) -> web.Response:
        """End a fault, or all of them."""
        order = await request.json()
        if order.get("all"):
            ended = self._drills.restore_all(by=_by(order))
        else:
            ended = self._drills.restore(str(order["fault"]), _words(order), by=_by(order))
        answer = {"restored": [one.title for one in ended], "changed": bool(ended), "active": self._active()}
        return web.json_response(answer | {"booting": self._drills.booting})

    def _active(self) -> list[str]:
        return [active.title for active in self._drills.active]

    # --- scenarios ---

    async def play(self, request: web.Request) -> web.Response:
        """Play a scenario that is sent as YAML; with `check`, only look whether it could be played."""
        found = scenario.read(await request.text(), self._world)
        if "check" in request.query:
            return web.json_response({"name": found.name, "steps": [step.title for step in found.steps]})
        self._player.start(found, by=request.query.get("by", "operator"))
        return web.json_response(self._scenario())

    async def played(self, _: web.Request) -> web.Response:
        """How the scenario goes; null when there was none."""
        return web.json_response(self._scenario())

    async def end(self, _: web.Request) -> web.Response:
        """Stop it here."""
        return web.json_response({"stopped": self._player.stop()})

    def _scenario(self) -> dict[str, Any] | None:
        return self._player.run.shown(self._world.clock.now()) if self._player.run else None

    # --- faults of single calls, and bare power ---

    async def plant(self, request: web.Request) -> web.Response:
        """Plant a fault on calls."""
        fault = Fault(**await request.json())
        fault.frozen = freeze(self._world) if fault.action == "stale" else None
        self._world.faults.plant(fault)
        return web.json_response(fault.shown())

    async def clear(self, _: web.Request) -> web.Response:
        """Forget what was planted here; the faults of drills are restored by name."""
        for fault in list(self._world.faults.planted):
            if fault.by != "drill":
                self._world.faults.lift(fault)
        return web.json_response({"faults": [fault.shown() for fault in self._world.faults.planted]})

    async def power(self, request: web.Request) -> web.Response:
        """Take or give the power of a node or of a site's nodes; answers when they have booted."""
        order = await request.json()
        nodes = nodes_of(self._world, order["what"])
        if order["on"]:
            await switch_on(self._world, nodes)
        else:
            switch_off(self._world, nodes)
        return web.json_response({name: self._world.nodes[name].powered for name in nodes})


def _words(order: dict[str, Any]) -> list[str]:
    where = order.get("where") or []
    if not isinstance(where, list):
        raise Unfit('where is a list of words, e.g. ["site-a"]')
    return [str(word) for word in where]


def _by(order: dict[str, Any]) -> str:
    return str(order.get("by") or "operator")


@web.middleware
async def _plain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A wrong call gets a sentence, not a stack trace."""
    answer: dict[str, Any]
    try:
        return await handler(request)
    except scenario.ScenarioError as error:
        answer = {"error": str(error), "complaints": [vars(complaint) for complaint in error.complaints]}
    except Unfit as error:
        answer = {"error": str(error)}
    except KeyError as error:
        answer = {"error": f"KeyError: {error}"}
    except (TypeError, ValueError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    return web.json_response(answer, status=400)
