"""Each span goes to those who take it once, also where Temporal has a task done twice.

A task whose outcome Temporal does not take (a signal came in between, the server did not answer) is done again at
once, and ends the same spans with the same ids once more. So ends wait for a moment, and the last one counts. What
takes longer than that reaches its receivers twice: with the same ids. Attempts and calls end once, and do not wait.

A worker that is killed takes along what waited here. The next one plays the run again, and ends the same spans: they go
to those who can tell what they have already (`Again`), and to nobody else.
"""

from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from temporalio import workflow

from activities.tracing import SCOPE
from workers.telemetry.masking import masked

# Milliseconds between two times at which ends go on: a task that is done again falls between them nearly always, on a
# busy machine too. What is lost with a worker is in the history, and in the store again when the run is played again.
SETTLES = 1000.0
# A storm's spans within that time, many times over; above it the oldest are lost.
ROOM, AT_ONCE = 16384, 4096


def replayed() -> bool:
    """What happens here has happened before, in the history that is played again."""
    return workflow.in_workflow() and workflow.unsafe.is_replaying_history_events()


class Again(BatchSpanProcessor):
    """Takes the spans that end once more in a replay."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """It takes ends alone."""


class Settling(SynchronousMultiSpanProcessor):
    """What stands before all other processors of a provider."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK's own
        self._again: list[Again] = []
        self._ends = BatchSpanProcessor(
            _Onward(super().on_end),
            max_queue_size=ROOM,
            schedule_delay_millis=SETTLES,
            max_export_batch_size=AT_ONCE,
        )

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """One more who takes spans, or those of replays."""
        if isinstance(span_processor, Again):
            self._again.append(span_processor)
        else:
            super().add_span_processor(span_processor)

    def on_end(self, span: ReadableSpan) -> None:
        """It waits for a moment, on a thread of its own; that of an attempt goes on at once."""
        if span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE:
            super().on_end(masked(span))
        elif not replayed():
            self._ends.on_end(span)
        else:
            for one in self._again:
                one.on_end(span)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """At once, and then all who stand behind."""
        flushed = self._ends.force_flush(timeout_millis) and super().force_flush(timeout_millis)
        for one in self._again:
            flushed = one.force_flush(timeout_millis) and flushed
        return flushed

    def shutdown(self) -> None:
        """The last ends go on."""
        self._ends.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own
        for one in self._again:
            one.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own
        super().shutdown()


class _Onward(SpanExporter):
    """The last end of each span, without what is secret."""

    def __init__(self, on_end: Callable[[ReadableSpan], None]) -> None:
        self._on_end = on_end

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        last = {(one.context.trace_id, one.context.span_id): one for one in spans if one.context is not None}
        for one in last.values():
            self._on_end(masked(one))
        return SpanExportResult.SUCCESS
