"""A runbook: a Temporal workflow whose `run` reads like the procedure.

The engine adds to Temporal what an operator sees: steps with titles, findings and times, the page, the state in the
run list, a step that parks instead of failing the run, a pause that really pauses, an abort that lands. History,
retries, timers and resumption are Temporal's.
"""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, TypeVar, overload
from urllib.parse import quote

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.around import Hook
    from cluster.contracts.reference import Activity
    from cluster.plan import Finding, Intent, Mode, digest
    from workflows import attributes
    from workflows.catalogue import RunbookReport, RunbookRequest
    from workflows.claim import address, claimed
    from workflows.endings import Ending
    from workflows.page import Section, Sheet, StepRecord, render
    from workflows.plans import differences
    from workflows.record import Line
    from workflows.steps import Failing, Given
    from workflows.words import ended, going_on, plan_sentence

Asked = TypeVar("Asked")
Found = TypeVar("Found", bound=Finding)
Result = TypeVar("Result")
Report = TypeVar("Report", bound=RunbookReport)

ENDED = ("done", "failed", "aborted")


class Runbook(Ending):
    """Base of every runbook. A subclass carries `@workflow.defn`, says what it is in `about`, and defines `run`."""

    def __init__(self) -> None:
        super().__init__()
        self._headline = type(self).__name__
        self._planned = ""
        self._more_links: list[tuple[str, str]] = []  # where a runbook leads

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def begin(self, headline: str, cluster: str, hooks: tuple[Hook, ...] = (), *, place: str = "") -> None:
        """Name the run on its page and in the run list, and make sure that it is the only one of its kind.

        `hooks` are called around the steps from now on. `place`: of its kind at that site. ApplicationError when
        another run does this procedure on this cluster.
        """
        self._headline, self._subject = headline, "/".join(filter(None, (self.about.name, cluster, place)))
        workflow.upsert_search_attributes([attributes.CLUSTER.value_set(cluster)])
        self._tell()
        self._held = await claimed(self._subject, headline)
        self._begun = True
        await self._use_hooks(hooks)

    def section(self, title: str, *, rehearsal: bool = False, folds: bool = True) -> Section:
        """What follows belongs together: a heading of the page. A rehearsal changes nothing and calls no hook.

        Later it shrinks to one line, unless every line of it matters to the end (`folds` off).
        """
        return self.record.section(title, rehearsal=rehearsal, folds=folds)

    @property
    def asks(self) -> tuple[str, ...]:
        """What a person has to do now, though no step has parked."""
        return tuple(self._alarms.values())

    @property
    def idle(self) -> str:
        """What the run does while no step is under way."""
        return "waiting for the next step"

    def under_way(self) -> list[StepRecord]:
        """The lines that tell what the run does now."""
        return self.record.under_way()

    @property
    def closing(self) -> str:
        """What the page says of a run that ended well; a runbook may say its own."""
        return ""

    @overload
    async def step(
        self,
        title: str,
        activity: Activity[Asked, Found],
        wish: Asked,
        *,
        within: timedelta = ...,
        attempt: timedelta | None = ...,
        parks: bool = ...,
        given: Given | None = ...,
        waiting: str = ...,
    ) -> Found: ...

    @overload
    async def step(
        self,
        title: str,
        activity: Activity[Asked, Found],
        wish: Asked,
        *,
        within: timedelta = ...,
        attempt: timedelta | None = ...,
        skip: str | None,
        given: Given | None = ...,
        waiting: str = ...,
    ) -> Found | None: ...

    async def step(
        self,
        title: str,
        activity: Activity[Any, Any],
        wish: Any,
        *,
        within: timedelta = timedelta(minutes=10),
        attempt: timedelta | None = None,
        skip: str | None = None,
        parks: bool = True,
        given: Given | None = None,
        waiting: str = "",
    ) -> Any:
        """One line of the page, one span, one activity.

        `within` bounds all attempts together, `attempt` one of them (90 s unless said). A step that fails for good
        parks the run until a person has answered. `skip` says what follows from leaving the step out, and allows it:
        the result is None then. With `parks` off the run fails at once: right for wrong input, and nothing else.

        `given` says why the step may not be begun, or nothing: it is asked before every attempt, after each pause, and
        after each answer; what does not hold parks the step, and the world is not touched. `waiting` is what the line
        is called until the step has ended: a title is a fact, and not one yet.
        """
        await self._call_hooks("before", title)
        failing: Failing = "park" if parks and not self._landing else "fail"
        found = await self._step(
            title,
            activity,
            wish,
            within=within,
            attempt=attempt,
            skip=skip,
            failing=failing,
            given=given,
            waiting=waiting,
        )
        if found is not None:
            await self._call_hooks("after", title, found.finding)
        return found

    async def look(self, line: Line, activity: Activity[Asked, Found], wish: Asked, within: timedelta) -> Found:
        """A reading step whose line stands on the page already and is written anew each time."""
        found = await self._step(line.title, activity, wish, within=within, attempt=within, failing="park", line=line)
        assert found is not None  # noqa: S101  # it cannot be skipped
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

    async def agreed(self, request: RunbookRequest, planned: tuple[Intent, ...]) -> str:
        """The digest of what is planned now; the run list shows it.

        ApplicationError, with the difference, when the request names another plan.
        """
        found = digest(self._subject, planned)
        self._requester = (request.by or "").strip()
        workflow.upsert_search_attributes([attributes.PLAN.value_set(found)])
        if request.mode is Mode.PLAN:
            self._planned = plan_sentence(len(planned), found)
        if request.plan in (None, found):
            return found
        raise ApplicationError(
            f"the plan has changed: agreed was {request.plan}, now it is {found}. "
            + "; ".join(await differences(str(request.plan), planned)),
            type="PlanChanged",
            non_retryable=True,
        )

    def report(self, kind: type[Report], *, mode: Mode, planned: tuple[Intent, ...], **more: Any) -> Report:
        """The result of the run: what all reports say, and `more`."""
        return kind(
            cluster=self._cluster,
            mode=mode,
            seconds=self.record.elapsed.total_seconds(),
            planned=planned,
            digest=digest(self._subject, planned),
            changed=len(self.record.changes),
            skipped=tuple(self._skipped),
            notes=tuple(self._notes),
            approvals=tuple(self._audit),
            steps=tuple(self.record.steps()),
            **more,
        )

    # --- what it shows -----------------------------------------------------------------------------------------

    @workflow.query(name="page", description="The page of this run, as Markdown")
    def page(self) -> str:
        """The page as it stands."""
        return render(self.sheet())

    @workflow.query(name="sheet", description="What the page is made of, as data: nothing of it is cut")
    def sheet(self) -> Sheet:
        """What `quorate incident` shows."""
        changes, doubtful = self.record.changes, self.record.doubtful
        before = f"{len(changes)} changes, the last one {changes[-1]}" if changes else "nothing"
        if doubtful:
            before += f"; begun last: {doubtful[-1]}"
        return Sheet(
            headline=self._headline,
            now=self._now(),
            questions=tuple(parked.question for parked in self._parked),
            before=before,
            gate=self._question,
            notes=tuple(self._skipped + self._notes),
            sections=self.record.sections,
            links=self._links(),
        )

    @workflow.query(name="steps", description="All steps so far: title, state, finding, times")
    def steps(self) -> list[Section]:
        """The steps as data: what `quorate status` shows."""
        return self.record.sections

    def _now(self) -> str:
        if self._state == "done" and self.closing:
            return f"Done. {self.closing}"
        if self._state in ENDED:
            told = ended(self._state, list(self.record.steps()), len(self.record.changes), self._left, self._planned)
            return f"Failed: {self._cause.rstrip('.')}. {self._left} {told}" if self._state == "failed" else told
        questions = [parked.question for parked in self._parked]
        paused = self._paused.signed if self._paused else None
        if (gate := self._asking) is not None and not questions and not self._alarms and self._paused is None:
            return f"Waits for people: {gate.terms.title}: {gate.missing}."
        return going_on(
            self._condition(),
            self.under_way(),
            questions,
            changing=self._changing,
            paused=paused,
            asks=self.asks,
            idle=self.idle,
        )

    def _links(self) -> tuple[tuple[str, str], ...]:
        """Where to look and what to do next. A step that is tried again shows attempt and next try in the first."""
        here = f"{address(workflow.info().workflow_id)}/{workflow.info().run_id}"
        if self._state in ENDED:
            again = f"/namespaces/{workflow.info().namespace}/workflows/start-workflow"
            start = f"{again}?workflowType={workflow.info().workflow_type}&taskQueue={workflow.info().task_queue}"
            if workflow.info().workflow_id == self._subject:  # the form copies the input of that very procedure
                start += f"&workflowId={quote(self._subject, safe='')}"
            return (*self._more_links, ("History", f"{here}/history"), ("Start again", start))
        tries = (("Attempts and next tries", f"{here}/pending-activities"),) if self._running else ()
        return (*self._more_links, *tries, ("History", f"{here}/history"))

    def _tell(self) -> None:
        if self._state not in ENDED:
            state = self._condition()
            if state != self._state:
                self._state = state
                workflow.upsert_search_attributes([attributes.STATE.value_set(state)])
        workflow.set_current_details(self.page())

    def _condition(self) -> str:
        if self._ending:
            return "aborting"
        if self._asking is not None or self.asks or any(parked.answer is None for parked in self._parked):
            return "attention"
        return "paused" if self._paused is not None else "running"
