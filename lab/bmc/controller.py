"""A node's management controller: a small Redfish service that lives on standby power.

It answers although its node is off, as long as its site has any power. What it switches is the world's power.
Forms follow DMTF's Redfish (DSP0266, DSP0268); a reset that the power state does not allow is a 409.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from lab.bmc.redfish import RESET, RESETS, ROOT, SESSION_TIMEOUT, SESSIONS, Refused, View
from lab.physics.power import switch_off, switch_on
from lab.pve.work.shutdown import shut_down
from lab.serving import wire
from lab.world import World

_PUBLIC = {("GET", "/redfish"), ("GET", ROOT), ("HEAD", ROOT), ("POST", SESSIONS)}


def application(world: World, node: str, user: str, password: str) -> web.Application:
    """The service of one node's controller."""
    service = Service(world, node, user, password)

    device = wire.device(
        world,
        f"bmc:{node}",
        call=lambda request: f"{request.method} {request.path}",
        refuse=lambda status, message: Refused(status, "GeneralError", message).response(),
    )
    found = web.Application(middlewares=[device])
    found.router.add_route("*", "/{path:.*}", service.handle)
    found.on_response_prepare.append(_headers)
    return found


async def _headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["OData-Version"] = "4.0"
    response.headers["Cache-Control"] = "no-cache"


@dataclass
class Session:
    """Somebody who has logged in; `used` is lab time."""

    number: str
    token: str
    used: float


@dataclass
class Service:
    """One controller: its account, its sessions, and the boot that it has under way."""

    world: World
    node: str
    user: str
    password: str
    sessions: dict[str, Session] = field(default_factory=dict)
    booting: "asyncio.Task[None] | None" = None

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, whatever it is."""
        path = request.path.rstrip("/")
        try:
            if (request.method, path) not in _PUBLIC:
                self._authenticate(request)
            return await self._answer(request, path)
        except Refused as refused:
            return refused.response()

    async def _answer(self, request: web.Request, path: str) -> web.Response:
        writes = {RESET: self._reset, SESSIONS: self._log_in}
        session = path.removeprefix(f"{SESSIONS}/")
        if request.method == "POST" and path in writes:
            return await writes[path](request)
        if request.method == "DELETE" and session in self.sessions:
            del self.sessions[session]
            return web.Response(status=204)
        resource = self._view().resource(path)
        if resource is None and path != RESET:
            raise Refused(404, "ResourceMissingAtURI", f"The resource at the URI '{path}' was not found.", path)
        if resource is None or request.method not in ("GET", "HEAD"):
            allowed = "POST" if resource is None else "GET, HEAD" + (", POST" if path in writes else "")
            raise Refused(405, "OperationNotAllowed", "The HTTP method is not allowed on this resource.", allow=allowed)
        body = json.dumps(resource)
        etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(text=body, content_type="application/json", headers={"ETag": etag})

    # --- who calls ---------------------------------------------------------------------------------------------------

    def _authenticate(self, request: web.Request) -> None:
        now = self.world.clock.now()
        token = request.headers.get("X-Auth-Token")
        if token is not None:
            for session in self.sessions.values():
                if hmac.compare_digest(session.token, token) and now - session.used <= SESSION_TIMEOUT:
                    session.used = now
                    return
            raise Refused(401, "NoValidSession", "There is no valid session established with the implementation.")
        kind, _, coded = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic" or not self._knows(*_basic(coded)):
            raise Refused(401, "InsufficientPrivilege", "The account or its password is not accepted.")

    def _knows(self, user: str, password: str) -> bool:
        right = hmac.compare_digest(password.encode(), self.password.encode())
        return hmac.compare_digest(user.encode(), self.user.encode()) and right

    async def _log_in(self, request: web.Request) -> web.Response:
        given = await _json(request)
        for name in ("UserName", "Password"):
            if not isinstance(given.get(name), str):
                raise Refused(400, "PropertyMissing", f"The property '{name}' is required.", name)
        if not self._knows(given["UserName"], given["Password"]):
            raise Refused(401, "InsufficientPrivilege", "The account or its password is not accepted.")
        session = Session(secrets.token_hex(4), secrets.token_hex(16), self.world.clock.now())
        self.sessions[session.number] = session
        body = self._view().resource(f"{SESSIONS}/{session.number}")
        headers = {"X-Auth-Token": session.token, "Location": f"{SESSIONS}/{session.number}"}
        return web.json_response(body, status=201, headers=headers)

    def _view(self) -> View:
        sessions = dict.fromkeys(self.sessions, self.user)
        return View(self.node, self.on, self.world.clock.now(), sessions)

    # --- power -------------------------------------------------------------------------------------------------------

    @property
    def on(self) -> bool:
        """Whether the machine has power: one that boots or was reset does, although nothing on it answers yet."""
        host, booting = self.world.nodes[self.node], self.booting is not None and not self.booting.done()
        return host.powered or host.starting or booting

    async def _reset(self, request: web.Request) -> web.Response:
        kind = (await _json(request)).get("ResetType")
        if kind is None:
            text = "The action 'ComputerSystem.Reset' needs the parameter 'ResetType'."
            raise Refused(400, "ActionParameterMissing", text, "ComputerSystem.Reset", "ResetType")
        if kind not in RESETS:
            text = f"The value '{kind}' of the parameter 'ResetType' is not among the allowable values."
            raise Refused(400, "ActionParameterValueNotInList", text, str(kind), "ResetType", "ComputerSystem.Reset")
        if self.on == (kind == "On"):
            state = "on" if self.on else "off"
            raise Refused(409, "OperationNotAllowed", f"The system is {state}: '{kind}' is not possible.", kind)
        self.order(kind)
        return web.Response(status=204)

    def order(self, kind: str) -> None:
        """Carry out a reset, in Redfish's words, whatever state the machine is in."""
        world = self.world
        world.record(self.node, "bmc.reset", self.node, kind=kind)
        if self.booting is not None:
            self.booting.cancel()
            self.booting = None
        if kind == "GracefulShutdown":
            if world.nodes[self.node].powered:
                world.cluster.spawn(shut_down(world.cluster, self.node, reboot=False))
        elif kind != "On":
            switch_off(world, [self.node])
        if kind in ("On", "ForceRestart", "PowerCycle"):
            self.booting = asyncio.get_running_loop().create_task(switch_on(world, [self.node]))
            world.background.add(self.booting)
            self.booting.add_done_callback(world.background.discard)


def _basic(coded: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.text() or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused(400, "MalformedJSON", "The request body is no JSON object.")
    return found
