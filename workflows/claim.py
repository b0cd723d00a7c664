"""One run per cluster and procedure, however it was started.

The fixed id of a procedure (``deploy/metro``) is the lock. A run that was started under another id, from the start
form or by a schedule, holds it through a claim: a child that bears the fixed id until its run has come to an end.

Temporal ends the children of a run that continues as new. A claim that is passed on stays until the next part of its
run has taken the id over, so that no other run gets in between.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from urllib.parse import quote

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

# The next part of a run begins at once; where its worker is away for longer, another run may take the id.
PASSED_ON_FOR = timedelta(minutes=5)


class Holder(BaseModel):
    """The run that holds a claim."""

    run: str
    runbook: str


def address(workflow_id: str) -> str:
    """Where the Temporal UI shows it, relative to the UI."""
    return f"/namespaces/{workflow.info().namespace}/workflows/{quote(workflow_id, safe='')}"


@workflow.defn(name="Claim")
class Claim:
    """Stands for the run that does the procedure, until it is released."""

    def __init__(self) -> None:
        self._released = False
        self._passed_on = False

    @workflow.run
    async def run(self, holder: Holder) -> Holder:
        """Hold the id; the page leads to the run."""
        where = address(holder.run)
        workflow.set_current_details(f"{holder.runbook} is done by the run [{holder.run}]({where}).")
        try:
            await workflow.wait_condition(lambda: self._released)
        except asyncio.CancelledError:
            if not self._passed_on:
                raise
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(lambda: self._released, timeout=PASSED_ON_FOR)
        return holder

    @workflow.signal(description="The run continues as new: its next part takes the id over")
    def pass_on(self) -> None:
        """Outlive the end of this part of the run."""
        self._passed_on = True

    @workflow.signal(description="The run has ended")
    def release(self) -> None:
        """Give the id back."""
        self._released = True

    @workflow.query(description="The run that does the procedure")
    def holder(self) -> str:
        """Its id; the parent of this claim."""
        parent = workflow.info().parent
        return parent.workflow_id if parent else ""


Held = ChildWorkflowHandle[Claim, Holder]


async def claimed(fixed: str, headline: str) -> Held | None:
    """Hold the id of the procedure; None when this run bears it itself.

    ApplicationError when another run holds it.
    """
    return await _claimed(fixed, headline, WorkflowIDReusePolicy.ALLOW_DUPLICATE)


async def taken_over(fixed: str, headline: str, since: datetime) -> Held | None:
    """Hold what an earlier part of this run has passed on at that time. ApplicationError when another run holds it."""
    ours = workflow.now() - since < PASSED_ON_FOR / 2  # later on it may be another run's already
    policy = WorkflowIDReusePolicy.TERMINATE_IF_RUNNING if ours else WorkflowIDReusePolicy.ALLOW_DUPLICATE
    return await _claimed(fixed, headline, policy)


async def _claimed(fixed: str, headline: str, policy: WorkflowIDReusePolicy) -> Held | None:
    here = workflow.info().workflow_id
    if here == fixed:
        return None
    try:
        return await workflow.start_child_workflow(
            Claim.run,
            Holder(run=here, runbook=headline),
            id=fixed,
            id_reuse_policy=policy,
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            static_summary=f"held by {here}"[:100],
        )
    except WorkflowAlreadyStartedError:
        raise ApplicationError(
            f"{fixed} is running already, one at a time: see {address(fixed)}",
            type="AlreadyRunning",
            non_retryable=True,
        ) from None


async def released(held: Held | None) -> None:
    """Give the id back before the run ends, so that the next one can start at once."""
    if held is not None:
        with contextlib.suppress(FailureError):  # cancelled with its run, it is over already
            await held.signal(Claim.release)
            await held
