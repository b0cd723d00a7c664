"""What an attempt of a step did: one span for it, and one for every call that it made outside.

A span says who was asked for what, and how that ended: method, server, path and status of a request, the program and
the status of a command. Never what was sent: no query, no header, no body, no argument. Where a wait asks the same
again and again, only the first reads have spans of their own; the rest is counted.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError

from cluster.addresses import split

_TRACER = trace.get_tracer("quorate.activity")  # does nothing until telemetry is configured
# Enough for the largest plan of ours; a look that goes on for an hour would leave thousands.
SHOWN = 200
LETTERS = 300

Answers = TypeVar("Answers")


@dataclass(eq=False)
class _Calls:
    """How often this attempt has asked somebody."""

    made: int = 0
    failed: int = 0


_CALLS: ContextVar[_Calls | None] = ContextVar("calls of this attempt", default=None)
_CALL: ContextVar[Span] = ContextVar("the call under way", default=INVALID_SPAN)


@contextmanager
def attempt() -> Iterator[Span]:
    """The attempt that runs here, under the step that the run has begun."""
    info, calls = activity.info(), _Calls()
    about: dict[str, AttributeValue] = {
        "quorate.run": info.workflow_id or "",
        "quorate.run_id": info.workflow_run_id or "",
        "quorate.activity": info.activity_id,
        "quorate.attempt": info.attempt,
    }
    token = _CALLS.set(calls)
    with _TRACER.start_as_current_span(
        info.activity_type, None, SpanKind.SERVER, about, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            _failed(span, error)
            raise
        finally:
            span.set_attributes({"quorate.calls": calls.made, "quorate.calls_failed": calls.failed})
            _CALLS.reset(token)


@contextmanager
def request(method: str, server: str, path: str = "", port: int | None = None) -> Iterator[None]:
    """One HTTP request to a server (``host`` or ``host:port``); `path` is empty where it is a secret."""
    path = path.partition("?")[0]
    host, given = split(server)
    about: dict[str, AttributeValue] = {"http.request.method": method, "server.address": host}
    about |= {"url.path": path} if path else {}
    about |= {"server.port": port or given} if port or given else {}
    with _call(f"{method} {path}".strip(), about, reads=method in ("GET", "HEAD")):
        yield


def answered(status: int, method: str = "", path: str = "") -> None:
    """The request that is under way here has an answer; its method and path where only a library knows them."""
    span = _CALL.get()
    span.set_attribute("http.response.status_code", status)
    if path:
        path = path.partition("?")[0]
        span.update_name(f"{method} {path}")
        span.set_attributes({"http.request.method": method, "url.path": path})


@contextmanager
def command(host: str, address: str, port: int, words: tuple[str, ...]) -> Iterator[None]:
    """One command on a host: the name of its program, and nothing of what it is told."""
    program = PurePath(words[0]).name if words else ""
    about: dict[str, AttributeValue] = {
        "process.executable.name": program,
        "quorate.host": host,
        "server.address": address,
        "server.port": port,
    }
    with _call(f"{program} on {host}", about, reads=True):
        yield


def ended(status: int) -> None:
    """The command that is under way here has ended with that status."""
    _CALL.get().set_attribute("process.exit.code", status)


def in_thread(work: Callable[[], Answers]) -> Callable[[], Answers]:
    """The same work for a thread of a pool: what it asks belongs to the attempt."""
    context = copy_context()
    return lambda: context.run(work)


@contextmanager
def call(name: str, server: str, port: int | None = None) -> Iterator[None]:
    """One conversation in another protocol."""
    with _call(name, {"server.address": server, **({"server.port": port} if port else {})}, reads=False):
        yield


@contextmanager
def _call(name: str, about: dict[str, AttributeValue], *, reads: bool) -> Iterator[None]:
    """A change is always shown, a read while there is room; what is asked outside of an attempt is not traced."""
    calls = _CALLS.get()
    if calls is None:
        yield
        return
    calls.made += 1
    shown = not reads or calls.made <= SHOWN
    span = _TRACER.start_span(name, None, SpanKind.CLIENT, about, record_exception=False) if shown else INVALID_SPAN
    token = _CALL.set(span)
    try:
        yield
    except BaseException as error:
        calls.failed += 1
        _failed(span, error)
        raise
    finally:
        _CALL.reset(token)
        span.end()


def _failed(span: Span, error: BaseException) -> None:
    if isinstance(error, CancelledError | asyncio.CancelledError):
        word, said = "Stopped", ""
    elif isinstance(error, ApplicationError):
        word, said = error.type or "Error", error.message
        if error.category == ApplicationErrorCategory.BENIGN:
            span.set_attribute("quorate.stopped", value=True)
    else:
        word, said = type(error).__name__, ""
    span.set_attribute("error.type", word)
    span.set_status(Status(StatusCode.ERROR, f"{word}: {said}"[:LETTERS] if said else word))
