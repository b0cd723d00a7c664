"""The board over HTTP: one page, kept current by server-sent events. Reads only; it needs no network but this server.

One look at everything serves all who have the page open. With a password the page is behind a login.
"""

import asyncio
import base64
import contextlib
import hmac
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sse_starlette import EventSourceResponse
from temporalio.service import RPCError

from cluster.moments import clock_of
from cluster.visible import visible
from workers.cli.board.state import Board
from workers.cli.incident.phases import gist, how, rows
from workers.cli.incident.view import Picture
from workers.cli.serving import is_local
from workers.gateway.door import Bucket

log = logging.getLogger("quorate.board")

EVERY = 2.0
# Windows that are kept current; one that is opened by a script a thousand times takes nobody's place.
MOST_WINDOWS = 200
# Wrong passwords from one address at once, and for long; addresses that are remembered.
GUESSES, GUESSES_A_SECOND, MOST_GUESSERS = 10, 0.2, 10_000
# A look that takes longer is told as trouble, and the page says how old its facts are.
WITHIN = 20.0
# Nothing is loaded from anywhere else, and nobody may frame the page.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'nonce-NONCE'",
        "script-src 'nonce-NONCE'",
        "connect-src 'self'",
        "img-src data:",
        "frame-ancestors 'none'",
    )
)
PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # what devices and people have said shows all of itself: nothing turns a line around
    finalize=lambda said: visible(said) if isinstance(said, str) and not isinstance(said, Markup) else said,
)
PAGES.globals.update(clock_of=clock_of, gist=gist, how=how, rows=rows)

Gather = Callable[[], Awaitable[Board]]
Next = Callable[[Request], Awaitable[Response]]


def drawn(board: Board) -> str:
    """The inside of the page."""
    return PAGES.get_template("board.html").render(board=board)


class NothingKnownError(Exception):
    """There is no look yet, and none can be had now."""


class Boards:
    """The newest look, taken again and again while somebody has the page open.

    A look that is younger than `every` seconds serves whoever asks: a flood of questions is none to Temporal.
    """

    def __init__(self, gather: Gather, every: float = EVERY) -> None:
        self._gather, self._every = gather, every
        self._newest: Board | None = None
        self._looked = -math.inf
        self._drawn: tuple[Board, str] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._news, self._closed = asyncio.Event(), False
        self._viewers = 0
        self._work: asyncio.Task[None] | None = None

    async def now(self) -> Board:
        """A look of now; NothingKnownError when there is none."""
        async with self._one_at_a_time:
            if self._newest is None or time.monotonic() - self._looked >= self._every:
                self._newest = await self._look()
                self._looked = time.monotonic()
            return self._newest

    def inside(self, board: Board) -> str:
        """The inside of the page, drawn once for all who see that look."""
        if self._drawn is None or self._drawn[0] is not board:
            self._drawn = (board, drawn(board))
        return self._drawn[1]

    @property
    def full(self) -> bool:
        """No more windows are kept current."""
        return self._viewers >= MOST_WINDOWS

    def close(self) -> None:
        """End every stream: the server stops, and waits for those who still read."""
        self._closed = True
        self._news.set()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[AsyncIterator[Board]]:
        """Look after look, for one who has the page open."""
        self._viewers += 1
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._again_and_again())
        try:
            yield self._each()
        finally:
            self._viewers -= 1

    async def _each(self) -> AsyncIterator[Board]:
        while not self._closed:
            await self._news.wait()
            if self._newest is not None and not self._closed:
                yield self._newest

    async def _again_and_again(self) -> None:
        while self._viewers and not self._closed:
            with contextlib.suppress(NothingKnownError):  # it is asked again
                await self.now()
            told, self._news = self._news, asyncio.Event()
            told.set()
            await asyncio.sleep(EVERY)

    async def _look(self) -> Board:
        """What was known stays where nothing new can be had, with its age and the reason.

        Whatever goes wrong: an answer of one run that nobody can read must not leave the wall with an old page.
        """
        try:
            return (await asyncio.wait_for(self._gather(), WITHIN)).with_the_last_of(self._newest)
        except Exception as error:
            log.warning("the board could not be drawn again: %s", type(error).__name__)
            away = isinstance(error, RPCError | TimeoutError)
            said = "Temporal does not answer" if away else f"what is asked for cannot be read ({type(error).__name__})"
            if self._newest is None:
                raise NothingKnownError(said) from None
            return replace(
                self._newest, at=datetime.now(UTC), trouble=(f"{said}: what is shown is what was known before",)
            )


class Guesses:
    """Logins that failed, by where they came from: who guesses waits, and nobody else does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._buckets = clock, dict[str, Bucket]()

    def waits(self, who: str) -> bool:
        """So many failed there that no other is looked at now."""
        bucket = self._buckets.get(who)
        return bucket is not None and not bucket.has_one

    def failed(self, who: str) -> None:
        """Another one. Of many addresses the oldest are forgotten."""
        if who not in self._buckets and len(self._buckets) >= MOST_GUESSERS:
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets.setdefault(who, Bucket(GUESSES_A_SECOND, GUESSES, self._clock)).wait()


def application(cluster: str, boards: Boards, password: str = "") -> FastAPI:
    """The routes. With a `password` each of them asks for it, whatever the user's name.

    Without one it answers only where it is called by an address of loopback: a page of another site whose name leads
    here could read it otherwise.
    """
    guesses = Guesses()
    app = FastAPI(
        title=f"Board of {cluster}", docs_url=None, redoc_url=None, openapi_url=None, telemetry={"tracing": False}
    )

    @app.middleware("http")
    async def guarded(request: Request, go_on: Next) -> Response:
        if not password and not is_local(request.url.hostname or ""):
            return Response("without a login this board is shown at http://localhost and 127.0.0.1 only", 403)
        if password and (refused := _refused(request, password, guesses)) is not None:
            return refused
        answer = await go_on(request)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    @app.get("/")
    async def page() -> Response:
        nonce = secrets.token_urlsafe(16)
        try:
            inside = boards.inside(await boards.now())
        except NothingKnownError as error:
            inside = f"<section class='banner bad'><h2>{escape(error)}</h2><p>It is asked again.</p></section>"
        whole = PAGES.get_template("page.html").render(cluster=cluster, nonce=nonce, drawn=Markup(inside))  # noqa: S704
        return HTMLResponse(whole, headers={"Content-Security-Policy": POLICY.replace("NONCE", nonce)})

    @app.get("/stream")
    async def stream() -> Response:
        async def events() -> AsyncIterator[dict[str, str]]:
            async with boards.watched() as each:
                async for board in each:
                    yield {"event": "board", "data": boards.inside(board)}

        if boards.full:
            return Response(f"{MOST_WINDOWS} windows are open; close some", 503, {"Retry-After": "60"})
        return EventSourceResponse(events(), ping=5)

    @app.get("/board.json")
    async def data() -> Response:
        try:
            return JSONResponse(as_data(await boards.now()))
        except NothingKnownError as error:
            return JSONResponse({"error": str(error)}, 503)

    return app


def as_data(board: Board) -> dict[str, object]:
    """The same for scripts."""
    return {
        "cluster": board.cluster,
        "at": board.at.isoformat(),
        "looking": board.looking,
        "looked_at": board.fresh.looked_at.isoformat() if board.fresh.looked_at else None,
        "answer": board.answer.model_dump(mode="json") if board.answer else None,
        "scene": board.scene.model_dump(mode="json") if board.scene else None,
        "incidents": [_incident(one, board.at) for one in board.incidents],
        "runs": [{"run": one.run, "runbook": one.kind, "state": one.state} for one in board.runs],
        "switches": list(board.switches),
        "trouble": list(board.trouble),
    }


def _incident(one: Picture, at: datetime) -> dict[str, object]:
    return {
        "run": one.run,
        "headline": one.headline,
        "says": one.sentence,
        "since": one.since.isoformat(),
        "t_plus": round(one.t_plus(at), 1),
    }


def _refused(request: Request, password: str, guesses: Guesses) -> Response | None:
    """Why that request is not let in; None when it is."""
    given, who = request.headers.get("authorization", ""), request.client.host if request.client else ""
    if given and guesses.waits(who):
        return Response("too many wrong passwords from your address; wait a minute", 429, {"Retry-After": "60"})
    if _knows(given, password):
        return None
    if given:
        guesses.failed(who)
        log.warning("a wrong password from %s", who)
    return Response("this board asks for its password", 401, {"WWW-Authenticate": 'Basic realm="Quorate"'})


def _knows(header: str, password: str) -> bool:
    """The password of HTTP's Basic login, compared in the same time whatever is given."""
    kind, _, given = header.partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        said = base64.b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return False
    return hmac.compare_digest(said.encode(), password.encode())
