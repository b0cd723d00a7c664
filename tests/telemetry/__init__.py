"""One trace per run: its spans as a tree, and that each ends once."""

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

# Where the spans of this test process go.
COLLECTED = InMemorySpanExporter()
