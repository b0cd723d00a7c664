"""The gateway's part of a trace: a request that was let in, and how its events came to the watch.

Who is not let in leaves no span: nobody from outside may fill a store. Of a request nothing is told but its source.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind

_TRACER = trace.get_tracer("quorate.gateway")  # does nothing until telemetry is configured


@contextmanager
def request(source: str, began: float) -> Iterator[Span]:
    """A request of that source, since it came (``time.time()``)."""
    about = {"http.request.method": "POST", "http.route": f"/events/{source}", "quorate.source": source}
    with _TRACER.start_as_current_span(
        f"POST /events/{source}", Context(), SpanKind.SERVER, about, start_time=int(began * 1e9), record_exception=False
    ) as span:
        yield span


def here() -> SpanContext:
    """The request that is under way here."""
    return trace.get_current_span().get_span_context()


@contextmanager
def brought(causes: Sequence[SpanContext]) -> Iterator[None]:
    """One batch of events, in the trace of its first one; the others are links."""
    known = list({one.span_id: one for one in causes if one.is_valid}.values())
    parent = trace.set_span_in_context(trace.NonRecordingSpan(known[0]), Context()) if known else Context()
    with _TRACER.start_as_current_span(
        "Events are brought to the watch",
        parent,
        SpanKind.PRODUCER,
        {"quorate.events": len(causes)},
        [Link(one) for one in known[1:]],
        record_exception=False,
    ):
        yield
