"""`quorate trace`: what a person reads, in 80 columns."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanContext, StatusCode, Tracer, set_span_in_context

from workers.cli.main import run
from workers.telemetry.exporting import FromTheStart, StoreExporter
from workers.telemetry.store import Store

BEGAN = 1_796_119_200  # 2026-12-01 10:00:00 UTC
SECOND = 1_000_000_000
API: dict[str, Any] = {"http__request__method": "GET", "server__address": "10.0.1.11", "server__port": 8006}


class Recorded:
    """Spans with times that a test can read aloud, straight into a store."""

    def __init__(self, folder: Path) -> None:
        self._provider = TracerProvider()
        self._provider.add_span_processor(FromTheStart(StoreExporter(Store(folder)), schedule_delay_millis=60_000))
        self._tracer: Tracer = self._provider.get_tracer("test")
        self.known: dict[str, Any] = {}

    def span(
        self, name: str, start: float, end: float | None, under: str = "", word: str = "", link: str = "", **about: Any
    ) -> None:
        """Seconds since the beginning; `under` and `link` are names of spans."""
        attributes = {key.replace("__", "."): value for key, value in about.items()}
        span = self._tracer.start_span(
            name,
            set_span_in_context(self.known[under]) if under else None,
            attributes=attributes,
            links=[Link(self.context(link))] if link else [],
            start_time=int((BEGAN + start) * SECOND),
        )
        self.known[name] = span
        if word:
            span.set_attribute("error.type", word)
            span.set_status(StatusCode.ERROR, word)
        if end is not None:
            span.end(int((BEGAN + end) * SECOND))

    def context(self, name: str) -> SpanContext:
        """The ids of a span."""
        return self.known[name].get_span_context()

    def trace(self, name: str) -> str:
        """The trace of a span."""
        return f"{self.context(name).trace_id:032x}"

    def event(self, name: str, what: str, at: float, **about: Any) -> None:
        """Something that happened in a span that goes on."""
        self.known[name].add_event(what, about, int((BEGAN + at) * SECOND))

    def end(self, name: str, at: float) -> None:
        """A span that went on has ended."""
        self.known[name].end(int((BEGAN + at) * SECOND))

    def write(self) -> None:
        """What was told until now is in the store."""
        self._provider.force_flush()


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A store of its own, in the state folder that the command reads."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path))
    return Recorded(tmp_path)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What the command prints, without the ends of lines that nobody sees."""
    monkeypatch.setenv("COLUMNS", "80")

    def say(*words: str, status: int = 0) -> str:
        assert run(["trace", *words]) == status
        shown = capsys.readouterr()
        return "\n".join(line.rstrip() for line in (shown.out + shown.err).splitlines())

    return say


def failback(recorded: Recorded) -> None:
    """A run with an attempt that failed, a gate, calls and a cause."""
    recorded.span("SiteLoss", -900, -300, quorate__run="site-loss/metro")
    recorded.span("Failback", 0, 200, link="SiteLoss", quorate__run="failback/metro")
    recorded.span("Claim", 0, 200, "Failback", quorate__run="claim/metro", quorate__runbook="Claim")
    recorded.span("Pod is online", 1, 12, "Failback", quorate__finding="online on both arrays")
    recorded.span(
        "purity.pod_state", 1, 3, "Pod is online", word="Unreachable", quorate__attempt=1, quorate__run="failback/metro"
    )
    recorded.span("purity.again", 10, 12, "Pod is online", quorate__attempt=2)
    for n in range(3):
        recorded.span(
            f"GET /pods/{n}",
            10 + n / 2,
            10.4 + n / 2,
            "purity.again",
            **API,
        )
    recorded.span("Bring guests home", 12, None, "Failback", quorate__waits_for="people")
    recorded.event("Bring guests home", "decided", 150.5, by="ana", answer="yes")
    recorded.end("Bring guests home", 180)
    recorded.span(
        "multipath on pxmx01-01", 185, 195, "Failback", process__executable__name="multipath", quorate__host="pxmx01-01"
    )
    recorded.write()


def test_a_run_is_drawn_as_a_tree_with_its_critical_path(recorded: Recorded, said: Callable[..., str]):
    """Attempts that failed with their word, calls to one host together, who has answered, where the time went."""
    failback(recorded)

    assert (
        said("failback/metro")
        == f"""\
failback/metro
trace {recorded.trace("Failback")}
began 2026-12-01 10:00:00 UTC, 3 min 20 s, 10 spans
caused by site-loss/metro (quorate trace {recorded.trace("SiteLoss")[:8]})

 3 min 20 s * Failback
 3 min 20 s   ├─ Claim
     11.0 s * ├─ Pod is online: online on both arrays
      2.0 s * │  ├─ ✗ purity.pod_state, attempt 1  Unreachable
      2.0 s * │  └─ purity.again, attempt 2
      1.2 s * │     └─ 3 API calls to 10.0.1.11:8006
 2 min 48 s * ├─ Bring guests home
              │  └─ · 10:02:30 decided: by ana, answer yes
     10.0 s * └─ multipath on pxmx01-01

* is on the critical path: what the end was waiting for

Where the time went
                                        spans    own time  on the path  share
  waiting for people                        1  2 min 48 s   2 min 48 s   84 %
  the run itself: Temporal, deciding        1      11.0 s       11.0 s    6 %
  commands on pxmx01-01                     1      10.0 s       10.0 s    5 %
  waiting for the world, between calls      3       9.8 s        9.8 s    5 %
  API calls to 10.0.1.11:8006               3       1.2 s        1.2 s    1 %"""
    )


def test_every_call_has_a_line_with_all(recorded: Recorded, said: Callable[..., str]):
    """The path of each is what the span is called."""
    failback(recorded)

    assert [line[20:] for line in said("failback/metro", "--all").splitlines() if "GET" in line] == [
        "├─ GET /pods/0",
        "├─ GET /pods/1",
        "└─ GET /pods/2",
    ]


def test_a_run_that_goes_on_is_told_as_such(recorded: Recorded, said: Callable[..., str]):
    """As far as its newest span."""
    recorded.span("Deploy", 0, None, quorate__run="deploy/metro")
    recorded.span("Pod is online", 1, 4, "Deploy")
    recorded.span("Paths of pxmx01-01", 4, None, "Deploy")
    recorded.span("hosts.paths", 5, 9, "Paths of pxmx01-01", quorate__attempt=1)
    recorded.write()

    assert said("deploy").splitlines()[2:9] == [
        "began 2026-12-01 10:00:00 UTC, 9.0 s so far, 4 spans",
        "2 spans have not ended: the run goes on, or was terminated",
        "",
        "      9.0 s * … Deploy  (has not ended)",
        "      3.0 s * ├─ Pod is online",
        "      5.0 s * └─ … Paths of pxmx01-01  (has not ended)",
        "      4.0 s *    └─ hosts.paths",
    ]


def test_a_cause_names_what_it_led_to(recorded: Recorded, said: Callable[..., str]):
    """And one that is kept elsewhere is named by its id."""
    failback(recorded)

    assert f"led to failback/metro (quorate trace {recorded.trace('Failback')[:8]})" in said("site-loss/metro")


def test_what_is_said_to_a_run_is_no_cause(recorded: Recorded, said: Callable[..., str]):
    """A run tells its watch that it has ended: neither has caused the other by that."""
    recorded.span("SiteLoss", 0, 9, quorate__run="site-loss/metro")
    recorded.span("ClusterWatch", 0, None, quorate__run="watch/metro")
    recorded.span("signal ended", 9, 9, "ClusterWatch", link="SiteLoss")
    recorded.write()

    assert "led to" not in said("site-loss/metro")
    assert "caused by" not in said("watch/metro")


def test_a_beginning_of_several_runs_names_them(recorded: Recorded, said: Callable[..., str]):
    """Nothing is drawn that may not have been meant."""
    recorded.span("Deploy", 0, 1, quorate__run="deploy/metro")
    recorded.span("Deploy again", 2, 3, quorate__run="deploy/north")
    recorded.write()

    assert said("deploy", status=2) == (
        "error: deploy is the beginning of 2 traces\n"
        "what to do: write more of the one you mean: deploy/north, deploy/metro"
    )


def test_of_two_runs_of_one_name_the_newer_is_drawn(recorded: Recorded, said: Callable[..., str]):
    """The other one is named."""
    recorded.span("Deploy", 0, 1, quorate__run="deploy/metro")
    recorded.span("Deploy again", 2, 3, quorate__run="deploy/metro")
    recorded.write()

    assert said("deploy/metro").splitlines()[1:4] == [
        f"trace {recorded.trace('Deploy again')}",
        "began 2026-12-01 10:00:02 UTC, 1.0 s, 1 span",
        f"the run before it of that name: quorate trace {recorded.trace('Deploy')[:8]}",
    ]


def test_a_run_without_a_trace_names_those_that_have_one(recorded: Recorded, said: Callable[..., str]):
    """What to type instead."""
    recorded.span("Deploy", 0, 1, quorate__run="deploy/metro")
    recorded.write()

    assert said("failback", status=2) == (
        "error: no trace of failback is kept\nwhat to do: the newest are deploy/metro; see `quorate trace`"
    )


def test_without_a_store_it_says_where_one_would_be(recorded: Recorded, said: Callable[..., str], tmp_path: Path):
    """A worker of another folder has its own."""
    assert said("deploy", status=2) == (
        f"error: no traces are kept in {tmp_path}\n"
        "what to do: name the state folder of the worker with QUORATE_STATE; "
        "a worker with QUORATE_TRACES=off keeps none"
    )


def test_without_a_run_the_newest_traces_are_listed(recorded: Recorded, said: Callable[..., str]):
    """Each with what is needed to draw it."""
    failback(recorded)
    recorded.span("Deploy", 300, None, quorate__run="deploy/metro")
    recorded.write()

    short = {name: recorded.trace(name)[:8] for name in ("Deploy", "Failback", "SiteLoss")}
    assert said().splitlines() == [
        f"2026-12-01 10:05:00 UTC  {short['Deploy']}  deploy/metro  0.0 ms, 1 span, 1 under way",
        f"2026-12-01 10:00:00 UTC  {short['Failback']}  failback/metro  3 min 20 s, 10 spans",
        f"2026-12-01 09:45:00 UTC  {short['SiteLoss']}  site-loss/metro  10 min 0 s, 1 span",
    ]


def test_the_list_is_of_runs_unless_all_is_wanted(recorded: Recorded, said: Callable[..., str]):
    """A gateway is told of many things in a storm, each a trace of its own."""
    recorded.span("Deploy", 0, 1, quorate__run="deploy/metro")
    recorded.span("event of pve", 2, 3)
    recorded.write()

    assert [line.split("  ")[2] for line in said().splitlines()] == ["deploy/metro"]
    assert [line.split("  ")[2] for line in said("--all").splitlines()] == ["event of pve", "deploy/metro"]


def test_a_script_reads_the_same_as_json(recorded: Recorded, said: Callable[..., str]):
    """The tree, the path and the rows, in seconds."""
    failback(recorded)

    found = json.loads(said("failback/metro", "--json"))

    assert (found["run"], found["spans"], found["under_way"], found["seconds"]) == ("failback/metro", 10, 0, 200)
    assert [one["run"] for one in found["caused_by"]] == ["site-loss/metro"]
    assert sum(one["seconds"] for one in found["critical_path"]) == pytest.approx(200)
    assert found["spent"][0] == {
        "what": "waiting for people",
        "doing": "people",
        "where": None,
        "spans": 1,
        "own_seconds": 168,
        "critical_seconds": 168,
    }
    assert [child["name"] for child in found["tree"][0]["children"]][:2] == ["Claim", "Pod is online"]


def test_what_a_span_says_moves_no_cursor(recorded: Recorded, said: Callable[..., str]):
    """A finding is a device's word."""
    recorded.span("Deploy", 0, 1, quorate__run="deploy/metro", quorate__finding="\x1b[2Jgone")
    recorded.write()

    assert "Deploy: \\x1b[2Jgone" in said("deploy/metro")


def test_calls_that_failed_alike_are_one_line_with_their_number(recorded: Recorded, said: Callable[..., str]):
    """With others to the same host they are added up; the time is that of the calls."""
    again = API | {"quorate__times": 60, "quorate__seconds_in_calls": 20.0}
    recorded.span("watch.look", 0, 100, quorate__run="watch/metro", quorate__attempt=1)
    recorded.span("GET /cluster/status", 0, 1, "watch.look", word="Unreachable", **API)
    recorded.span("GET /cluster/status again", 2, 90, "watch.look", word="Unreachable", **again)
    recorded.write()

    assert "     21.0 s * └─ ✗ 61 API calls to 10.0.1.11:8006  Unreachable" in said("watch/metro")
    assert "     20.0 s   └─ ✗ GET /cluster/status again, 60 times  Unreachable" in said("watch/metro", "--all")
