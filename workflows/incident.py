"""What runbooks of an incident have in common: they are told how the cluster changes, and they tell people.

An incident that nobody tells anything, because no watch runs, looks for itself until one does.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from cluster.advice import advice
    from cluster.around import Hook, Occasion
    from cluster.conditions import Condition
    from cluster.contracts import watch
    from cluster.contracts.reference import Activity
    from cluster.incidents import StockWish
    from cluster.memory import Memory
    from cluster.notices import Notice
    from cluster.plan import Finding
    from cluster.verdict import Verdict
    from cluster.watching import Change, Open, WatchWish, watch_id
    from workflows import attributes
    from workflows.answers import begun
    from workflows.carried import IncidentState, Repeated
    from workflows.continuing import Continuing
    from workflows.failures import reason
    from workflows.page import OPEN, Question, StepRecord
    from workflows.page import State as LineIs
    from workflows.steps import HEARTBEAT
    from workflows.telling import deliver

# What looks for as long as the incident lasts begins anew after this time.
LOOKS_FOR = timedelta(hours=12)
AGAIN = RetryPolicy(maximum_interval=timedelta(seconds=5))
# Before what was refused for good is asked for again: a person may have granted it meanwhile.
REFUSED_FOR = timedelta(seconds=30)
# Each time it is refused again the pause doubles up to this: a right that is missing for days fills no history.
REFUSED_AT_MOST = timedelta(minutes=15)
# What comes again and again has so many lines of its own; then its newest line says how often it came.
REPEATED = 5

Takes = TypeVar("Takes")
Result = TypeVar("Result", bound=Finding)


class Incident(Continuing):
    """A runbook that stays with an incident."""

    def __init__(self) -> None:
        super().__init__()
        self._changes = 0  # how often it was told of the cluster; only the newest word counts
        self._newest: Change | None = None
        self._read = 0
        self._from_watch = 0
        self._memory = Memory()
        self._asked: dict[str, str] = {}
        self._eyes: dict[asyncio.Task[None], None] = {}  # in the order in which they were opened
        self._telling: dict[asyncio.Task[None], Notice] = {}
        self._notices = 0
        self._repeated: dict[str, Repeated] = {}
        self._noted: dict[str, int] = {}
        self._asked_before: set[str] = set()  # parked steps of which an earlier run has told
        self._has_begun = False
        self._t0: datetime | None = None
        self._uncertain = timedelta()
        self._speed = 1.0

    async def begin(
        self,
        headline: str,
        cluster: str,
        hooks: tuple[Hook, ...] = (),
        *,
        place: str = "",
        where: tuple[str, ...] = (),
    ) -> None:
        """As every runbook; and its watch learns of it, whoever has started it. `where` is what it is about."""
        await super().begin(headline, cluster, hooks, place=place)
        self._has_begun = True
        await self.is_about(where)
        self.looks_on(self._whenever_unwatched())

    async def is_about(self, where: tuple[str, ...]) -> None:
        """Let the watch know, now and when it starts again, which site or nodes this incident is about."""
        workflow.upsert_memo({"where": list(where)})
        open_ = Open(run=workflow.info().workflow_id, key="", kind=workflow.info().workflow_type, where=where)
        watch = workflow.get_external_workflow_handle(watch_id(self.state.cluster))
        with contextlib.suppress(FailureError):  # no watch runs; one that starts finds it by its memo
            await watch.signal("began", open_)

    # --- the clock of the incident -----------------------------------------------------------------------------

    def starts_at(self, t0: datetime, first_sign: datetime, speed: float) -> None:
        """T0 is the last proof of life; the loss came at some time before the first sign of it."""
        self._t0, self._uncertain, self._speed = t0, max(first_sign - t0, timedelta()), speed
        self.state.record.began = t0

    def judged(self, verdict: Verdict) -> None:
        """Show in the run list what it is about."""
        workflow.upsert_search_attributes([attributes.VERDICT.value_set(verdict.kind)])

    def since(self, when: datetime) -> float:
        """Seconds of the cluster's own time between T0 and then."""
        return round((when - (self._t0 or when)).total_seconds() * self._speed, 1)

    @property
    def speed(self) -> float:
        """How much faster than the clock the cluster's own time runs."""
        return self._speed

    @property
    def now(self) -> float:
        """T+ in seconds of the cluster's own time."""
        return self.since(workflow.now())

    # --- what it is told ---------------------------------------------------------------------------------------

    @workflow.signal(description="The cluster looks different now: said by its watch")
    async def changed(self, change: Change) -> None:
        """Kept for whoever waits; what is worse is on the page at once."""
        self._from_watch += 1
        await self._hear(change)

    async def _hear(self, change: Change) -> None:
        self._changes += 1
        self._newest = change
        if not self.state.over:
            await self.heed(change)
            self.judged(change.verdict)
            self.tell()

    async def heed(self, change: Change) -> None:
        """What a new verdict means for this incident, at once."""

    async def next_change(self) -> Change:
        """The newest verdict that has not been read yet, also one that came before anybody waited for it."""
        await workflow.wait_condition(lambda: self._changes > self._read)
        self._read = self._changes
        assert self._newest is not None  # noqa: S101  # it was told so often
        return self._newest

    # --- what it looks at by itself ----------------------------------------------------------------------------

    def looks_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside the procedure, until the incident closes: neither a pause nor a parked step stops the eyes."""
        task = asyncio.create_task(work)
        self._eyes[task] = None
        task.add_done_callback(lambda over: self._eyes.pop(over, None))

    async def seen_by(self, title: str, activity: Activity[Takes, Result], wish: Takes) -> Result:
        """What a long look has found. It is begun anew whatever it dies of; what was refused is told and asked again.

        `title` is what the line is called, and the UI's name for the activity.
        """
        found = await self.seen_until(title, activity, wish)
        assert found is not None  # noqa: S101  # nothing cuts it short
        return found

    async def seen_until(
        self,
        title: str,
        activity: Activity[Takes, Result],
        wish: Takes,
        cut: Callable[[], bool] | None = None,
        *,
        tells: bool = False,
    ) -> Result | None:
        """The same, and None as soon as the look is `cut` short. One that `tells` says first what it has seen."""
        pause = REFUSED_FOR
        while True:
            self.state.activities += 1
            looking = begun(
                activity,
                wish,
                activity_id=f"{self.state.activities} {title}"[:200],
                summary=title[:100],
                start_to_close_timeout=LOOKS_FOR,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=AGAIN,
                cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
                if tells
                else ActivityCancellationType.TRY_CANCEL,
            )
            try:
                if cut is not None and await self._cut_short(looking, cut):
                    return await looking if tells else None
                found = await looking
            except ActivityError as error:
                if cut is not None and cut():
                    return None
                if is_cancelled_exception(error):
                    raise asyncio.CancelledError from None
                word, message = reason(error)
                self.note_once(f"{title}: {word}: {message}")
                await asyncio.sleep(pause.total_seconds())
                pause = min(2 * pause, REFUSED_AT_MOST)
            else:
                return found

    async def _cut_short(self, looking: workflow.ActivityHandle[Any], cut: Callable[[], bool]) -> bool:
        try:
            await workflow.wait_condition(lambda: looking.done() or cut())
        except asyncio.CancelledError:
            looking.add_done_callback(lambda over: over.cancelled() or over.exception())
            looking.cancel()
            raise
        if looking.done():
            return False
        looking.cancel()
        return True

    async def _whenever_unwatched(self) -> None:
        """No watch runs: look at the cluster until one has told something."""
        while True:
            heard = self._from_watch
            await self.seen_by(
                "Waiting for the watch to be gone", watch.unwatched, StockWish(cluster=self.state.cluster)
            )
            self.note_once(f"no watch of {self.state.cluster} runs: this incident looks for itself")
            known = ""
            while self._from_watch == heard:
                known = await self._looked(known, heard)
            self.state.notes.append(f"{self.state.cluster} is watched again")

    async def _looked(self, known: str, heard: int) -> str:
        """One look of its own; the key of what was found. It is cut short by the first word of a watch."""
        looking = begun(
            watch.look,
            WatchWish(cluster=self.state.cluster, memory=self._memory, known=known, urgent=not known),
            summary="until there is something new",
            start_to_close_timeout=LOOKS_FOR,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=AGAIN,
        )
        try:
            await workflow.wait_condition(lambda: looking.done() or self._from_watch != heard)
        finally:
            if not looking.done():
                looking.cancel()
        try:
            seen = await looking
        except ActivityError as error:
            if is_cancelled_exception(error) and self._from_watch == heard:
                raise asyncio.CancelledError from None
            if self._from_watch == heard:
                await asyncio.sleep(REFUSED_FOR.total_seconds())
            return known
        self._memory = seen.memory
        if seen.new and self._from_watch == heard:
            await self._hear(Change(verdict=seen.verdict, at=seen.at))
        return seen.verdict.key if seen.new else known

    def note_once(self, text: str) -> None:
        """A remark that stays on the page and in the report."""
        if text not in self.state.notes:
            self.state.notes.append(text)
            self.tell()

    def unnote(self, text: str) -> None:
        """That remark is of yesterday; whoever takes it back says what has come of it."""
        self.state.notes = [note for note in self.state.notes if note != text]

    def note_again(self, about: str, text: str) -> None:
        """A remark of the same kind as earlier ones: the first stand for themselves, the newest says how often."""
        times = self._noted[about] = self._noted.get(about, 0) + 1
        last = next(
            (n for n in range(len(self.state.notes) - 1, -1, -1) if self.state.notes[n].startswith(f"{about}: ")), None
        )
        if times <= REPEATED or last is None:
            self.state.notes.append(f"{about}: {text}")
        else:
            self.state.notes[last] = f"{about}: {text} (no. {times})"
        self.tell()

    def line_again(self, title: str, state: LineIs, said: str) -> None:
        """A line that may come any number of times: from the sixth on the newest is written anew, with how often."""
        known = self._repeated.get(title)
        times = known.times + 1 if known else 1
        if known is None or times <= REPEATED:
            line = self.state.record.line(title)
        else:
            line, said = self.state.record.at(known.place), f"{said} (no. {times})"
        line.end(state, said, self.state.record.elapsed)
        self._repeated[title] = Repeated(times=times, place=self.state.record.place(line))

    # --- what is asked of people -------------------------------------------------------------------------------

    @property
    def asks(self) -> tuple[str, ...]:
        """What a person has to do now, though no step has parked; the newest first."""
        return (*reversed(self._asked.values()), *super().asks)

    def ask(self, about: str, what: str, *, quietly: bool = False) -> None:
        """A person has to act: said on the first line and in the run list, and in a notice unless one says it."""
        new = about not in self._asked
        self._asked[about] = what
        self.tell()
        if new and not quietly:
            self.tell_people("asked", f"Action needed: {self.state.headline}", what)

    def is_on_record(self) -> None:
        """The ledger counts it as open: it is told when this run leaves."""
        self.state.entered = True

    def done_with(self, about: str) -> None:
        """That is not asked any more."""
        if self._asked.pop(about, None) is not None:
            self.tell()

    def explain_again(self, title: str, found: Sequence[Condition], *, folds: bool = True) -> None:
        """A section that may come any number of times: from the sixth on a line says how often it came."""
        times = self._noted[f"section {title}"] = self._noted.get(f"section {title}", 0) + 1
        if times > REPEATED:
            self.line_again(title, "warned", "; ".join(reason for one in found for reason in one.reasons[:1]))
            return
        self.section(title, folds=folds)
        for condition in found:
            self.explain(condition)

    def explain(self, condition: Condition) -> None:
        """Lines of the page: what is so, what happens by itself, what to do. Advice is no step and bears no tick."""
        told, at = advice(condition), self.state.record.elapsed
        for said in condition.reasons[:4]:
            self.state.record.line("Evidence").end("told", said, at)
        for unless in condition.unless[:1]:
            self.state.record.line("Revised if").end("told", unless, at)
        self.state.record.line("Automatic").end("told", told.alone, at)
        for number, one in enumerate(told.do, start=1):
            self.state.record.line(f"Action {number}").end("warned", one, at)
        if told.never:
            self.state.record.line("Do not").end("warned", told.never, at)

    def under_way(self) -> list[StepRecord]:
        """Everything that is waited for: an older section may wait while a newer one goes on."""
        return [step for section in self.state.record.sections for step in section.steps if step.state in OPEN]

    # --- whom it tells -----------------------------------------------------------------------------------------

    def tell_people(self, occasion: Occasion, title: str, text: str) -> None:
        """Send a notice; the run does not wait for it."""
        self._notices += 1
        notice = Notice(
            key=f"{workflow.info().workflow_id}/{self._notices}",
            occasion=occasion,
            cluster=self.state.cluster,
            incident=workflow.info().workflow_id,
            title=title[:200],
            text=text[:1000],
            at=workflow.now(),
        )
        self._send(notice)

    def _send(self, notice: Notice) -> None:
        task = asyncio.create_task(self._told(notice))
        self._telling[task] = notice
        task.add_done_callback(lambda over: self._telling.pop(over, None))

    async def _told(self, notice: Notice) -> None:
        try:
            await deliver(notice, f"{notice.occasion}: {notice.title}")
        except ActivityError as error:
            word, message = reason(error)
            self.state.notes.append(f"notice {notice.occasion} was not delivered: {word}: {message}")

    async def close(self, state: str) -> None:
        """Whatever the end: the next incident may begin at once, the watch knows, and people are told."""
        for eye in tuple(self._eyes):
            eye.cancel()
        await asyncio.gather(*self._eyes, return_exceptions=True)
        await super().close(state)
        if not self._has_begun:  # another run has its claim: nothing has begun and nothing is over
            return
        watch = workflow.get_external_workflow_handle(watch_id(self.state.cluster))
        with contextlib.suppress(FailureError):  # no watch runs
            await watch.signal("closed", workflow.info().workflow_id)
        self.tell_people("closed", f"{self.state.headline}: {state}", f"T+{self.now:.0f} s. {self.closing}")
        await asyncio.gather(*self._telling, return_exceptions=True)
        self.tell()

    @property
    def closing(self) -> str:
        """What is said when it is over."""
        return ""

    def parks(self, question: Question) -> None:
        """A step that parks in an incident waits for a person who may be asleep: it is told, once for each time."""
        if question.step not in self._asked_before and workflow.patched("told-when-parked"):
            skip = f" It can be skipped: {question.skip}." if question.skip else ""
            said = f"{question.step} did not succeed: {question.word}: {question.message}.{skip} Answer retry or abort."
            self.tell_people("asked", f"Action needed: {self.state.headline}", said)
        self._asked_before.discard(question.step)

    # --- it goes on as a new run -------------------------------------------------------------------------------

    def _carried(self) -> dict[str, Any]:
        return super()._carried() | {
            "changes": self._changes,
            "read": self._read,
            "from_watch": self._from_watch,
            "newest": self._newest,
            "memory": self._memory,
            "asked": self._asked,
            "untold": tuple(self._telling.values()),
            "notices": self._notices,
            "repeated": self._repeated,
            "noted": self._noted,
            "t0": self._t0,
            "uncertain": self._uncertain,
            "speed": self._speed,
        }

    def resumes(self, known: IncidentState) -> None:
        """Go on where the earlier run was: the eyes open again, and what it could not tell is told."""
        self._has_begun = True
        # a word of the watch may have been taken before the first line of this run
        self._changes += known.changes
        self._read, self._from_watch = known.read, self._from_watch + known.from_watch
        self._newest = self._newest or known.newest
        self._memory, self._asked = known.memory, dict(known.asked)
        self._notices += known.notices
        self._repeated, self._noted = dict(known.repeated), dict(known.noted)
        self._t0, self._uncertain, self._speed = known.t0, known.uncertain, known.speed
        self._asked_before = {one.step for one in known.questions}
        self.resumed_from(known)
        for notice in known.untold:
            self._send(notice)
        self.looks_on(self.holds_again(known))
        self.looks_on(self._whenever_unwatched())
