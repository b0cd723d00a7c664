"""Start a run, follow it step by step, and say in one sentence how it ended."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from cluster.moments import Times
from cluster.units import seconds
from workers.catalogue import type_name
from workers.errors import Unusable
from workflows.catalogue import RunbookReport, RunbookRequest
from workflows.page import Sheet, StepRecord
from workflows.runbook import Runbook

POLL = 0.25
# A query needs a worker; without one it would wait for ever.
PATIENCE = timedelta(seconds=3)
# Who asks once, to sign or to read what is kept, waits longer than who looks every second.
ASKED_ONCE = timedelta(seconds=10)
SILENT = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION)

Run = WorkflowHandle[Any, Any]
Told = TypeVar("Told")


class Failed(Exception):
    """The run ended without a result; the text is what a person is told, `word` is Temporal's for it."""

    remedy = ""

    def __init__(self, said: str, word: str = "") -> None:
        super().__init__(said)
        self.word = word

    def with_remedy(self, remedy: str) -> "Failed":
        """The same, and what to do about it."""
        self.remedy = remedy
        return self


@dataclass
class Look:
    """One look at a run: steps that have ended, parked or asked since the last one, what is under way, and remarks."""

    steps: list[StepRecord] = field(default_factory=list)
    times: Times | None = None  # the clocks of the steps
    under_way: list[str] = field(default_factory=list)
    remark: str = ""
    parked: bool = False
    asked: bool = False  # a gate is open


async def start_run(client: Client, runbook: type[Runbook], request: RunbookRequest, cluster: str, queue: str) -> Run:
    """One run per cluster and procedure: Unusable when it runs already."""
    run_id = f"{runbook.about.name}/{cluster}"
    try:
        return await client.start_workflow(
            type_name(runbook),
            request,
            id=run_id,
            task_queue=queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"{runbook.about.name} {cluster}: {request.mode}",
            static_details=details(runbook),
        )
    except WorkflowAlreadyStartedError:
        raise Unusable(f"{run_id} is running already", "follow it with `quorate status`, or wait for its end") from None


def details(runbook: type[Runbook]) -> str:
    """What stands beside the page in the Temporal UI, from the first second on."""
    about = runbook.about
    return (
        f"{about.what}.\n\nStart it {about.when}.\n\n"
        "Updates that it takes: `pause`, `resume`, `note`, `abort`, and `answer` when a step has "
        f"parked.\n\nAborted or cancelled: {about.landing}. Do not *Terminate*: that lands nothing."
    )


async def looks(handle: Run) -> AsyncIterator[Look]:
    """Look after look until the run has ended. A step comes when it has ended, and again when it says something new.

    Other figures alone are nothing new: a check that is repeated for days says other milliseconds each time.
    """
    shown: dict[tuple[int, int], str] = {}
    silent = False
    while True:
        description = await handle.describe()
        closed = description.status != WorkflowExecutionStatus.RUNNING
        sheet = await shown_by(handle)
        look = Look(times=sheet.times if sheet else None)
        if sheet is None and not silent and not closed:
            silent = True
            look.remark = "no worker answers for this run: start one with `quorate worker` or `quorate up`"
        tries = retries(description)
        for s, section in enumerate(sheet.sections if sheet else ()):
            for n, step in enumerate(section.steps):
                look.parked |= step.state == "parked"
                look.asked |= step.state == "asked"
                if step.goes_on and step.state != "asked":
                    look.under_way.append(step.says + (f", {tries[step.title]}" if step.title in tries else ""))
                elif shown.get((s, n)) != (news := _news(step)):
                    shown[s, n] = news
                    look.steps.append(step)
        yield look
        if closed:
            return
        await asyncio.sleep(POLL)


def _news(step: StepRecord) -> str:
    if step.state == "done":
        return step.state
    if step.state in ("parked", "asked"):
        return step.state + step.finding
    return step.state + re.sub(r"[\d.]+ ?(ms|s|min)?\b", "#", step.finding)


async def shown_by(handle: Run) -> Sheet | None:
    """What its page is made of, empty before it has begun; None when no worker answers."""
    try:
        found: Sheet = await handle.query("sheet", result_type=Sheet, rpc_timeout=PATIENCE)
    except WorkflowQueryFailedError:
        return Sheet(headline="", now="")
    except RPCError as error:
        if error.status not in SILENT:
            raise
        return None
    return found


async def told_by(handle: Run, query: str, kind: type[Told]) -> Told | None:
    """What a run answers to a query; None when no worker answers, or it is a run that does not know the question."""
    try:
        found: Told = await handle.query(query, result_type=kind, rpc_timeout=PATIENCE)
    except (WorkflowQueryFailedError, RPCError):  # nothing hangs on the answer
        return None
    return found


async def sheet_of(handle: Run) -> Sheet | None:
    """What its page is made of."""
    return await told_by(handle, "sheet", Sheet)


async def skippable(handle: Run) -> bool:
    """Whether one of its parked steps can be skipped."""
    sheet = await sheet_of(handle)
    return sheet is not None and sheet.skippable


def retries(description: WorkflowExecutionDescription) -> dict[str, str]:
    """Steps that are being tried again: which attempt, when the next one is due, and why."""
    pending = description.raw_description.pending_activities
    return {one.activity_id.partition(" ")[2]: _retry(one) for one in pending if one.attempt > 1}


def _retry(one: PendingActivityInfo) -> str:
    due = one.scheduled_time.ToDatetime(tzinfo=UTC) - datetime.now(UTC)
    when = ", paused in Temporal's UI" if one.paused else f" in {seconds(due)}" if due > timedelta() else ""
    return f"attempt {one.attempt}{when}: {one.last_failure.message[:160]}"


async def result(handle: Run, kind: type[RunbookReport]) -> RunbookReport:
    """The report, or Failed with the reason in words."""
    try:
        return kind.model_validate(await handle.result())
    except WorkflowFailureError as error:
        raise Failed(why(error), word(error)) from None


def word(error: WorkflowFailureError) -> str:
    """The kind of failure, in one word."""
    match error.cause:
        case ApplicationError() as cause:
            return cause.type or ""
        case CancelledError():
            return "Cancelled"
        case TerminatedError():
            return "Terminated"
    return ""


def why(error: WorkflowFailureError) -> str:
    """The reason of a failed run, as it was meant for a person."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.message
    if isinstance(cause, CancelledError):
        return "the run was cancelled; its page says how things were left"
    if isinstance(cause, TerminatedError):
        return "the run was terminated; what was changed until then is in its history"
    return str(cause or error)
