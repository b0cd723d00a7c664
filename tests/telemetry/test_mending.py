"""What a worker that was killed has left in the store is put right by who comes after it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import set_span_in_context
from opentelemetry.util.types import Attributes

from activities.tracing import SCOPE
from cluster.spans.model import Span
from workers.telemetry.encoding import readable
from workers.telemetry.exporting import FromTheStart, StoreExporter
from workers.telemetry.mending import Missing, end_lost
from workers.telemetry.store import NANO, Store

RUN = "quorate.runbook"
BEGAN = time.time_ns() - 3600 * NANO  # what is older than a month is let go


def at(minute: int) -> int:
    return BEGAN + minute * 60 * NANO


@pytest.fixture
def gone() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


class Worker:
    """A process of that number that writes to the store, and dies in the middle of a step."""

    def __init__(self, folder: Path, number: int, host: str = "") -> None:
        about: Attributes = {"host.name": host or socket.gethostname(), "process.pid": number}
        self._provider = TracerProvider(resource=Resource.create(about))
        self._provider.add_span_processor(FromTheStart(StoreExporter(Store(folder)), schedule_delay_millis=60_000))

    def dies(self) -> None:
        """The second step of a run is under way, with a call that has no answer; all that is in the store."""
        runs, attempts = self._provider.get_tracer(RUN), self._provider.get_tracer(SCOPE)
        run = set_span_in_context(runs.start_span("Deploy", start_time=at(0)))
        runs.start_span("Pod is ready", run, start_time=at(1)).end(at(2))
        step = set_span_in_context(runs.start_span("Paths", run, start_time=at(2)))
        attempt = set_span_in_context(attempts.start_span("hosts.ensure_paths", step, start_time=at(2)))
        attempts.start_span("multipath on n1", attempt, start_time=at(2)).end(at(3))
        attempts.start_span("iscsiadm on n1", attempt, start_time=at(2))
        self._provider.force_flush()


def kept(folder: Path) -> dict[str, Span]:
    store = Store(folder)
    return {one.name: one for listed in store.newest() for one in readable(store.spans(listed.trace))}


def test_what_has_died_with_its_worker_is_ended_as_lost(tmp_path: Path, gone: int):
    """At the newest time that the worker has told; the run and its step go on with the next one."""
    Worker(tmp_path, gone).dies()

    assert end_lost(tmp_path) == 2
    found = kept(tmp_path)
    assert {name: (one.word, one.end) for name, one in found.items() if one.failed} == {
        "hosts.ensure_paths": ("Lost", at(3)),
        "iscsiadm on n1": ("Lost", at(3)),
    }
    assert [name for name, one in found.items() if one.end is None] == ["Deploy", "Paths"]


@pytest.mark.parametrize(("number", "host"), [(os.getppid(), ""), (1, "another-host")], ids=["alive", "elsewhere"])
def test_what_may_still_be_under_way_stays(tmp_path: Path, number: int, host: str):
    """In a process that runs, and on a machine of which nothing is known here."""
    Worker(tmp_path, number, host).dies()

    assert end_lost(tmp_path) == 0


def test_a_process_that_began_again_with_the_same_number_ends_what_the_one_before_has_left(tmp_path: Path):
    """In a container each worker is process 1."""
    Worker(tmp_path, os.getpid()).dies()

    assert end_lost(tmp_path) == 2


def test_where_nothing_is_kept_nothing_is_made(tmp_path: Path):
    """A process that traces nothing leaves no file."""
    assert end_lost(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def replayed(steps: Iterable[str], first: int = 0) -> list[ReadableSpan]:
    """The spans of a run as its next worker ends them: always with the same ids."""
    ended, provider = InMemorySpanExporter(), TracerProvider(id_generator=Counted(first))
    provider.add_span_processor(SimpleSpanProcessor(ended))
    tracer = provider.get_tracer(RUN)
    run = tracer.start_span("Deploy", start_time=at(0))
    for minute, step in enumerate(steps, 1):
        tracer.start_span(step, set_span_in_context(run), start_time=at(minute)).end(at(minute + 1))
    run.end(at(30))
    return list(ended.get_finished_spans())


class Counted(IdGenerator):
    """Ids one after the other, as the run draws them."""

    def __init__(self, first: int) -> None:
        self._next = first

    def generate_trace_id(self) -> int:
        return 7

    def generate_span_id(self) -> int:
        self._next += 1
        return self._next

    def is_trace_id_random(self) -> bool:
        return False


STEPS = ("one", "two", "three", "four", "five")


def test_ends_that_were_lost_are_written_when_the_run_is_played_again(tmp_path: Path):
    """Wherever in the run: a worker may have been killed more than once."""
    spans = {one.name: one for one in replayed(STEPS)}
    Store(tmp_path).add([one for name, one in spans.items() if name not in ("two", "five", "Deploy")])

    Missing(tmp_path).export(replayed(STEPS))

    assert {name: one.end for name, one in kept(tmp_path).items()} == {
        name: one.end_time for name, one in spans.items()
    }


def test_what_was_let_go_does_not_come_back(tmp_path: Path):
    """A watch of weeks is played again with each new worker, and its oldest spans have made room for others."""
    spans = {one.name: one for one in replayed(STEPS)}
    Store(tmp_path).add([spans["five"]])

    Missing(tmp_path).export(replayed(STEPS[:4])[:4])

    assert list(kept(tmp_path)) == ["five"]


def test_a_version_that_draws_other_ids_tells_nothing_twice(tmp_path: Path):
    """But the last moments, which it cannot tell apart from what was lost."""
    Store(tmp_path).add(replayed(STEPS))

    Missing(tmp_path).export(replayed(STEPS[:4], first=100)[:4])

    assert len(kept(tmp_path)) == len(STEPS) + 1


def test_a_file_that_cannot_be_written_disturbs_nobody(tmp_path: Path):
    """Whoever writes the spans under way says what is wrong with it."""
    (tmp_path / "traces.db").write_text("no database")

    assert Missing(tmp_path).export(replayed(STEPS)).name == "FAILURE"
    assert end_lost(tmp_path) == 0
