"""Recorded histories replay: a change of the workflow code that would break a running run shows here.

`python -m tests.record` records them anew after a conscious change.
"""

import gzip
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from workers.replay import replayer

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json.gz"))


def name(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


@pytest.mark.parametrize("path", HISTORIES, ids=[name(path) for path in HISTORIES])
async def test_a_recorded_run_replays(path: Path):
    """Every recorded branch: planned, applied, parked and answered, paused, aborted."""
    await replayer().replay_workflow(WorkflowHistory.from_json(name(path), gzip.decompress(path.read_bytes()).decode()))


def test_there_is_a_history_of_every_branch():
    """The ways in which a deployment can go, the incidents and their watch."""
    incidents = {"incident-explained", "site-loss-followed", "watch-of-both"}
    assert {name(path) for path in HISTORIES} - incidents == {
        f"deploy-{branch}"
        for branch in (
            "aborted", "apply", "cancelled", "nothing-to-do", "parked-aborted", "paused", "plan", "plan-changed",
            "refused", "retried", "skipped",
        )
    }  # fmt: skip
    assert incidents <= {name(path) for path in HISTORIES}
