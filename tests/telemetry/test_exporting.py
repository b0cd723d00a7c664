"""Who takes the spans: by the environment's word; a receiver that is down holds nobody up."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from activities.clients.masks import MASKS
from workers.errors import Unusable
from workers.settings import Settings
from workers.telemetry.encoding import readable
from workers.telemetry.exporting import (
    FromTheStart,
    StoreExporter,
    Waiting,
    address,
    otlp_exporter,
    processors,
    protocol,
    receiver,
)
from workers.telemetry.store import Store

AT_ONCE = timedelta()


class Down(SpanExporter):
    """A receiver that takes nothing until it is up."""

    def __init__(self) -> None:
        self.up = False
        self.asked = 0
        self.got: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """All or nothing."""
        self.asked += 1
        if not self.up:
            return SpanExportResult.FAILURE
        self.got += [span.name for span in spans]
        return SpanExportResult.SUCCESS


def spans(*names: str) -> list[ReadableSpan]:
    """Spans that have ended."""
    ended, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ended))
    for name in names:
        provider.get_tracer("test").start_span(name).end()
    return list(ended.get_finished_spans())


def test_spans_wait_for_a_receiver_that_is_down(caplog: pytest.LogCaptureFixture):
    """They arrive in their order, once; one line when it begins, one when it is over."""
    down = Down()
    waiting = Waiting(down, "http://ana:secret@collector:4317/?key=secret", pause=AT_ONCE)

    with caplog.at_level(logging.WARNING):
        waiting.export(spans("a", "b"))
        waiting.export(spans("c"))
        down.up = True
        waiting.export(spans("d"))

    assert down.got == ["a", "b", "c", "d"]
    assert caplog.messages == [
        "http://collector:4317 takes no spans: up to 20000 wait for it, runs go on; "
        "`quorate trace RUN --send` sends them later",
        "http://collector:4317 takes spans again; 0 were not kept for it",
    ]


def test_no_more_wait_than_there_is_room_for(caplog: pytest.LogCaptureFixture):
    """The oldest go first, and how many is said."""
    down = Down()
    waiting = Waiting(down, "http://collector:4317", most=3, pause=AT_ONCE)

    with caplog.at_level(logging.WARNING):
        waiting.export(spans("a", "b"))
        waiting.export(spans("c", "d"))
        down.up = True
        waiting.export(spans("e"))

    assert down.got == ["c", "d", "e"]
    assert caplog.messages[-1] == "http://collector:4317 takes spans again; 2 were not kept for it"


def test_a_receiver_that_is_down_is_not_asked_for_every_batch():
    """Each question may take ten seconds, and a worker that stops has only a few."""
    down = Down()
    waiting = Waiting(down, "http://collector:4317")

    for name in ("a", "b", "c"):
        waiting.export(spans(name))

    assert down.asked == 1


def test_what_is_secret_is_not_kept_of_a_span_that_has_only_begun(tmp_path: Path):
    """It is told before it ends, past what cleans those that have ended."""
    MASKS.learn("canary-of-spans-7f3a")
    provider = TracerProvider()
    provider.add_span_processor(FromTheStart(StoreExporter(Store(tmp_path))))

    provider.get_tracer("test").start_span("run canary-of-spans-7f3a", attributes={"why": "canary-of-spans-7f3a"})
    provider.shutdown()

    kept = Store(tmp_path).spans(Store(tmp_path).newest()[0].trace)
    assert [(one.name, one.end, one.attributes) for one in readable(kept)] == [
        ("run [secret]", None, {"why": "[secret]"})
    ]


@pytest.mark.parametrize(
    ("environment", "where", "spoken"),
    [
        ({}, "", None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, "http://c:4317", "grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318", "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp"}, "https://c/otlp", "grpc"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            "https://c/otlp",
            "http/protobuf",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:4318/x"},
            "http://t:4318/x",
            "http/protobuf",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, "", None),
    ],
)
def test_the_environment_says_where_spans_go(environment: dict[str, str], where: str, spoken: str | None):
    """As everywhere; without a named protocol the port tells it."""
    assert receiver(environment) == where
    assert not where or protocol(where, environment) == spoken


def test_a_protocol_that_nobody_speaks_is_refused():
    """With those that are spoken."""
    with pytest.raises(Unusable) as refused:
        protocol("http://c:4317", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})

    assert (refused.value.what, refused.value.remedy) == (
        "OTEL_EXPORTER_OTLP_PROTOCOL is http/json, which is not spoken here",
        "set it to grpc or http/protobuf",
    )


def test_an_endpoint_is_an_address():
    """A host alone says no protocol."""
    with pytest.raises(Unusable, match="no address with http:// or https://"):
        otlp_exporter("collector:4317", "grpc")


def test_what_is_logged_of_an_endpoint_holds_no_secret():
    """Neither user nor query."""
    assert address("https://ana:secret@collector:4318/v1/traces?key=secret") == "https://collector:4318"


def test_the_store_takes_spans_unless_it_is_off(tmp_path: Path):
    """With a receiver as well as without: what is sent can be looked at here."""
    store = list(processors(Settings(state=tmp_path), {}))
    both = list(processors(Settings(state=tmp_path), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}))
    neither = list(processors(Settings(state=tmp_path, traces="off"), {}))

    assert (len(store), len(both), len(neither)) == (2, 3, 0)  # the store: what ends, and what ends again
    for one in (*store, *both):
        one.shutdown()


def test_a_span_that_no_receiver_could_be_told_is_lost_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Half of a character, as a file name of a device may hold it; runs go on, and no stack trace is logged."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(StoreExporter(Store(tmp_path))))

    for _ in range(2):
        provider.get_tracer("test").start_span("run \ud800").end()

    assert [line.partition(": ")[0] for line in caplog.messages] == [f"traces cannot be kept in {tmp_path}/traces.db"]
