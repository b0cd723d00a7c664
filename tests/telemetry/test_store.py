"""The embedded store: what was told is kept, within bounds, and whatever happens to the file disturbs nobody."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode, Tracer

from workers.telemetry.encoding import decoded, readable
from workers.telemetry.exporting import FromTheStart, StoreExporter
from workers.telemetry.store import Store
from workers.telemetry.summary import summed

Made = Callable[..., list[ReadableSpan]]


@pytest.fixture
def tracer() -> Iterator[tuple[Tracer, InMemorySpanExporter]]:
    """A tracer of its own, and the spans that have ended."""
    ended = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "quorate", "quorate.at": "site-a"}))
    provider.add_span_processor(SimpleSpanProcessor(ended))
    yield provider.get_tracer("quorate", "1.0", attributes={"scope": "runs"}), ended
    provider.shutdown()


@pytest.fixture
def made(tracer: tuple[Tracer, InMemorySpanExporter]) -> Made:
    """Make a trace of so many spans of one workflow."""
    begin, ended = tracer

    def make(workflow: str = "deploy/metro", spans: int = 3, name: str = "Deploy") -> list[ReadableSpan]:
        ended.clear()
        with begin.start_as_current_span(name, attributes={"temporalWorkflowID": workflow}):
            for n in range(spans - 1):
                begin.start_span(f"step {n}", attributes={"temporalWorkflowID": workflow}).end()
        return list(ended.get_finished_spans())

    return make


def test_a_span_comes_back_as_it_was(tmp_path: Path, tracer: tuple[Tracer, InMemorySpanExporter], made: Made):
    """Byte for byte what OpenTelemetry's own encoder makes of it, with links, events, status and kinds."""
    begin, ended = tracer
    cause = made("watch/metro")[-1].get_span_context()
    assert cause is not None
    ended.clear()
    with begin.start_as_current_span("run", kind=SpanKind.SERVER, links=[Link(cause, {"link": "caused by"})]) as run:
        run.add_event("decided", {"by": "ana", "kept": [1, 2], "seconds": 1.5, "signed": True})
        with begin.start_as_current_span("call", kind=SpanKind.CLIENT) as call:
            call.set_status(StatusCode.ERROR, "Unreachable: no answer")
    store, spans = Store(tmp_path), list(ended.get_finished_spans())

    store.add(spans)

    kept = decoded(store.spans(store.newest()[0].trace))
    assert encode_spans(sorted(kept, key=lambda span: span.name)) == encode_spans(spans)


def test_a_span_that_is_written_twice_is_there_once(tmp_path: Path, made: Made):
    """Two workers may tell the same span, and one may tell it while it is under way."""
    store, spans = Store(tmp_path), made()

    store.add(spans)
    store.add(spans)

    assert [one.spans for one in store.newest()] == [3]


def test_a_span_under_way_is_kept_until_it_ends(tmp_path: Path):
    """Whoever looks meanwhile reads that it has not ended."""
    provider = TracerProvider()
    provider.add_span_processor(FromTheStart(StoreExporter(Store(tmp_path))))
    store = Store(tmp_path)

    span = provider.get_tracer("quorate").start_span("run")
    provider.force_flush()
    meanwhile = [(one.spans, one.ended) for one in store.newest()]
    span.end()
    provider.shutdown()

    assert meanwhile == [(1, 0)]
    assert [(one.spans, one.ended) for one in store.newest()] == [(1, 1)]


def test_a_trace_is_found_by_run_by_id_and_by_a_beginning(tmp_path: Path, made: Made):
    """A whole name wins over other names that begin with it."""
    store = Store(tmp_path)
    for workflow in ("deploy/metro", "deploy/metro-2", "failback/metro"):
        store.add(made(workflow))
    trace = store.found("failback/metro")[0].trace

    assert [one.workflow for one in store.found("deploy/metro")] == ["deploy/metro"]
    assert [one.workflow for one in store.found("deploy/")] == ["deploy/metro-2", "deploy/metro"]
    assert [one.workflow for one in store.found(trace[:8])] == ["failback/metro"]
    assert store.found("deploy*") == []


def test_a_trace_knows_what_it_led_to(tmp_path: Path, tracer: tuple[Tracer, InMemorySpanExporter], made: Made):
    """Links point back; whoever reads the cause wants to know what came of it."""
    begin, ended = tracer
    store, cause = Store(tmp_path), made("watch/metro")
    store.add(cause)
    context = cause[-1].get_span_context()
    assert context is not None
    ended.clear()
    begin.start_span("run", links=[Link(context)], attributes={"temporalWorkflowID": "site-loss/metro"}).end()
    store.add(ended.get_finished_spans())

    led = store.led_to(f"{context.trace_id:032x}")

    assert led == [one.trace for one in store.found("site-loss/metro")]


def test_the_oldest_traces_go_when_it_is_too_large(tmp_path: Path, made: Made):
    """The newest one stays."""
    store = Store(tmp_path, megabytes=1)
    for n in range(60):
        store.add(made(f"run-{n:02}", 100))

    assert store.prune() > 0

    left = [one.workflow for one in store.newest(100)]
    assert left == [f"run-{n:02}" for n in range(59, 59 - len(left), -1)]
    assert 10 < len(left) < 60


def test_a_trace_without_end_does_not_push_out_the_others(tmp_path: Path, made: Made):
    """A watch's trace goes on for ever: its oldest spans go, not the incident."""
    store = Store(tmp_path, megabytes=1)
    store.add(made("site-loss/metro", 50))
    store.add(made("watch/metro", 7000))

    store.prune()

    kept = {one.workflow: one.spans for one in store.newest()}
    assert kept["site-loss/metro"] == 50
    assert 500 < kept["watch/metro"] < 6000


def test_what_is_older_than_it_may_be_goes(tmp_path: Path, made: Made):
    """However small it is."""
    store = Store(tmp_path, age=timedelta(days=1))
    spans = made()
    store.add(spans)
    written = (spans[-1].start_time or 0) / 1e9

    assert store.prune(written + 80_000) == 0
    assert store.prune(written + 90_000) == 3
    assert store.newest() == []


def test_several_processes_write_at_once(tmp_path: Path, made: Made):
    """Each with a connection of its own; none loses a span."""
    runs = [made(f"run-{n}", 200) for n in range(8)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(_written, tmp_path), runs))

    assert [one.spans for one in Store(tmp_path).newest()] == [200] * 8


def _written(folder: Path, spans: list[ReadableSpan]):
    for at in range(0, len(spans), 20):
        Store(folder).add(spans[at : at + 20])


def test_looking_makes_nothing(tmp_path: Path, made: Made):
    """Whoever may only read the file reads it while a worker writes."""
    worker, reader = Store(tmp_path), Store(tmp_path, read_only=True)
    worker.add(made("deploy/metro"))

    assert [one.workflow for one in reader.newest()] == ["deploy/metro"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.add(made("failback/metro"))
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Store(tmp_path / "elsewhere", read_only=True).newest()


def test_a_broken_file_is_told_once_and_a_new_one_begins(tmp_path: Path, made: Made, caplog: pytest.LogCaptureFixture):
    """The run that is traced learns nothing of it."""
    (tmp_path / "traces.db").write_bytes(b"no database" * 1000)
    exporter = StoreExporter(Store(tmp_path))

    with caplog.at_level(logging.WARNING):
        for spans in (made("a"), made("b"), made("c")):
            exporter.export(spans)

    assert caplog.messages == [
        f"traces cannot be kept in {tmp_path}/traces.db: file is not a database; it is now traces.db.broken, "
        "a new one begins; runs go on without",
        f"traces are kept again in {tmp_path}/traces.db; 3 spans were lost",
    ]
    assert [one.workflow for one in Store(tmp_path).newest()] == ["c", "b"]


def test_a_full_disk_is_told_once(tmp_path: Path, made: Made, caplog: pytest.LogCaptureFixture):
    """Of thousand batches as of one; SQLite's own limit stands for the disk's."""
    store = Store(tmp_path)
    store.add(made("before"))
    assert store._open is not None
    store._opened = lambda: _full(tmp_path)  # type: ignore[method-assign]
    store.close()
    exporter = StoreExporter(store)

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            exporter.export(made("big", 2000))

    assert caplog.messages == [
        f"traces cannot be kept in {tmp_path}/traces.db: database or disk is full; runs go on without"
    ]
    assert [one.workflow for one in Store(tmp_path).newest()] == ["before"]


def _full(folder: Path):
    file = Store(folder)._opened()
    file.execute("pragma max_page_count = 20")
    return file


def test_a_reader_gets_the_domains_own_spans(tmp_path: Path, made: Made):
    """With the service that told them."""
    store = Store(tmp_path)
    store.add(made("deploy/metro"))

    spans = list(readable(store.spans(store.newest()[0].trace)))

    assert [(span.name, span.service, span.workflow) for span in spans] == [
        ("Deploy", "quorate", "deploy/metro"),
        ("step 0", "quorate", "deploy/metro"),
        ("step 1", "quorate", "deploy/metro"),
    ]


def test_a_summary_counts_what_is_kept(tmp_path: Path, made: Made):
    """Spans, those that have ended, and each trace by its root."""
    store = Store(tmp_path)
    deploy, failback = made("deploy/metro"), made("failback/metro", 2)
    store.add(deploy)
    store.add(failback)
    found = summed(store.newest())

    assert (found["spans"], found["ended"]) == (5, 5)
    assert [(one["run"], one["spans"], one["ended"]) for one in found["roots"]] == [
        ("deploy/metro", 3, 3),
        ("failback/metro", 2, 2),
    ]
    assert [one["span"] for one in found["roots"]] == [
        f"{span.context.span_id:016x}" for span in (deploy[-1], failback[-1]) if span.context
    ]
