"""Spans without secrets: the second line, behind the design by which none reaches a span.

A device or a library may repeat a secret in an error's words; what leaves the process goes through here first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from activities.clients.masks import MASKS


class Masked(SpanExporter):
    """Hands on what it gets, every text without what is secret in it."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """The same spans."""
        return self._exporter.export([masked(span) for span in spans])

    def shutdown(self) -> None:
        """The exporter's own."""
        self._exporter.shutdown()


def masked(span: ReadableSpan) -> ReadableSpan:
    """A copy; its name, attributes, events, links and status are clean."""
    return ReadableSpan(
        name=MASKS.text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_clean(span.attributes),
        events=[Event(MASKS.text(one.name), _clean(one.attributes), one.timestamp) for one in span.events],
        links=[Link(one.context, _clean(one.attributes)) for one in span.links],
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code, MASKS.text(span.status.description or "") or None),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _clean(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: MASKS.data(value) for name, value in (attributes or {}).items()}
