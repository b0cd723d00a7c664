"""What is secret is blanked out of every span before anybody takes it: the second line, behind the design."""

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

from activities.clients.masks import MASKS


def masked(span: ReadableSpan) -> ReadableSpan:
    """The same span, without the values that this process knows as secrets."""
    name, said = MASKS.text(span.name), MASKS.text(span.status.description or "")
    about = MASKS.data(dict(span.attributes or {}))
    events = [Event(MASKS.text(one.name), MASKS.data(dict(one.attributes or {})), one.timestamp) for one in span.events]
    if (
        name == span.name
        and said == (span.status.description or "")
        and about == dict(span.attributes or {})
        and all(_same(ours, one) for ours, one in zip(events, span.events, strict=True))
    ):
        return span
    return ReadableSpan(
        name,
        span.context,
        span.parent,
        span.resource,
        about,
        events,
        span.links,
        span.kind,
        status=Status(span.status.status_code, said or None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _same(ours: Event, one: Event) -> bool:
    return ours.name == one.name and dict(ours.attributes or {}) == dict(one.attributes or {})
