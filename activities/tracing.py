"""What an attempt of a step did: one span for it, and one for every call that it made outside.

A span says who was asked for what, and how that ended: method, server, path and status of a request, the program and
the status of a command. Never what was sent: no query, no header, no body, no argument. Which calls have a span of
their own is said by `activities.calls`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from pathlib import PurePath
from typing import TypeVar

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError

from activities.calls import About, Call, Calls
from cluster.addresses import split

SCOPE = "quorate.activity"
_TRACER = trace.get_tracer(SCOPE)  # does nothing until telemetry is configured
LETTERS = 300

Answers = TypeVar("Answers")

_CALLS: ContextVar[Calls | None] = ContextVar("calls of this attempt", default=None)
_CALL: ContextVar[Call | None] = ContextVar("the call under way", default=None)


@contextmanager
def attempt() -> Iterator[Span]:
    """The attempt that runs here, under the step that the run has begun."""
    info, calls = activity.info(), Calls(_begun, _failed)
    about: About = {
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
            calls.over()
            span.set_attributes({"quorate.calls": calls.made, "quorate.calls_failed": calls.failed})
            _CALLS.reset(token)


@contextmanager
def request(method: str, server: str, path: str = "", port: int | None = None) -> Iterator[None]:
    """One HTTP request to a server (``host`` or ``host:port``); `path` is empty where it is a secret."""
    path = path.partition("?")[0]
    try:
        host, given = split(server)
    except ValueError:  # whoever sends it says what is wrong with it
        host, given = server, None
    about: About = {"http.request.method": method, "server.address": host}
    about |= {"url.path": path} if path else {}
    about |= {"server.port": port or given} if port or given else {}
    with _call(f"{method} {path}".strip(), about, reads=method in ("GET", "HEAD")):
        yield


def answered(status: int, method: str = "", path: str = "") -> None:
    """The request that is under way here has an answer; its method and path where only a library knows them."""
    if (call := _CALL.get()) is None:
        return
    call.tell({"http.response.status_code": status})
    if path:
        path = path.partition("?")[0]
        call.tell({"http.request.method": method, "url.path": path}, f"{method} {path}")


@contextmanager
def command(host: str, address: str, port: int, words: tuple[str, ...]) -> Iterator[None]:
    """One command on a host: the name of its program, and nothing of what it is told."""
    program = PurePath(words[0]).name if words else ""
    about: About = {
        "process.executable.name": program,
        "quorate.host": host,
        "server.address": address,
        "server.port": port,
    }
    with _call(f"{program} on {host}", about, reads=True):
        yield


def ended(status: int) -> None:
    """The command that is under way here has ended with that status."""
    if (call := _CALL.get()) is not None:
        call.tell({"process.exit.code": status})


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
def _call(name: str, about: About, *, reads: bool) -> Iterator[None]:
    """What is asked outside of an attempt is not traced."""
    calls = _CALLS.get()
    if calls is None:
        yield
        return
    one = calls.begun(name, about, reads=reads)
    token = _CALL.set(one)
    try:
        yield
    except BaseException as error:
        calls.ended(one, error)
        raise
    else:
        calls.ended(one)
    finally:
        _CALL.reset(token)


def _begun(name: str, about: About, began: int) -> Span:
    return _TRACER.start_span(name, None, SpanKind.CLIENT, about, start_time=began, record_exception=False)


def _failed(span: Span, error: BaseException) -> str:
    """The span says how it failed; the same as one text."""
    if isinstance(error, CancelledError | asyncio.CancelledError):
        word, said = "Stopped", ""
    elif isinstance(error, ApplicationError):
        word, said = error.type or "Error", error.message
        if error.category == ApplicationErrorCategory.BENIGN:
            span.set_attribute("quorate.stopped", value=True)
    else:
        word, said = type(error).__name__, ""
    told = f"{word}: {said}"[:LETTERS] if said else word
    span.set_attribute("error.type", word)
    span.set_status(Status(StatusCode.ERROR, told))
    return told
