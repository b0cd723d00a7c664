"""What an attempt of a step did: one span for it, and one for every call that it made outside.

A span says who was asked for what, and how that ended: method, server, path and status of a request, the program and
the status of a command. Never what was sent: no query, no header, no body, no argument. Where a wait asks the same
again and again, only the first reads have spans of their own; the rest is counted.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError

_TRACER = trace.get_tracer("quorate.activity")  # does nothing until telemetry is configured
# Enough for the largest plan of ours; a look that goes on for an hour would leave thousands.
SHOWN = 200
LETTERS = 300


@dataclass(eq=False)
class _Calls:
    """How often this attempt has asked somebody."""

    made: int = 0
    failed: int = 0


_CALLS: ContextVar[_Calls | None] = ContextVar("calls of this attempt", default=None)


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
