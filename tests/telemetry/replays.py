"""Recorded runs, told once more as if each of their tasks were done now: the spans of a run follow from its history.

What a replay ends again goes to nobody but the store. Here it goes to everybody, at the times of the history.
"""

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from temporalio.client import WorkflowHistory

from tests.telemetry import Collected
from tests.telemetry.tree import of_trace
from workers.cli.replay import replayer
from workers.telemetry import plugin, settling

FOLDER = Path(__file__).parents[1] / "histories" / "0.2"


def recorded(name: str) -> dict[str, Any]:
    """The history of that branch."""
    found: dict[str, Any] = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    return found


def started(history: dict[str, Any]) -> dict[str, Any]:
    """What the first event says."""
    found: dict[str, Any] = history["events"][0]["workflowExecutionStartedEventAttributes"]
    return found


def later(history: dict[str, Any], after: str, by: timedelta) -> dict[str, Any]:
    """The same history; after the first event of that type everything happened so much later."""
    events = history["events"]
    first = next(number for number, event in enumerate(events) if event["eventType"].endswith(after)) + 1
    for event in events[first:]:
        when = datetime.fromisoformat(event["eventTime"]) + by
        event["eventTime"] = when.isoformat().replace("+00:00", "Z")
    return history


async def told(
    history: dict[str, Any], trace: str, collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> list[ReadableSpan]:
    """The spans of that run."""

    # both ask: where a span ends in a replay, and who is told
    monkeypatch.setattr(settling, "replayed", lambda: False)
    monkeypatch.setattr(plugin._EndedAgain, "end", lambda one, end_time=None: one._span.end(end_time=end_time))
    run = started(history).get("workflowId") or "run"
    await replayer().replay_workflow(WorkflowHistory.from_json(run, json.dumps(history)))
    return of_trace(collected.spans(), trace)
