"""The board over HTTP: one page, kept current by server-sent events. Reads only; it needs no network but this server.

One look at everything serves all who have the page open. With a password the page is behind a login.
"""

import asyncio
import base64
import contextlib
import hmac
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sse_starlette import EventSourceResponse
from temporalio.service import RPCError

from cluster.moments import clock_of
from workers.cli.board.state import Board
from workers.cli.incident.phases import gist, how, rows
from workers.cli.incident.view import Picture

log = logging.getLogger("quorate.board")

EVERY = 2.0
# A look that takes longer is told as trouble, and the page says how old its facts are.
WITHIN = 20.0
# Windows that are open at once: far fewer connections than the gateway has for those who send events.
WINDOWS = 200
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
)
PAGES.globals.update(clock_of=clock_of, gist=gist, how=how, rows=rows)

Gather = Callable[[], Awaitable[Board]]
Next = Callable[[Request], Awaitable[Response]]


def drawn(board: Board) -> str:
    """The inside of the page."""
    return PAGES.get_template("board.html").render(board=board)


class Boards:
    """The newest look, taken again and again while somebody has the page open."""

    def __init__(self, gather: Gather) -> None:
        self._gather = gather
        self._newest: Board | None = None
        self._news, self._closed = asyncio.Event(), False
        self._viewers = 0
        self._work: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """No more windows are served."""
        return self._viewers >= WINDOWS

    def close(self) -> None:
        """End every stream: the server stops, and waits for those who still read."""
        self._closed = True
        self._news.set()

    async def now(self) -> Board:
        """A look of now."""
        return await self._look()

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
            with contextlib.suppress(RPCError, TimeoutError):  # nothing is known yet: it is asked again
                self._newest = await self._look()
            told, self._news = self._news, asyncio.Event()
            told.set()
            await asyncio.sleep(EVERY)

    async def _look(self) -> Board:
        """What was known stays where Temporal does not answer, with its age and the reason."""
        try:
            self._newest = (await asyncio.wait_for(self._gather(), WITHIN)).with_the_last_of(self._newest)
        except (RPCError, TimeoutError) as error:
            log.warning("the board could not be drawn again: %s", type(error).__name__)
            if self._newest is None:
                raise
            said = "Temporal does not answer: what is shown is what was known before"
            return replace(self._newest, at=datetime.now(UTC), trouble=(said,))
        return self._newest


def application(cluster: str, boards: Boards, password: str = "") -> FastAPI:
    """The routes. With a `password` each of them asks for it, whatever the user's name."""
    app = FastAPI(title=f"Board of {cluster}", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guarded(request: Request, go_on: Next) -> Response:
        if password and not _knows(request.headers.get("authorization", ""), password):
            return Response("this board asks for its password", 401, {"WWW-Authenticate": 'Basic realm="Quorate"'})
        answer = await go_on(request)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    @app.get("/")
    async def page() -> Response:
        nonce = secrets.token_urlsafe(16)
        try:
            inside = drawn(await boards.now())
        except (RPCError, TimeoutError):
            inside = "<section class='banner bad'><h2>Temporal does not answer</h2><p>It is asked again.</p></section>"
        whole = PAGES.get_template("page.html").render(cluster=cluster, nonce=nonce, drawn=Markup(inside))  # noqa: S704
        return HTMLResponse(whole, headers={"Content-Security-Policy": POLICY.replace("NONCE", nonce)})

    @app.get("/stream")
    async def stream() -> Response:
        if boards.full:
            return Response("too many windows are open: close some", 503)

        async def events() -> AsyncIterator[dict[str, str]]:
            async with boards.watched() as each:
                async for board in each:
                    yield {"event": "board", "data": drawn(board)}

        return EventSourceResponse(events(), ping=5)

    @app.get("/board.json")
    async def data() -> Response:
        try:
            return JSONResponse(as_data(await boards.now()))
        except (RPCError, TimeoutError):
            return JSONResponse({"error": "Temporal does not answer"}, 503)

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
