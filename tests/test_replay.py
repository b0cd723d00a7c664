"""Recorded histories replay: a change of the workflow code that would break a running deployment shows here.

`python -m tests.record` records them anew after a conscious change.
"""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from runbooks import ALL_RUNBOOKS
from workers.run import FAILURES, SANDBOX

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
async def test_a_recorded_run_replays(path: Path):
    """Every recorded branch: planned, applied, nothing to do, refused."""
    replayer = Replayer(
        workflows=ALL_RUNBOOKS,
        data_converter=pydantic_data_converter,
        workflow_runner=SANDBOX,
        workflow_failure_exception_types=FAILURES,
    )

    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))


def test_there_is_a_history_of_every_branch():
    """Four ways a deployment ends."""
    assert {path.stem for path in HISTORIES} == {
        "deploy-plan",
        "deploy-apply",
        "deploy-nothing-to-do",
        "deploy-refused",
    }
