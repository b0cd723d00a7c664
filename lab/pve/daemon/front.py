"""The HTTP daemon of a node: everything between the socket and a handler.

The order of refusals is PVE's: login, path, token allowed, permission, forwarding, parameters, then the code itself.
So a caller without rights never learns that a parameter was wrong.
"""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from lab.pve.daemon.calls import Call, Handler, Page, Routes
from lab.pve.daemon.forwarding import forwarded
from lab.pve.daemon.schema import Method, check, merge, schema
from lab.pve.errors import JSON, PveError, WireError, rejected
from lab.pve.etc.access import Identity
from lab.pve.models import cluster_of

if TYPE_CHECKING:
    from lab.physics.world import World

BASE = "/api2/json"
# Every 401 is held back so long, so that passwords cannot be guessed quickly (reference: proxmox-api §2).
UNAUTHORIZED_DELAY = 3.0
BODY_LIMIT = 512 * 1024
GZIP_FROM = 1024

_VERBS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_COOKIE = re.compile(r"(?:^|;\s*)PVEAuthCookie=([^;]*)")


class Front:
    """One node's daemon."""

    def __init__(self, world: "World", node: str, routes: Routes) -> None:
        self._world = world
        self._node = node
        self._routes = routes

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, whatever it is."""
        try:
            return self._success(request, await self._answer(request))
        except (PveError, WireError) as error:
            if error.status == 401:
                await self._world.clock.sleep(UNAUTHORIZED_DELAY)
            return error.response()

    def _success(self, request: web.Request, result: Any) -> web.Response:
        envelope = {"data": result.data, "total": result.total} if isinstance(result, Page) else {"data": result}
        body = json.dumps(envelope).encode()
        response = web.Response(body=body, headers={"Content-Type": JSON})
        if len(body) > GZIP_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _answer(self, request: web.Request) -> Any:
        raw_path = request.rel_url.raw_path
        if request.method not in _VERBS:
            raise WireError(501, f"method '{request.method}' not available")
        if "Transfer-Encoding" in request.headers:
            raise WireError(501, "chunked transfer encoding not supported")
        if not raw_path.startswith(f"{BASE}/") and raw_path != BASE:
            raise WireError(501, f"no such file '{unquote(raw_path)}'")
        path = raw_path.removeprefix(BASE) or "/"
        identity = self._authenticate(request, path)
        given = {**_pairs(request.rel_url.raw_query_string), **await _body(request)}
        method, in_path = schema().find(request.method, path)
        if identity is not None and identity.token and not method.allow_token:
            text = f"'{request.method} {path}' not available with API token, need proper ticket."
            raise PveError(text, status=403)
        parameters = merge(in_path, given)
        if identity is not None and not method.public:
            cluster_of(self._world).read_by(self._node).access.check(identity, method.permissions, parameters)
        handler = self._handler(method, path)
        who = identity or Identity("")
        node = str(_answering(parameters)) if method.forwarded else self._node
        if node in (self._node, "localhost"):
            return await handler(Call(cluster_of(self._world), self._node, who, check(method, parameters)))
        if "PVEDisableProxy" in request.headers:
            raise WireError(500, "proxy loop detected")
        async with forwarded(self._world, self._node, node, f"{request.method} {unquote(path)}") as there:
            return await handler(Call(cluster_of(there), node, who, check(method, parameters)))

    def _handler(self, method: Method, path: str) -> Handler:
        """What answers; for a call that is PVE's but not the twin's a refusal, which comes after all others."""

        async def unplayed(_: Call) -> None:
            raise PveError(f"Method '{method.verb} {path}' not implemented (by the twin)", status=501)

        return self._routes.table.get((method.verb, method.template), unplayed)

    def _authenticate(self, request: web.Request, path: str) -> Identity | None:
        """Who calls; None where nobody needs to say. A cookie wins over a token."""
        access = cluster_of(self._world).read_by(self._node).access
        now = self._world.clock.now()
        authorization = request.headers.get("Authorization", "")
        cookie = _COOKIE.search(request.headers.get("Cookie", ""))
        ticket = unquote(cookie[1]) if cookie else ""
        if not ticket and authorization.startswith("PVEAuthCookie="):
            ticket = unquote(authorization.removeprefix("PVEAuthCookie="))
        token = re.match(r"PVEAPIToken[= ](.*)", authorization)
        if _public(request.method, path):
            return access.by_token(token[1]) if token and not ticket else None
        if ticket:
            identity = access.by_ticket(ticket, now)
            if request.method not in ("GET", "HEAD"):
                access.check_csrf(identity, request.headers.get("CSRFPreventionToken", ""))
            return identity
        if token:
            return access.by_token(token[1])
        raise WireError(401, "No ticket")


def _answering(parameters: Mapping[str, Any]) -> Any:
    """The node that shall answer, be it part of the path or a parameter."""
    if not parameters.get("node"):
        raise rejected(node="proxyto parameter does not exist")
    return parameters["node"]


def _public(verb: str, path: str) -> bool:
    try:
        return schema().find(verb, path)[0].public
    except PveError:
        return False


async def _body(request: web.Request) -> dict[str, Any]:
    """The body's parameters: a form, JSON, or no content type at all, which is read as a form."""
    length = int(request.headers.get("Content-Length") or 0)
    if not length:
        return {}
    if request.method not in ("POST", "PUT"):
        raise WireError(501, f"Unexpected content for method '{request.method}'")
    if length > BODY_LIMIT:
        raise WireError(501, "for data too large")
    content_type = request.headers.get("Content-Type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("", "application/x-www-form-urlencoded", "application/json"):
        raise WireError(506, f"upload 'Content-Type '{content_type}' not implemented")
    text = (await request.read()).decode("utf-8", "replace")
    if kind != "application/json":
        return _pairs(text)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise PveError(f"malformed JSON string: {error}") from None
    if not isinstance(found, dict):
        raise PveError("malformed JSON string: an object was expected")
    return found


def _pairs(text: str) -> dict[str, Any]:
    """A query or a form; a repeated key makes a list."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in found:
            found[name] = value
        else:
            earlier = found[name]
            found[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
    return found
