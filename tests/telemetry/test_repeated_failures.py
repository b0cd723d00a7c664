"""Who does not answer is asked again and again, and leaves a handful of spans: nothing that a person needs is lost."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span

from activities.calls import NEWS, SHOWN, About, Calls
from activities.errors import Rejected, Unreachable
from activities.tracing import _failed

SILENT, REFUSED = "no answer in 3 s", "connection refused"


class Asked:
    """An attempt that asks one node, and its spans as they are read."""

    def __init__(self) -> None:
        self._ended = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._ended))
        tracer = provider.get_tracer("test")

        def begin(name: str, about: About, began: int) -> Span:
            return tracer.start_span(name, attributes=about, start_time=began)

        self.calls = Calls(begin, _failed)

    def asks(self, times: int = 1, error: Exception | None = None, name: str = "GET /status", host: str = "n1") -> None:
        for _ in range(times):
            call = self.calls.begun(name, {"server.address": host, "server.port": 8006}, reads=name.startswith("GET"))
            self.calls.ended(call, error)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._ended.get_finished_spans())

    def told(self) -> list[str]:
        """Each span with its failure, and for how many calls it stands; in the order in which they ended."""
        return [_told(one) for one in self.spans]


def _told(one: ReadableSpan) -> str:
    times = (one.attributes or {}).get("quorate.times")
    said = f" ✗ {one.status.description}" if one.status.description else ""
    return f"{one.name}{said}{f' ({times})' if times else ''}"


@pytest.fixture
def attempt() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.calls.over()


def test_what_fails_alike_is_one_span_with_a_count(attempt: Asked):
    """The first failure stands for itself, and so does the first answer after it."""
    attempt.asks()
    attempt.asks(1001, Unreachable(SILENT))
    attempt.asks(2)

    assert attempt.told() == [
        "GET /status",
        f"GET /status ✗ Unreachable: {SILENT}",
        f"GET /status ✗ Unreachable: {SILENT} (1000)",
        "GET /status",
    ]
    assert (attempt.calls.made, attempt.calls.failed) == (1004, 1001)


def test_each_change_of_a_failure_is_told(attempt: Asked):
    """Silence that becomes a refusal is news: the machine is back, its service is not."""
    attempt.asks(300, Unreachable(SILENT))
    attempt.asks(300, Unreachable(REFUSED))
    attempt.asks(300, Rejected("no such node"))
    attempt.calls.over()

    assert attempt.told() == [
        f"GET /status ✗ Unreachable: {SILENT}",
        f"GET /status ✗ Unreachable: {SILENT} (299)",
        f"GET /status ✗ Unreachable: {REFUSED}",
        f"GET /status ✗ Unreachable: {REFUSED} (299)",
        "GET /status ✗ Rejected: no such node",
        "GET /status ✗ Rejected: no such node (299)",
    ]


def test_one_span_is_as_long_as_what_it_stands_for(attempt: Asked):
    """From the first of them to the last; how long the calls alone took is beside it."""
    attempt.asks(4, Unreachable(SILENT))
    attempt.calls.over()

    first, again = attempt.spans
    about = again.attributes or {}
    long = ((again.end_time or 0) - (again.start_time or 0)) / 1e9
    assert (again.start_time or 0) >= (first.start_time or 0)
    assert 0 < float(str(about["quorate.seconds_in_calls"])) <= long


def test_a_failure_that_comes_late_has_a_span_where_reads_have_none_any_more(attempt: Asked):
    """A watch of hours has made its first reads long ago when a node falls silent."""
    attempt.asks(SHOWN + 1000)
    attempt.asks(2000, Unreachable(SILENT))
    attempt.asks(1000)

    assert attempt.told()[SHOWN:] == [
        f"GET /status ✗ Unreachable: {SILENT}",
        f"GET /status ✗ Unreachable: {SILENT} (1999)",
        "GET /status",
    ]


def test_others_that_answer_are_told_as_always(attempt: Asked):
    """Each node fails for itself."""
    attempt.asks(3, Unreachable(SILENT), host="n1")
    attempt.asks(3, host="n2")

    assert attempt.told() == [f"GET /status ✗ Unreachable: {SILENT}", *["GET /status"] * 3]


def test_a_change_always_has_a_span(attempt: Asked):
    """Whatever it comes to: it may have had an effect."""
    attempt.asks(SHOWN + 100, Unreachable(SILENT), name="POST /migrate")

    assert attempt.told() == [f"POST /migrate ✗ Unreachable: {SILENT}"] * (SHOWN + 100)


def test_what_comes_and_goes_for_ever_is_bounded(attempt: Asked):
    """The numbers of calls and failures say the rest."""
    for _ in range(1000):
        attempt.asks(1, Unreachable(SILENT))
        attempt.asks()

    assert len(attempt.told()) == SHOWN + NEWS
    assert attempt.calls.failed == 1000


def test_an_answer_after_the_attempt_is_nobodys(attempt: Asked):
    """A thread may still wait for one; its span would stand under what is over."""
    attempt.asks(2, Unreachable(SILENT))
    late = attempt.calls.begun("GET /status", {"server.address": "n1", "server.port": 8006}, reads=True)
    attempt.calls.over()
    attempt.calls.ended(late, Unreachable(SILENT))

    assert attempt.told() == [
        f"GET /status ✗ Unreachable: {SILENT}",
        f"GET /status ✗ Unreachable: {SILENT} (1)",
    ]
