"""Start a run, follow it step by step, and say in one sentence how it ended."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from runbooks.deploy import DeployReport, DeployRequest, DeployStretchedCluster
from workers.errors import Unusable
from workflows.page import Section, StepRecord

POLL = 0.25
# A query needs a worker; without one it would wait for ever.
PATIENCE = timedelta(seconds=3)

# Shown beside the page in the Temporal UI, from the first second on.
DETAILS = """Builds the stretched cluster: pod, hosts, paths, shared LVM, quorum device, guests, HA.

It plans first and stops at the first thing that stands in the way, before anything is changed.
Started again, it changes only what still differs. To end it, use *Request Cancellation*: what was done stays done."""

Deployment = WorkflowHandle[DeployStretchedCluster, DeployReport]


class Failed(Exception):
    """The run ended without a result; the text is what a person is told."""


async def start_deploy(client: Client, request: DeployRequest, cluster: str, queue: str) -> Deployment:
    """One run per cluster and procedure: Unusable when it runs already."""
    run_id = f"deploy/{cluster}"
    try:
        return await client.start_workflow(
            DeployStretchedCluster.run,
            request,
            id=run_id,
            task_queue=queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"Deploy {cluster}: {request.mode}",
            static_details=DETAILS,
        )
    except WorkflowAlreadyStartedError:
        raise Unusable(f"{run_id} is running already", "follow it with `quorate status`, or wait for its end") from None


async def steps(handle: WorkflowHandle[Any, Any]) -> AsyncIterator[StepRecord | str | list[str]]:
    """Each step once, when it has ended; the titles of those under way at every look; remarks about the wait."""
    shown: set[tuple[int, int]] = set()
    silent = False
    while True:
        closed = (await handle.describe()).status != WorkflowExecutionStatus.RUNNING
        try:
            sections = await handle.query("steps", result_type=list[Section], rpc_timeout=PATIENCE)
        except WorkflowQueryFailedError:
            sections = []
        except RPCError as error:
            if error.status not in (
                RPCStatusCode.DEADLINE_EXCEEDED,
                RPCStatusCode.CANCELLED,
                RPCStatusCode.FAILED_PRECONDITION,
            ):
                raise
            sections = []
            if not silent and not closed:
                silent = True
                yield "no worker answers for this run: start one with `quorate worker` or `quorate up`"
        for s, section in enumerate(sections):
            for n, step in enumerate(section.steps):
                if step.state != "running" and (s, n) not in shown:
                    shown.add((s, n))
                    yield step
        yield [step.title for section in sections for step in section.steps if step.state == "running"]
        if closed:
            return
        await asyncio.sleep(POLL)


async def result(handle: Deployment) -> DeployReport:
    """The report, or Failed with the reason in words."""
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        raise Failed(why(error)) from None


def why(error: WorkflowFailureError) -> str:
    """The reason of a failed run, as it was meant for a person."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.message
    if isinstance(cause, CancelledError):
        return "the run was cancelled; what was changed until then is in its history"
    if isinstance(cause, TerminatedError):
        return "the run was terminated; what was changed until then is in its history"
    return str(cause or error)
