"""How one step is done: an activity with its hooks; tried, stopped, begun again, parked, skipped."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Literal, TypeVar

from opentelemetry.util.types import AttributeValue
from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as StepTimeout
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from cluster.around import Hook
    from cluster.contracts import people
    from cluster.contracts.reference import Activity
    from cluster.contracts.words import NEVER_RETRIED
    from cluster.hooks import HookCall, HooksCheck, When, due
    from cluster.metrics import PARKED
    from cluster.plan import Earlier, Finding, Made, Mode, Wish
    from workflows import spans
    from workflows.answers import Undecodable, name_of, read
    from workflows.failures import again_in, made_by, may_pass, reason, told_by
    from workflows.meters import stepping, tell
    from workflows.page import Question
    from workflows.record import Line
    from workflows.state import Parked, Running, RunState

# One attempt of an ordinary step: above every limit inside it (an API call 40 s, a host command 60 s).
ATTEMPT = timedelta(seconds=90)
# The worker beats for every activity it runs (workers.worker.pulse), so this is how soon a dead worker is noticed.
HEARTBEAT = timedelta(seconds=10)

RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=1.7,
    maximum_interval=timedelta(seconds=15),
    non_retryable_error_types=NEVER_RETRIED,
)

# The same for a step that has preconditions: Temporal tries once, and the engine asks them before it tries again.
ONCE = RetryPolicy(maximum_attempts=1, non_retryable_error_types=NEVER_RETRIED)
FIRST_PAUSE, LONGEST_PAUSE, LONGER = 0.5, 15.0, 1.7
# A precondition is looked at within this time, or it does not hold.
ASKED_WITHIN = timedelta(minutes=2)
# What has waited longer for a worker is not begun on what its preconditions said then: they are asked again.
STARTED_WITHIN = timedelta(minutes=2)

Failing = Literal["park", "fail", "warn"]
Found = TypeVar("Found", bound=Finding)
Takes = TypeVar("Takes")
Answers = TypeVar("Answers")
# Why a step may not be begun now, in words; empty when it may. Asked before every attempt of the step.
Given = Callable[[], Awaitable[str]]


class Withheld(Exception):
    """A precondition does not hold: the step was not begun."""


class Steps:
    """The part of a run that does steps and keeps the record of them. `name` is that of the procedure.

    `parks` is told of each question before a person is waited for.
    """

    def __init__(self, state: RunState, name: str, parks: Callable[[Question], None] = lambda _: None) -> None:
        self.state, self.name, self._parks = state, name, parks

    async def use_hooks(self, hooks: tuple[Hook, ...]) -> None:
        """Call these hooks from now on, once it is sure that the worker may."""
        ours = tuple(hook for hook in hooks if hook.runbook in (None, self.name))
        if ours:
            check = HooksCheck(mode=Mode.PLAN, hooks=ours)
            await self.do("Hooks may be called", people.check_hooks, check, failing="park")
        self.state.hooks = ours

    async def do(
        self,
        title: str,
        activity: Activity[Any, Found],
        wish: Any,
        *,
        within: timedelta = timedelta(minutes=10),
        attempt: timedelta | None = None,
        skip: str | None = None,
        failing: Failing,
        line: Line | None = None,
        given: Given | None = None,
        waiting: str = "",
    ) -> Found | None:
        """The step without its hooks. None when it was skipped, or failed and only a warning is due.

        `line` is one that stands on the page already: what is looked at again and again needs no more than one.
        """
        fresh = line is None or line.is_open
        if line is None:
            line = self.state.record.line(title, waiting)
        else:
            line.set("running", line.said)
        line.in_trace = True
        self.state.tell()
        options = {
            "summary": title[:100],
            "start_to_close_timeout": min(attempt or ATTEMPT, within),
            "schedule_to_close_timeout": within,
            "schedule_to_start_timeout": STARTED_WITHIN if given else None,
            "heartbeat_timeout": HEARTBEAT,
            "retry_policy": ONCE if given else RETRY,
        }
        with stepping(self.name, line, counts=fresh), spans.span(title, self._about(wish)) as span:
            try:
                return await self._done(title, line, activity, wish, options, failing, skip, given)
            finally:
                span.set_attributes(line.about)

    def _about(self, wish: Any) -> dict[str, AttributeValue]:
        """What a step's span says from its beginning."""
        mode = {"quorate.mode": str(wish.mode)} if isinstance(wish, Wish) else {}
        section = self.state.record.sections[-1].title
        return {
            "quorate.runbook": self.name,
            "quorate.cluster": self.state.cluster,
            "quorate.section": section,
            **mode,
        }

    async def _done(
        self,
        title: str,
        line: Line,
        activity: Activity[Any, Found],
        wish: Any,
        options: dict[str, Any],
        failing: Failing,
        skip: str | None,
        given: Given | None,
    ) -> Found | None:
        """Until it has come to an end, or a person has answered that it shall be left out."""
        while True:
            try:
                found = await self._attempted(line, activity, _kept(wish, line), options, given)
            except (ActivityError, Withheld, Undecodable) as error:
                word, message = _met(line, error)
                if self.state.stopping:
                    line.end("stopped", "stopped before its end", self.state.record.elapsed)
                    raise asyncio.CancelledError from None
                if failing == "warn":
                    line.end("warned", f"{word}: {message}", self.state.record.elapsed)
                    return None
                if failing == "fail" or is_cancelled_exception(error):
                    line.end("failed", f"{word}: {message}", self.state.record.elapsed)
                    raise ApplicationError(f"{title}: {word}: {message}", type=word, non_retryable=True) from error
                if not await self.answered(line, Question(step=title, word=word, message=message, skip=skip)):
                    return None
            except asyncio.CancelledError:
                line.end("stopped", "stopped before its end", self.state.record.elapsed)
                raise
            else:
                found = line.found(found, self.state.record.elapsed)
                self.state.tell()
                self.state.stop_if_asked()
                return found

    async def call_hooks(self, when: When, title: str, finding: str = "") -> None:
        """What the inventory puts before or after this step; nothing in a rehearsal."""
        if (
            self.state.landing
            or not self.state.hooks
            or (self.state.record.sections and self.state.record.sections[-1].rehearsal)
        ):
            return
        for hook in due(self.state.hooks, self.name, when, title):
            self.state.hooked.add(hook.name)
            call = HookCall(
                mode=Mode.APPLY,
                hook=hook,
                when=when,
                step=title,
                finding=finding,
                cluster=self.state.cluster,
                runbook=self.name,
                run=workflow.info().workflow_id,
                key=f"{workflow.info().run_id}/{self.state.activities + 1}",
            )
            # above the hook's own limit, so that the program is ended by who started it
            limit = hook.timeout + HEARTBEAT
            await self.do(
                f"Hook {hook.name} {when} {title}",
                people.call_hook,
                call,
                within=limit * 3,
                attempt=limit,
                skip="the step goes on without this hook",
                failing=hook.on_failure,
            )

    async def _attempted(
        self,
        line: Line,
        activity: Activity[Any, Found],
        wish: Any,
        options: dict[str, Any],
        given: Given | None,
    ) -> Found:
        """One activity; begun again when a pause stopped it. Withheld when a precondition fails.

        A step with preconditions is tried again here and not by Temporal, so that they are asked before each attempt.
        What an attempt has told and changed goes with the next one; waiting for people does not count as its time.
        """
        changing = isinstance(wish, Wish) and wish.mode is Mode.APPLY
        kind = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED if changing else ActivityCancellationType.TRY_CANCEL
        left, pause = options["schedule_to_close_timeout"], FIRST_PAUSE
        while True:
            await self._may_begin(line, given)
            began = workflow.now()
            self.state.activities += 1
            # The id is what the UI and the command line show of an activity that is tried again.
            name = f"{self.state.activities} {line.title}"[:200]
            limits = {
                "schedule_to_close_timeout": left,
                "start_to_close_timeout": min(options["start_to_close_timeout"], left),
                "result_type": RawValue,
            }
            handle = workflow.start_activity(
                name_of(activity), args=[wish], activity_id=name, cancellation_type=kind, **(options | limits)
            )
            running = Running(handle, changing, line.title)
            self.state.running.append(running)
            try:
                return read(activity, await running.handle)
            except ActivityError as error:
                wish = _carried(wish, error)
                if running.stopped and not self.state.ending:
                    line.made(made_by(error))
                    continue
                left -= workflow.now() - began
                if given is None or self.state.ending or not may_pass(error) or left <= timedelta(seconds=pause):
                    raise
                line.made(made_by(error))
                line.set("running", "tried again: {}: {}".format(*reason(error)))
                rest = max(timedelta(seconds=pause), min(again_in(error) or timedelta(), left))
            finally:
                self.state.running.remove(running)
            self.state.tell()
            await asyncio.sleep(rest.total_seconds())
            left -= rest
            pause = min(pause * LONGER, LONGEST_PAUSE)

    async def _may_begin(self, line: Line, given: Given | None) -> None:
        """Not while the run is paused, and not while a precondition fails: asked again after each pause."""
        while True:
            self.state.stop_if_asked()
            if self.state.paused is not None and not self.state.landing:
                line.set("waiting", "waits: the run is paused")
                await self.state.resumed()
                line.set("running")
                self.state.stop_if_asked()
            if given is None or self.state.landing:
                return
            try:
                why = await given()
            except ActivityError as error:  # what cannot be known does not hold
                why = "not known whether it may begin: {}: {}".format(*reason(error))
            # a look takes a while: a pause or an abort may have come meanwhile
            self.state.stop_if_asked()
            if why:
                raise Withheld(why)
            if self.state.paused is None:
                return

    async def learn(
        self,
        activity: Activity[Takes, Answers],
        wish: Takes,
        *,
        within: timedelta = ASKED_WITHIN,
        attempt: timedelta = ATTEMPT,
    ) -> Answers:
        """A look that has no line on the page: what a precondition reads. ActivityError when nothing can be learned."""
        raw = await workflow.execute_activity(
            name_of(activity),
            wish,
            result_type=RawValue,
            summary=activity.name,
            start_to_close_timeout=min(attempt, within),
            schedule_to_close_timeout=within,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
        )
        return read(activity, raw)

    async def answered(self, line: Line, question: Question) -> bool:
        """Park until a person has answered: true to try again, false to go on without the step."""
        self._parks(question)
        tell(PARKED, runbook=self.name, word=question.word)
        parked = Parked(question)
        self.state.parked.append(parked)
        line.park(f"{question.word}: {question.message}", self.state.record.elapsed)
        self.state.tell()
        asked = {"quorate.waits_for": "people", "quorate.word": question.word}
        with spans.span("Waiting for an answer", asked | {"quorate.asked": question.message[: spans.LETTERS]}) as span:
            try:
                await workflow.wait_condition(lambda: parked.answer is not None)
            except asyncio.CancelledError:
                line.end("stopped", f"{question.word}: {question.message}", self.state.record.elapsed)
                raise
            finally:
                self.state.parked.remove(parked)
            answer = parked.answer
            if answer is not None:
                said = {"quorate.answer": answer.answer, "quorate.by": answer.by or "", "quorate.why": answer.why or ""}
                span.set_attributes({key: value for key, value in said.items() if value})
        if answer is None or answer.answer == "retry":
            self.state.notes.append(f"retried {question.step}{answer.signed if answer else ''}")
            line.goes_on()
        else:
            self.state.skipped.append(f"{question.step}: {question.skip} (skipped{answer.signed})")
            line.end("skipped", f"skipped{answer.signed}; {question.skip}", self.state.record.elapsed)
        self.state.tell()
        return answer is None or answer.answer == "retry"


def _met(line: Line, error: ActivityError | Withheld | Undecodable) -> tuple[str, str]:
    """What stood in the way, word and sentence; what was changed before is kept with the line."""
    if isinstance(error, ActivityError):
        line.made(made_by(error))
        return reason(error)
    return "Held" if isinstance(error, Withheld) else "Undecodable", str(error)


def _carried(wish: Any, error: ActivityError) -> Any:
    """The same request for the next attempt, with what this one has left; nothing after a final word."""
    if not isinstance(wish, Wish):
        return wish
    made, told = made_by(error), told_by(error)
    if isinstance(error.cause, StepTimeout) and made == Made() and told is None:  # it was never begun
        made, told = wish.earlier.made, wish.earlier.told
    earlier = Earlier(attempts=wish.earlier.attempts + 1, made=made, told=told, kept=wish.earlier.kept)
    return wish.model_copy(update={"earlier": earlier})


def _kept(wish: Any, line: Line) -> Any:
    """The same request when a person has answered `retry`, with what the step has begun before."""
    if not isinstance(wish, Wish) or not line.begun:
        return wish
    return wish.model_copy(update={"earlier": wish.earlier.model_copy(update={"kept": line.begun})})
