"""Looking at a run and talking to it, as a person would."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from tests.conftest import Deployment
from tests.patience import Deadline
from workers.cli.follow import why
from workflows.page import Section, StepRecord


async def steps(run: Deployment) -> list[StepRecord]:
    sections = await run.query("steps", result_type=list[Section])
    return [step for section in sections for step in section.steps]


async def until(
    run: Deployment, true: Callable[[list[StepRecord]], bool], what: str = "the steps", within: float = 30
) -> None:
    """Wait until the steps look like that."""
    deadline = Deadline(within)
    while not true(found := await steps(run)):
        assert not deadline.over, f"waited for {what}: {[(s.title, s.state) for s in found][-5:]}"
        await deadline.a_while()


async def parked(run: Deployment) -> StepRecord:
    await until(run, lambda all_: any(step.state == "parked" for step in all_), "a parked step")
    return next(step for step in await steps(run) if step.state == "parked")


async def said(run: Deployment, update: str, message: object = None) -> str:
    arguments = [] if message is None else [message]
    return str(await run.execute_update(update, args=arguments))


async def refused(run: Deployment, update: str, message: object = None) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await said(run, update, message)
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.message


async def aborted(run: Deployment) -> str:
    """How the run ended, in its own words."""
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    return why(caught.value)


async def parked_or_ended(run: Deployment, within: float = 60) -> StepRecord | None:
    """The first step that has parked, once nothing else is under way; None when the run has ended."""
    deadline = Deadline(within)
    while (await run.describe()).status == WorkflowExecutionStatus.RUNNING:
        found = await steps(run)
        waiting = [step for step in found if step.state == "parked"]
        if waiting and not any(step.state == "running" for step in found):
            return waiting[0]
        assert not deadline.over, f"neither parked nor ended: {found[-3:]}"
        await deadline.a_while()
    return None


async def everything_written(run: Deployment) -> str:
    """The run's whole history in clear: its payloads travel in base64, where no search would find anything."""
    return _in_clear(json.loads((await run.fetch_history()).to_json()))


def _in_clear(part: Any) -> str:
    if isinstance(part, dict):
        texts = [base64.b64decode(part["data"]).decode(errors="replace")] if isinstance(part.get("data"), str) else []
        return "\n".join([*texts, *(f"{key}: {_in_clear(value)}" for key, value in part.items() if key != "data")])
    if isinstance(part, list):
        return "\n".join(map(_in_clear, part))
    return str(part)
