"""The spans of recorded runs: of every way in which a run can go."""

from datetime import timedelta

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from cluster.traces import trace_of
from tests.telemetry import Collected
from tests.telemetry.replays import FOLDER, later, recorded, started, told
from tests.telemetry.tree import lines, misfits

ENDS = "EVENT_TYPE_WORKFLOW_EXECUTION_"
NAMES = sorted(path.name.removesuffix(".json.gz") for path in FOLDER.iterdir())
BRANCHES = [name for name in NAMES if recorded(name)["events"][-1]["eventType"].startswith(ENDS)]


@pytest.mark.parametrize("branch", BRANCHES)
async def test_whatever_ends_a_run_ends_all_of_its_spans(
    branch: str, collected: Collected, monkeypatch: pytest.MonkeyPatch
):
    """Done, parked and answered, refused, aborted, cancelled, rejected, paused."""
    history = recorded(branch)
    trace = trace_of(started(history)["firstExecutionRunId"])

    spans = await told(history, trace, collected, monkeypatch)

    assert misfits(spans, trace) == []


async def test_a_pause_of_a_month_is_a_span_of_a_month(collected: Collected, monkeypatch: pytest.MonkeyPatch):
    """Whatever worker goes on then: the spans are the same ones, with the same ids, and only the wait is longer."""
    month, history = timedelta(days=30), recorded("deploy-paused")
    trace = trace_of(started(history)["firstExecutionRunId"])
    as_it_was = await told(history, trace, collected, monkeypatch)
    collected.clear()

    longer = await told(later(history, "UPDATE_COMPLETED", month), trace, collected, monkeypatch)

    assert misfits(longer, trace) == []
    assert {(one.name, one.context.span_id) for one in longer} == {(one.name, one.context.span_id) for one in as_it_was}
    assert lines(longer) == lines(as_it_was)
    grown = {name for name, took in lasted(longer).items() if took > lasted(as_it_was)[name] + 0.9 * month}
    assert grown == {"DeployStretchedCluster", "Volume group pxmx-ac-vg is seen by all nodes", "Paused"}


def lasted(spans: list[ReadableSpan]) -> dict[str, timedelta]:
    """How long each took; of those with one name the last one."""
    return {one.name: timedelta(microseconds=((one.end_time or 0) - (one.start_time or 0)) / 1000) for one in spans}


async def test_what_an_incident_waited_for_stands_in_its_trace(collected: Collected, monkeypatch: pytest.MonkeyPatch):
    """Each line of the page that took time is a span; what was told at once is an event of the run."""
    history = recorded("site-loss-followed")
    trace = trace_of(started(history)["firstExecutionRunId"])

    spans = await told(history, trace, collected, monkeypatch)

    (run,) = [one for one in spans if one.name == "SiteLoss"]
    assert lines(spans) == [
        "SiteLoss",
        "  Inventory is read",
        "  HA's list of services is read",
        "  Look: Waiting for the watch to be gone ✗ Stopped",
        "  Guests run again",
        "  pxmx01-02 is fenced",
        "  pxmx01-03 is fenced",
        "  Look: A node is back",
        "  Look: Guests run again",
        "  Look: pxmx01-01 is fenced",
        "  Look: pxmx01-02 is fenced",
        "  Look: pxmx01-03 is fenced",
        "  This incident is in the ledger",
        "  site-b is quorate",
        "  pxmx01-01 is fenced",
        "  Pod is served at site-b",
        "  site-a is noted as lost",
        "  Nodes of site-b have paths",
        "  Homes are recorded in the ledger",
        "  Automatic moves are listed",
        "  Switches are recorded in the ledger",
        "  Automatic moves are disabled",
        "  Look: Guests run again ✗ Stopped",
        "  site-a is back",
        "  site-a may be used again",
        "  site-a is noted as back",
        "  What this run disabled is re-enabled",
    ]
    assert [event.name for event in run.events][:5] == [
        "Evidence",
        "Evidence",
        "Evidence",
        "Forecast",
        "Loss of site-a is confirmed",
    ]
