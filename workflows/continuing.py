"""A run that lasts for days goes on as a new one when its history has grown long, and nobody notices.

What its page, report and people know goes along as one model (`workflows.carried`). The procedure begins again at its
part that was under way: a step that had ended returns what it found, one that was under way begins again on the same
line, and a question that is open stays open.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.contracts.reference import Activity
    from cluster.hooks import When
    from cluster.plan import Finding
    from workflows.carried import RunState
    from workflows.claim import Claim, taken_over
    from workflows.lasting import is_long
    from workflows.page import Question
    from workflows.record import Line
    from workflows.runbook import Runbook
    from workflows.steps import Found


async def ended(work: "asyncio.Future[Any]") -> None:
    """Cancelled where it goes on, and over."""
    if not work.done():
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


class Continuing(Runbook):
    """The part of a runbook that may go on as a new run."""

    def __init__(self) -> None:
        super().__init__()
        self._parts = 1  # of how many runs this is the last one
        self._claiming = False
        self._remembers = False  # steps settle for good, until the part of the procedure that does them has ended
        self._done: list[str] = []  # parts of the procedure that need not be done again
        self._settled: dict[str, Any] = {}  # what steps of the other parts have found
        # from an earlier run: what steps have found, lines that stand open, questions that nobody has answered
        self._known: dict[str, Any] = {}
        self._left_open: dict[str, Line] = {}
        self._unanswered: dict[str, Question] = {}

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def stays(self, work: Coroutine[Any, Any, None], next_request: Callable[[], Any]) -> None:
        """Do the work, for as long as it takes; when the history is long, continue as new with that request.

        The work has to begin again by itself at the part that is under way.
        """
        task = asyncio.ensure_future(work)
        try:
            await workflow.wait_condition(lambda: task.done() or is_long())
            if not task.done() and workflow.patched("continues-as-new"):
                await self._goes_on_as_new(task, next_request)
            await workflow.wait_condition(task.done)
        except asyncio.CancelledError:
            await ended(task)
            raise
        task.result()

    async def part(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """A part of the procedure that is not done again once it has ended."""
        if name in self._done:
            return
        await work()
        self._done.append(name)

    # --- before the end of this run ----------------------------------------------------------------------------

    async def eyes_closed(self) -> None:
        """The looking ends, and what it knows is kept; a runbook may have more to do."""

    def eyes_opened(self) -> None:
        """It goes on as it is after all: it looks again."""

    @property
    def begins_anew(self) -> tuple[str, ...]:
        """Titles of steps that may be cut short; of the others the end is waited for."""
        return ()

    @property
    def may_continue(self) -> bool:
        """Nothing is half done that could not be begun again; a runbook may have more to say."""
        return not (
            self._ending
            or self._over
            or self._claiming
            or any(one.changing or one.title not in self.begins_anew for one in self._running)
            or self._asking is not None
            or any(parked.answer is not None for parked in self._parked)
            or not workflow.all_handlers_finished()
        )

    async def _goes_on_as_new(self, task: "asyncio.Task[None]", next_request: Callable[[], Any]) -> None:
        while not task.done():
            await workflow.wait_condition(lambda: task.done() or self.may_continue)
            await self.eyes_closed()
            if self._held is not None:
                await self._held.signal(Claim.pass_on)
            if not task.done() and self.may_continue:
                self._continue(next_request())
            self.eyes_opened()

    def _continue(self, request: Any) -> NoReturn:
        # search attributes go along by themselves; a memo that was written later than at the start does not
        workflow.continue_as_new(request, memo=dict(workflow.memo()))

    def carries(self) -> RunState:
        """All that the next run has to know."""
        return RunState(**self._carried())

    def _carried(self) -> dict[str, Any]:
        return {
            "run_id": workflow.info().run_id,
            "at": workflow.now(),
            "parts": self._parts,
            "claimed": self._held is not None,
            "record": self.record.carries(),
            "headline": self._headline,
            "subject": self._subject,
            "notes": self._notes,
            "skipped": self._skipped,
            "hooks": self._hooks,
            "hooked": sorted(self._hooked),
            "links": self._more_links,
            "entered": self._entered,
            "paused": self._paused,
            "alarms": self._alarms,
            "questions": [*(parked.question for parked in self._parked), *self._unanswered.values()],
            "known": {**self._known, **self._settled},
            "done": self._done,
        }

    # --- in the next run ---------------------------------------------------------------------------------------

    def resumed_from(self, known: RunState) -> None:
        """Know all that the earlier run has known; nothing is asked of the world."""
        self._parts = known.parts + 1
        self._begun = True
        self.record.resumes(known.record)
        self._left_open = self.record.open_lines()
        self._headline, self._subject = known.headline, known.subject
        self._notes, self._skipped = [*known.notes, *self._notes], [*known.skipped]
        self._hooks, self._hooked = known.hooks, set(known.hooked)
        self._more_links, self._entered = list(known.links), known.entered
        self._paused, self._alarms = self._paused or known.paused, dict(known.alarms)
        self._unanswered = {one.step: one for one in known.questions}
        self._known, self._done = dict(known.known), list(known.done)
        self._tell()

    async def holds_again(self, known: RunState) -> None:
        """The id of the procedure, which the earlier run has passed on."""
        if not known.claimed:
            return
        self._claiming = True
        try:
            self._held = await taken_over(self._subject, self._headline, known.at)
        except ApplicationError as error:  # nobody was there for so long that another run has begun
            self._notes.append(f"{error.message}; this run goes on beside it")
        finally:
            self._claiming = False

    async def _step(self, title: str, activity: Activity[Any, Found], wish: Any, **more: Any) -> Found | None:
        """As every step; one of an earlier run is not done twice."""
        if more.get("line") is not None:
            return await super()._step(title, activity, wish, **more)
        if title in self._known:
            return _read(activity, self._known[title])
        if (line := self._left_open.pop(title, None)) is not None:
            more["line"] = line
            if (question := self._unanswered.pop(title, None)) and not await self._retried(line, question):
                self._settles(title, None)
                return None
        found = await super()._step(title, activity, wish, **more)
        self._settles(title, found)
        return found

    def _settles(self, title: str, found: Finding | None) -> None:
        if self._remembers:
            self._settled[title] = found.model_dump(mode="json") if found is not None else None

    def settled_all(self) -> None:
        """The part of the procedure whose steps are not done twice has ended."""
        self._remembers = False
        self._known.clear()
        self._settled.clear()

    def settles_anew(self, title: str) -> None:
        """A step of that title is done as often as it comes."""
        self._settled.pop(title, None)
        self._known.pop(title, None)

    async def _call_hooks(self, when: When, title: str, finding: str = "") -> None:
        """Each is called once, whichever of the runs has done so."""
        if title in self._known or (when == "before" and title in self._left_open):
            return
        await super()._call_hooks(when, title, finding)


def _read(activity: Activity[Any, Found], known: Any) -> Found | None:
    """A finding as its type; None of a step that was skipped."""
    if known is None:
        return None
    return activity.answers.model_validate(known)
