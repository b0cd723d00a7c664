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
    from workflows.carried import CarriedState
    from workflows.claim import Claim, taken_over
    from workflows.lasting import is_long
    from workflows.page import Question
    from workflows.record import Line
    from workflows.runbook import Runbook
    from workflows.state import RunState
    from workflows.steps import Found, Steps


async def ended(work: "asyncio.Future[Any]") -> None:
    """Cancelled where it goes on, and over."""
    if not work.done():
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


class Remembering(Steps):
    """The part that does steps, of a run that goes on as a new one: a step that had ended is not done twice."""

    def __init__(self, state: RunState, name: str, parks: Callable[[Question], None]) -> None:
        super().__init__(state, name, parks)
        self.remembers = False  # steps settle for good, until the part of the procedure that does them has ended
        self.settled: dict[str, Any] = {}  # what steps of the other parts have found
        # from an earlier run: what steps have found, lines that stand open, questions that nobody has answered
        self.known: dict[str, Any] = {}
        self.left_open: dict[str, Line] = {}
        self.unanswered: dict[str, Question] = {}

    async def do(self, title: str, activity: Activity[Any, Found], wish: Any, **more: Any) -> Found | None:
        """As every step; one of an earlier run is not done twice."""
        if more.get("line") is not None:
            return await super().do(title, activity, wish, **more)
        if title in self.known:
            return _read(activity, self.known[title])
        if (line := self.left_open.pop(title, None)) is not None:
            more["line"] = line
            if (question := self.unanswered.pop(title, None)) and not await self.answered(line, question):
                self._settles(title, None)
                return None
        found = await super().do(title, activity, wish, **more)
        self._settles(title, found)
        return found

    def _settles(self, title: str, found: Finding | None) -> None:
        if self.remembers:
            self.settled[title] = found.model_dump(mode="json") if found is not None else None

    async def call_hooks(self, when: When, title: str, finding: str = "") -> None:
        """Each is called once, whichever of the runs has done so."""
        if title in self.known or (when == "before" and title in self.left_open):
            return
        await super().call_hooks(when, title, finding)

    def settled_all(self) -> None:
        """The part of the procedure whose steps are not done twice has ended."""
        self.remembers = False
        self.known.clear()
        self.settled.clear()

    def settles_anew(self, title: str) -> None:
        """A step of that title is done as often as it comes."""
        self.settled.pop(title, None)
        self.known.pop(title, None)


def _read(activity: Activity[Any, Found], known: Any) -> Found | None:
    """A finding as its type; None of a step that was skipped."""
    if known is None:
        return None
    return activity.answers.model_validate(known)


class Continuing(Runbook):
    """The part of a runbook that may go on as a new run."""

    steps: Remembering

    def __init__(self) -> None:
        super().__init__()
        self._parts = 1  # of how many runs this is the last one
        self._claiming = False
        self._done: list[str] = []  # parts of the procedure that need not be done again

    def does_steps(self) -> Remembering:
        """One that remembers."""
        return Remembering(self.state, self.about.name, self.parks)

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
            self.state.ending
            or self.state.over
            or self._claiming
            or any(one.changing or one.title not in self.begins_anew for one in self.state.running)
            or self.gates.asking is not None
            or any(parked.answer is not None for parked in self.state.parked)
            or not workflow.all_handlers_finished()
        )

    async def _goes_on_as_new(self, task: "asyncio.Task[None]", next_request: Callable[[], Any]) -> None:
        while not task.done():
            await workflow.wait_condition(lambda: task.done() or self.may_continue)
            await self.eyes_closed()
            if self._claim is not None:
                await self._claim.signal(Claim.pass_on)
            if not task.done() and self.may_continue:
                self._continue(next_request())
            self.eyes_opened()

    def _continue(self, request: Any) -> NoReturn:
        # search attributes go along by themselves; a memo that was written later than at the start does not
        workflow.continue_as_new(request, memo=dict(workflow.memo()))

    def carries(self) -> CarriedState:
        """All that the next run has to know."""
        return CarriedState(**self._carried())

    def _carried(self) -> dict[str, Any]:
        return {
            "run_id": workflow.info().run_id,
            "at": workflow.now(),
            "parts": self._parts,
            "claimed": self._claim is not None,
            "record": self.state.record.carries(),
            "headline": self.state.headline,
            "subject": self.state.subject,
            "notes": self.state.notes,
            "skipped": self.state.skipped,
            "hooks": self.state.hooks,
            "hooked": sorted(self.state.hooked),
            "links": self.state.links,
            "entered": self.state.entered,
            "paused": self.state.paused,
            "alarms": self.state.alarms,
            "questions": [*(parked.question for parked in self.state.parked), *self.steps.unanswered.values()],
            "known": {**self.steps.known, **self.steps.settled},
            "done": self._done,
        }

    # --- in the next run ---------------------------------------------------------------------------------------

    def resumed_from(self, known: CarriedState) -> None:
        """Know all that the earlier run has known; nothing is asked of the world."""
        self._parts = known.parts + 1
        self.state.begun = True
        self.state.record.resumes(known.record)
        self.steps.left_open = self.state.record.open_lines()
        self.state.headline, self.state.subject = known.headline, known.subject
        self.state.notes, self.state.skipped = [*known.notes, *self.state.notes], [*known.skipped]
        self.state.hooks, self.state.hooked = known.hooks, set(known.hooked)
        self.state.links, self.state.entered = list(known.links), known.entered
        self.state.paused, self.state.alarms = self.state.paused or known.paused, dict(known.alarms)
        self.steps.unanswered = {one.step: one for one in known.questions}
        self.steps.known, self._done = dict(known.known), list(known.done)
        self.tell()

    async def holds_again(self, known: CarriedState) -> None:
        """The id of the procedure, which the earlier run has passed on."""
        if not known.claimed:
            return
        self._claiming = True
        try:
            self._claim = await taken_over(self.state.subject, self.state.headline, known.at)
        except ApplicationError as error:  # nobody was there for so long that another run has begun
            self.state.notes.append(f"{error.message}; this run goes on beside it")
        finally:
            self._claiming = False
