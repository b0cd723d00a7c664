"""Recorded histories replay: a change of the workflow code that would break a running run shows here.

`python -m tests.record` records them anew after a conscious change.
"""

import gzip
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from workers.cli.replay import replayer

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json.gz"))


def name(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


@pytest.mark.parametrize("path", HISTORIES, ids=[name(path) for path in HISTORIES])
async def test_a_recorded_run_replays(path: Path):
    """Every recorded branch: planned, applied, parked and answered, paused, aborted."""
    text = gzip.decompress(path.read_bytes()).decode()
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    # a vote is said to one run, by its id
    await replayer().replay_workflow(WorkflowHistory.from_json(started.get("workflowId") or name(path), text))


def test_there_is_a_history_of_every_branch():
    """The ways in which a deployment can go, the incidents and their watch, the ways home."""
    incidents = {"incident-explained", "node-loss-followed", "site-loss-followed", "watch-of-both"}
    home = {"failback-rejected", "failback-signed", "evacuate-site", "return-site"}
    assert {name(path) for path in HISTORIES} - incidents - home == {
        f"deploy-{branch}"
        for branch in (
            "aborted", "apply", "cancelled", "nothing-to-do", "parked-aborted", "paused", "plan", "plan-changed",
            "refused", "retried", "skipped",
        )
    }  # fmt: skip
    assert incidents | home <= {name(path) for path in HISTORIES}
