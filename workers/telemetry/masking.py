"""What is secret is blanked out of every span before anybody takes it: the second line, behind the design."""

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

from activities.clients.masks import MASKS

# Each of them may be said for one signal alone, with a word in between.
_HEADERS = re.compile(r"OTEL_EXPORTER_OTLP_(?:\w+_)?HEADERS")
_ENDPOINTS = re.compile(r"OTEL_EXPORTER_OTLP_(?:\w+_)?ENDPOINT")


def learn(environment: Mapping[str, str]) -> None:
    """What lets a process in at a receiver is secret as well: the values of headers, and a password in an address."""
    for name, said in environment.items():
        if _HEADERS.fullmatch(name):
            values = [part.partition("=")[2].strip() for part in said.split(",")]
            # ``Bearer TOKEN``: also the token alone
            for value in (word for one in values for word in (one, unquote(one))):
                MASKS.learn(value)
                MASKS.learn(value.rpartition(" ")[2])
        elif _ENDPOINTS.fullmatch(name):
            _learn_address(said)


def _learn_address(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return
    for value in (parts.password or "", parts.query):
        MASKS.learn(value)
        MASKS.learn(unquote(value))


def shown(endpoint: str) -> str:
    """An endpoint that cannot be used, as a message may show it: without a user, a password or a query."""
    return endpoint.rpartition("@")[2].partition("?")[0]


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
