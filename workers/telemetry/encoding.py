"""Spans as bytes and back: OTLP's own protobuf, so that what is kept is what was sent.

What many spans have in common, the process and the library they come from, is their *origin*; it is kept once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Encoded
from opentelemetry.proto.trace.v1.trace_pb2 import SpanFlags as Flags
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from cluster.spans.model import Moment, Span, Tie

_KINDS = {
    Encoded.SPAN_KIND_INTERNAL: SpanKind.INTERNAL,
    Encoded.SPAN_KIND_SERVER: SpanKind.SERVER,
    Encoded.SPAN_KIND_CLIENT: SpanKind.CLIENT,
    Encoded.SPAN_KIND_PRODUCER: SpanKind.PRODUCER,
    Encoded.SPAN_KIND_CONSUMER: SpanKind.CONSUMER,
}


LOST = "Lost"  # the word of what ended with its process


class Kept(NamedTuple):
    """A span as it is kept: its origin and itself, both as protobuf."""

    origin: bytes
    span: bytes


def encoded(spans: Sequence[ReadableSpan]) -> Iterator[tuple[bytes, Encoded]]:
    """Each span with the bytes of its origin; one that is under way has an end of 0."""
    for resource in encode_spans(spans).resource_spans:
        for scope in resource.scope_spans:
            origin = ResourceSpans(resource=resource.resource, schema_url=resource.schema_url)
            origin.scope_spans.add(scope=scope.scope, schema_url=scope.schema_url)
            common = origin.SerializeToString(deterministic=True)
            for span in scope.spans:
                yield common, span


def decoded(kept: Iterable[Kept]) -> Iterator[ReadableSpan]:
    """The spans as an exporter of OpenTelemetry takes them."""
    origins: dict[bytes, tuple[Resource, InstrumentationScope]] = {}
    for one in kept:
        if one.origin not in origins:
            origins[one.origin] = _origin(one.origin)
        resource, scope = origins[one.origin]
        yield _span(Encoded.FromString(one.span), resource, scope)


def readable(kept: Iterable[Kept]) -> Iterator[Span]:
    """The spans as the domain knows them."""
    services: dict[bytes, str] = {}
    for one in kept:
        if one.origin not in services:
            services[one.origin] = str(_origin(one.origin)[0].attributes.get("service.name", ""))
        yield _plain(Encoded.FromString(one.span), services[one.origin])


class Process(NamedTuple):
    """One on a machine; its number is 0 where that is not known."""

    host: str
    number: int


def process_of(origin: bytes) -> tuple[str, Process]:
    """The library and the process that have made spans of that origin."""
    resource, scope = _origin(origin)
    known = resource.attributes
    return scope.name, Process(str(known.get("host.name", "")), int(str(known.get("process.pid", 0))))


def lost(span: bytes, at: int) -> Encoded:
    """The span as one that ended with its process, at that time as far as is known."""
    found = Encoded.FromString(span)
    found.end_time_unix_nano = max(found.start_time_unix_nano, at)
    found.attributes.add(key="error.type").value.string_value = LOST
    found.status.code = found.status.STATUS_CODE_ERROR
    found.status.message = f"{LOST}: its worker was gone before it said how this ended"
    return found


def _plain(span: Encoded, service: str) -> Span:
    attributes = _attributes(span.attributes)
    moments = tuple(Moment(name=e.name, at=e.time_unix_nano, attributes=_attributes(e.attributes)) for e in span.events)
    failed = span.status.code == span.status.STATUS_CODE_ERROR
    return Span(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano or None,
        failed=failed,
        word=_word(span, attributes) if failed else "",
        service=service,
        attributes=attributes,
        moments=moments,
        ties=tuple(
            Tie(trace=link.trace_id.hex(), span=link.span_id.hex(), attributes=_attributes(link.attributes))
            for link in span.links
        ),
    )


def _word(span: Encoded, attributes: Mapping[str, Any]) -> str:
    """Why it failed, as short as it is known."""
    said = span.status.message.strip().splitlines()
    return str(attributes.get("error.type") or "") or (said[0] if said else "failed")


def _origin(origin: bytes) -> tuple[Resource, InstrumentationScope]:
    common = ResourceSpans.FromString(origin)
    scope = common.scope_spans[0]
    return (
        Resource(_attributes(common.resource.attributes), common.schema_url),
        InstrumentationScope(
            scope.scope.name,
            scope.scope.version or None,
            scope.schema_url or None,
            _attributes(scope.scope.attributes) or None,
        ),
    )


def _span(span: Encoded, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    state = TraceState.from_header([span.trace_state]) if span.trace_state else TraceState()
    trace = int.from_bytes(span.trace_id)
    parent = SpanContext(trace, int.from_bytes(span.parent_span_id), _remote(span.flags), TraceFlags.get_default())
    return ReadableSpan(
        name=span.name,
        context=SpanContext(trace, int.from_bytes(span.span_id), False, TraceFlags(TraceFlags.SAMPLED), state),
        parent=parent if span.parent_span_id else None,
        resource=resource,
        attributes=_attributes(span.attributes),
        events=[Event(e.name, _attributes(e.attributes), e.time_unix_nano) for e in span.events],
        links=[
            Link(
                SpanContext(
                    int.from_bytes(link.trace_id), int.from_bytes(link.span_id), _remote(link.flags),
                    TraceFlags(TraceFlags.SAMPLED),
                ),
                _attributes(link.attributes),
            )
            for link in span.links
        ],
        kind=_KINDS.get(span.kind, SpanKind.INTERNAL),
        instrumentation_scope=scope,
        status=Status(StatusCode(span.status.code), span.status.message or None),
        start_time=span.start_time_unix_nano,
        end_time=span.end_time_unix_nano,
    )  # fmt: skip


def _remote(flags: int) -> bool:
    return bool(flags & Flags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(one) for one in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case None:
            return None
        case kind:
            return getattr(value, kind)
