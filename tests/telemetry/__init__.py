"""One trace per run: its spans as a tree, and that each ends once."""

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Collected(InMemorySpanExporter):
    """Where the spans of this test process go; those of tests that do not ask for them go nowhere."""

    listening = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export(spans) if self.listening else SpanExportResult.SUCCESS

    def listen(self) -> None:
        self.clear()
        self.listening = True

    def leave(self) -> None:
        self.listening = False
        self.clear()


COLLECTED = Collected()
