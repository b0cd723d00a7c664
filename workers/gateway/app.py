"""The event gateway: hints from outside, over HTTP, to the watch of one cluster.

It proves who sends, checks what is sent, and answers 202 when Temporal has the events and not before. It decides
nothing and keeps nothing: what was not acknowledged must be sent again, and the watch looks by itself anyway.
"""

import asyncio
import contextlib
import logging
import math
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from activities.clients.secrets import Secrets
from activities.errors import NotFound
from cluster.around import EventSource
from cluster.inventory import Inventory
from workers.errors import Unusable
from workers.gateway import traces
from workers.gateway.bodies import read
from workers.gateway.delivery import Delivery, Receipt
from workers.gateway.door import Door
from workers.gateway.openapi import REFUSALS, TITLES, components, operation
from workers.gateway.refusals import Refusal, Refused
from workers.settings import Settings

log = logging.getLogger("quorate.gateway")

# Requests under way at once: with the largest bodies 128 MiB. What comes on top is told to come again.
AT_ONCE = 500
# Connections, those that say nothing among them; uvicorn itself turns away what is above.
CONNECTIONS = 2000
# Time for what is under way when the gateway is stopped: longer than a request may take.
STOPS_WITHIN = 10
# /ready may be asked by anybody and asks Temporal: once in so many seconds at most.
READY_FOR = 1.0


class Health(BaseModel):
    """That it is so."""

    status: str


class _Documented(FastAPI):
    """FastAPI, and in its document the bodies that we read ourselves: after we know who sends them."""

    def __init__(self, sources: tuple[EventSource, ...], **options: Any) -> None:
        self._sources = sources
        super().__init__(**options)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for kind, entries in components(self._sources).items():
                document.setdefault("components", {}).setdefault(kind, {}).update(entries)
        return super().openapi()


class Gateway:
    """The routes of one inventory's sources, onto one delivery."""

    def __init__(self, inventory: Inventory, secrets: Secrets, delivery: Delivery, settings: Settings) -> None:
        if not inventory.events:
            raise Unusable(
                f"the inventory of {inventory.name} names no event source",
                "list the senders under `events`: docs/events.md shows how",
            )
        self._delivery, self._under_way = delivery, 0
        self._asked, self._ready = -math.inf, False
        self._doors: dict[str, Door] = {}
        self.app = _Documented(
            inventory.events,
            title=f"Quorate event gateway of {inventory.name}",
            version=version("quorate"),
            description="Hints that something has happened. 202 means that Temporal has them.",
            docs_url=None,  # its pages would load scripts from elsewhere
            redoc_url=None,
            redirect_slashes=False,
            telemetry={"tracing": False},  # its spans would tell of everybody who knocks
            lifespan=self._lifespan,
        )
        for source in inventory.events:
            secret = _secret(source, secrets)
            door = Door(source, secret, rate=settings.gateway_rate, burst=settings.gateway_burst)
            self._add(source, door)
            self._doors[source.name] = door
        self.app.add_api_route("/health", self._health, response_model=Health, summary="The process lives")
        self.app.add_api_route(
            "/ready",
            self._is_ready,
            response_model=Health,
            responses={503: {"model": Refusal, "description": "events would not be taken now"}},
            summary="Temporal answers, and there is room for events",
        )
        self.app.add_exception_handler(Refused, _refused)
        self.app.add_exception_handler(HTTPException, _unknown)
        self.app.add_exception_handler(Exception, _bug)

    def show(self, board: ASGIApp, password: str) -> None:
        """Serve the board below ``/board``. It asks for its own login, and no sender may know that one."""
        if both := next((name for name, door in self._doors.items() if door.opens_with(password)), None):
            raise Unusable(
                f"the board's password is the secret of the event source {both}", "give the board a password of its own"
            )
        # what the page loads is named relative to its folder
        self.app.add_api_route("/board", _to_the_board, include_in_schema=False)
        self.app.mount("/board", board)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async with self._delivery:
            yield

    def _add(self, source: EventSource, door: Door) -> None:
        path = f"/events/{source.name}"
        if any(getattr(route, "path", None) == path for route in self.app.routes):
            raise Unusable(f"two event sources are named {source.name}", "give each a name of its own")
        self._delivery.figures.begins(source.name)

        async def receive(request: Request) -> JSONResponse:
            try:
                with self._delivery.figures.request(source.name):
                    return await self._receive(request, source, door)
            except Refused as refused:
                log.warning("source %s: %s %s", source.name, refused.status, refused.refusal.error)
                raise
            except ClientDisconnect:  # nobody reads the answer
                return _answer(Refused(400, "the sender hung up before the body ended", "send it again"))

        self.app.add_api_route(
            path,
            receive,
            methods=["POST"],
            status_code=202,
            response_model=Receipt,
            responses=REFUSALS,
            summary=f"{TITLES[source.kind]}, from {source.name}",
            operation_id=f"events_{source.name}",
            openapi_extra=operation(source),
        )

    async def _receive(self, request: Request, source: EventSource, door: Door) -> JSONResponse:
        began = time.time()
        with self._place():
            until = asyncio.get_running_loop().time() + self._delivery.patience
            visit = await door.enter(request.headers, request.stream(), self._delivery.patience)
            signed = visit.signed is not None
            with traces.request(source.name, began) as span:
                events = read(source.kind, source.name, request.headers, visit.body, signed=signed)
                receipt = await self._delivery.deliver(events, until)
                span.set_attribute("http.response.status_code", 202)
            door.taken(visit)
        return JSONResponse(receipt.model_dump(), 202)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._under_way >= AT_ONCE:
            raise Refused(503, "too many requests are under way", "send it again", again_in=1)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _health(self) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def _is_ready(self) -> JSONResponse:
        if not self._delivery.has_room:
            raise Refused(503, "no more events may wait", "see whether Temporal keeps up", again_in=2)
        if time.monotonic() - self._asked > READY_FOR:
            self._ready, self._asked = await self._delivery.answers(), time.monotonic()
        if not self._ready:
            raise Refused(503, "Temporal does not answer", "see whether its server runs and is reached", again_in=2)
        return JSONResponse({"status": "ready"})


def _secret(source: EventSource, secrets: Secrets) -> str:
    """The source's secret; an empty one would let everybody in."""
    try:
        secret = secrets.read(source.secret)
    except NotFound as error:
        raise Unusable(f"event source {source.name}: {error.message}", "every source needs its secret") from None
    if not secret:
        raise Unusable(f"event source {source.name}: secret {source.secret} is empty", "put the secret there")
    return secret


def _answer(refused: Refused, headers: dict[str, str] | None = None) -> JSONResponse:
    if refused.again_in is not None:
        headers = {"Retry-After": str(max(1, math.ceil(refused.again_in)))}
    return JSONResponse(refused.refusal.model_dump(exclude_none=True), refused.status, headers)


async def _to_the_board() -> RedirectResponse:
    return RedirectResponse("board/", 308)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)  # noqa: S101  # it is registered for nothing else
    return _answer(error)


async def _unknown(_: Request, error: Exception) -> JSONResponse:
    """No such path, or not with that method."""
    assert isinstance(error, HTTPException)  # noqa: S101  # it is registered for nothing else
    remedy = "/openapi.json lists what there is; a source is named as in the inventory"
    return _answer(Refused(error.status_code, error.detail, remedy), dict(error.headers or {}))


async def _bug(_: Request, __: Exception) -> JSONResponse:
    """A mistake of ours; uvicorn logs it with its place."""
    return _answer(Refused(500, "a bug in the gateway; nothing was acknowledged", "its log says where: please report"))


class Server(uvicorn.Server):
    """Uvicorn, stopped by `should_exit` alone: its own handlers would end the process by the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to who started the server."""
        yield


def server(app: FastAPI, tls: tuple[str, str] | None = None) -> Server:
    """A server for the gateway; `tls` is the certificate's and the key's file."""
    certificate, key = tls or (None, None)
    config = uvicorn.Config(
        app,
        log_level="warning",
        log_config=None,  # what it logs is written as everything else is
        access_log=False,  # a storm is counted by the watch; refusals are logged by us
        server_header=False,
        proxy_headers=False,  # nobody is believed to be somebody else
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=STOPS_WITHIN,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except OSError as error:
        raise Unusable(f"--tls-cert and --tls-key: {error}", "name a certificate chain and its key, as PEM") from None
    return Server(config)


def listener(host: str, port: int) -> socket.socket:
    """The socket it will listen on; Unusable when it is not free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Unusable(
            f"cannot listen on {host}, port {port}: {error.strerror or error}", "choose another --host or --port"
        ) from None


async def until_stopped(
    serving: Server,
    place: socket.socket,
    ready: Callable[[], None] = lambda: None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; then take nobody in any more, bring what was taken in, and end.

    `stopping` is called first: whoever answers for as long as he may ends then.
    """

    def stop() -> None:
        serving.should_exit = True
        stopping()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    ready()
    await serving.serve(sockets=[place])
