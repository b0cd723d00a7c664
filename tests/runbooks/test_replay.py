"""Recorded histories replay: a change of the workflow code that would break a running run shows here.

`python -m tests.record` records them anew after a conscious change.
"""

import gzip
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from workers.cli.replay import replayer

FOLDER = Path(__file__).parents[1] / "histories"
HISTORIES = sorted(FOLDER.glob("*/*.json.gz"))
BRANCHES = {
    *(
        f"deploy-{branch}"
        for branch in (
            "aborted", "apply", "cancelled", "nothing-to-do", "parked-aborted", "paused", "plan", "plan-changed",
            "refused", "retried", "skipped",
        )
    ),
    "incident-explained", "node-loss-followed", "site-loss-followed", "watch-of-both",
    "failback-rejected", "failback-signed", "evacuate-site", "return-site",
}  # fmt: skip
EMERGENCIES = {
    "hand-over-quorum", "revive-guests", "restore-sessions", "reconcile-arrays", "cold-start", "cold-start-refused",
}  # fmt: skip


def name(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


@pytest.mark.parametrize("path", HISTORIES, ids=[f"{path.parent.name}-{name(path)}" for path in HISTORIES])
async def test_a_recorded_run_replays(path: Path):
    """Every recorded branch of every version: planned, applied, parked and answered, paused, aborted."""
    text = gzip.decompress(path.read_bytes()).decode()
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    # a vote is said to one run, by its id
    await replayer().replay_workflow(WorkflowHistory.from_json(started.get("workflowId") or name(path), text))


@pytest.mark.parametrize(("version", "branches"), [("0.1", BRANCHES), ("0.2", BRANCHES | EMERGENCIES | {"ledger"})])
def test_there_is_a_history_of_every_branch(version: str, branches: set[str]):
    """The ways in which a deployment can go, the incidents and their watch, the ways home, emergencies."""
    assert {name(path) for path in (FOLDER / version).iterdir()} == branches
