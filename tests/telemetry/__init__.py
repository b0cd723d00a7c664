"""One trace per run: its spans as a tree, and that each ends once."""

from collections.abc import Sequence
from typing import cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_tracer_provider
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider


class Collected(InMemorySpanExporter):
    """Where the spans of this test process go; those of tests that do not ask for them go nowhere."""

    listening = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export(spans) if self.listening else SpanExportResult.SUCCESS

    def spans(self) -> list[ReadableSpan]:
        """All that have ended by now."""
        cast(ReplaySafeTracerProvider, get_tracer_provider()).force_flush()
        return list(self.get_finished_spans())

    def listen(self) -> None:
        self.spans()
        self.clear()
        self.listening = True

    def leave(self) -> None:
        self.spans()
        self.listening = False
        self.clear()


COLLECTED = Collected()
