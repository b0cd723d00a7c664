"""A runbook: a Temporal workflow whose `run` reads like the procedure.

The engine adds to Temporal what an operator sees: steps with titles, findings and times, the page, the state in the
run list, and a failure in one sentence. History, retries, timers and resumption are Temporal's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, overload

from opentelemetry import trace
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as StepTimeout

with workflow.unsafe.imports_passed_through():
    from activities.errors import NEVER_RETRIED
    from cluster.plan import Finding, Intent
    from workflows import attributes, page
    from workflows.page import Section, StepRecord

Wish = TypeVar("Wish")
Found = TypeVar("Found", bound=Finding)
Result = TypeVar("Result")

# One attempt of an ordinary step: above every limit inside it (an API call 40 s, a host command 60 s).
ATTEMPT = timedelta(seconds=90)
# The worker beats for every activity it runs (workers.pulse), so this is how soon a dead worker is noticed.
HEARTBEAT = timedelta(seconds=10)

RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=1.7,
    maximum_interval=timedelta(seconds=15),
    non_retryable_error_types=NEVER_RETRIED,
)

_tracer = trace.get_tracer("quorate.runbook")  # does nothing until telemetry is configured


class Runbook:
    """Base of every runbook. A subclass carries `@workflow.defn` and defines `run`."""

    def __init__(self) -> None:
        self._headline = type(self).__name__
        self._sections: list[Section] = []
        self._began = workflow.now()
        self._findings: dict[tuple[str, int], Finding] = {}  # section title and index of the step

    # --- what a procedure is written in ------------------------------------------------------------------------

    def begin(self, headline: str, cluster: str) -> None:
        """Name the run on its page and in the run list."""
        self._headline = headline
        workflow.upsert_search_attributes(
            [attributes.STATE.value_set("running"), attributes.CLUSTER.value_set(cluster)]
        )

    def section(self, title: str) -> Section:
        """What follows belongs together: a heading of the page."""
        self._sections.append(Section(title=title))
        return self._sections[-1]

    @overload
    async def step(
        self,
        title: str,
        activity: Callable[[Any, Wish], Awaitable[Found]],
        wish: Wish,
        *,
        within: timedelta = ...,
        attempt: timedelta | None = ...,
    ) -> Found: ...

    @overload
    async def step(
        self,
        title: str,
        activity: Callable[[Any, Wish], Found],
        wish: Wish,
        *,
        within: timedelta = ...,
        attempt: timedelta | None = ...,
    ) -> Found: ...

    async def step(
        self,
        title: str,
        activity: Callable[[Any, Any], Any],
        wish: Any,
        *,
        within: timedelta = timedelta(minutes=10),
        attempt: timedelta | None = None,
    ) -> Any:
        """One line of the page, one span, one activity.

        `within` bounds all attempts together, `attempt` one of them (90 s unless said). A step that fails for
        good raises an ApplicationError whose type is the word and whose message names the step.
        """
        section = self._sections[-1] if self._sections else self.section("Start")
        index, started = len(section.steps), workflow.now()
        record = StepRecord(title=title, state="running", at=started - self._began)
        section.steps.append(record)
        self._show()
        with _tracer.start_as_current_span(title):
            try:
                found: Finding = await workflow.execute_activity(
                    activity,
                    args=[wish],
                    summary=title[:100],
                    start_to_close_timeout=min(attempt or ATTEMPT, within),
                    schedule_to_close_timeout=within,
                    heartbeat_timeout=HEARTBEAT,
                    retry_policy=RETRY,
                    cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                )
            except ActivityError as error:
                ended: dict[str, Any] = {"state": "failed", "took": workflow.now() - started}
                if is_cancelled_exception(error):
                    section.steps[index] = record.model_copy(update={**ended, "finding": "cancelled"})
                    self._show()
                    raise
                word, message = reason(error)
                section.steps[index] = record.model_copy(update={**ended, "finding": f"{word}: {message}"})
                self._show()
                raise ApplicationError(f"{title}: {word}: {message}", type=word, non_retryable=True) from error
        self._findings[section.title, index] = found
        section.steps[index] = record.model_copy(
            update={
                "state": "done",
                "took": workflow.now() - started,
                "finding": found.finding,
                "changed": found.changed,
                "changes": len(found.changes),
            }
        )
        self._show()
        return found

    async def together(self, *steps: Awaitable[Result]) -> list[Result]:
        """Steps that do not wait for each other; when one fails, the others come to their end first.

        A change that is half made would be worse than one made in full, so nothing is cancelled.
        """
        results = await asyncio.gather(*steps, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]

    @contextmanager
    def conclusion(self) -> Iterator[None]:
        """Wrap the whole procedure: the run list and the page show how it ended, whatever the end."""
        try:
            yield
        except (FailureError, asyncio.CancelledError):
            workflow.upsert_search_attributes([attributes.STATE.value_set("failed")])
            self._show()
            raise
        workflow.upsert_search_attributes([attributes.STATE.value_set("done")])
        self._show()

    # --- what it shows -----------------------------------------------------------------------------------------

    @property
    def sections(self) -> list[Section]:
        """All steps so far."""
        return self._sections

    def changes_of(self, section: Section) -> tuple[Intent, ...]:
        """The changes its steps made or, in a plan, intend; in the order in which the steps were begun."""
        found = (self._findings.get((section.title, index)) for index in range(len(section.steps)))
        return tuple(change for finding in found if finding for change in finding.changes)

    @property
    def changes(self) -> list[Intent]:
        """All changes that were really made."""
        return [change for finding in self._findings.values() if finding.changed for change in finding.changes]

    @property
    def elapsed(self) -> timedelta:
        """Since the run began."""
        return workflow.now() - self._began

    @workflow.query(name="page", description="The page of this run, as Markdown")
    def page(self) -> str:
        """The page as it stands."""
        return page.render(self._headline, self._now(), self._sections)

    @workflow.query(name="steps", description="All steps so far: title, state, finding, times")
    def steps(self) -> list[Section]:
        """The steps as data: what `quorate status` shows."""
        return self._sections

    def _now(self) -> str:
        """The sentence under the headline: what is going on, and what is asked of the reader."""
        steps = [step for section in self._sections for step in section.steps]
        if failed := [step for step in steps if step.state == "failed"]:
            return f"Stopped at: {failed[0].title}. Mend the cause, then start this runbook again: it continues."
        if running := [step.title for step in steps if step.state == "running"]:
            more = f" and {len(running) - 1} more" if len(running) > 1 else ""
            return f"Now: {running[0]}{more}. Nothing is asked of you."
        return f"{len(steps)} steps done, {len(self.changes)} changes made. Nothing is asked of you."

    def _show(self) -> None:
        workflow.set_current_details(self.page())


def reason(error: ActivityError) -> tuple[str, str]:
    """Why a step failed: one of the seven words (or what else it was) and the sentence that came with it."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "Error", cause.message
    if isinstance(cause, StepTimeout):
        last = cause.cause
        if isinstance(last, ApplicationError):
            return last.type or "Error", f"{last.message} (still so at the end of the step's time)"
        return "Unreachable", "no worker reported a result in the step's time"
    return type(cause).__name__, str(cause)
