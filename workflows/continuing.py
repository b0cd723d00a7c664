"""A run that lasts for days goes on as a new one when its history has grown long, and nobody notices.

What its page, report and people know goes along as one model (`workflows.carried`). The procedure begins again at its
part that was under way; what its steps have found is remembered (`workflows.remembering`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, Protocol

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.carried import CarriedState
    from workflows.catalogue import RunbookRequest
    from workflows.claim import Claim, taken_over
    from workflows.gate import Gates
    from workflows.lasting import is_long
    from workflows.remembering import Remembering
    from workflows.state import RunState


async def ended(work: "asyncio.Future[Any]") -> None:
    """Cancelled where it goes on, and over."""
    if not work.done():
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


class Continues(Protocol):
    """What going on as a new run asks of the procedure itself."""

    @property
    def begins_anew(self) -> tuple[str, ...]:
        """Titles of steps that may be cut short; of the others the end is waited for."""

    @property
    def at_rest(self) -> bool:
        """Nothing is half done that could not be begun again."""

    async def rests(self) -> None:
        """The looking ends, and what it knows is kept."""

    def looks_on(self) -> None:
        """It goes on as it is after all: it looks again."""

    def carries(self) -> CarriedState:
        """All that the next run has to know."""


class Continuing:
    """The part of a run that may go on as a new one. `procedure` is what that run does."""

    def __init__(self, state: RunState, steps: Remembering, gates: Gates, procedure: Callable[[], Continues]) -> None:
        self.state, self._steps, self._gates, self._procedure = state, steps, gates, procedure
        self._parts = 1  # of how many runs this is the last one
        self._claiming = False
        self.done: list[str] = []  # parts of the procedure that need not be done again

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def stays(self, work: Coroutine[Any, Any, None], request: RunbookRequest) -> None:
        """Do the work, for as long as it takes; when the history is long, continue as new, with all that is carried.

        The work has to begin again by itself at the part that is under way.
        """
        task = asyncio.ensure_future(work)
        try:
            await workflow.wait_condition(lambda: task.done() or is_long())
            if not task.done() and workflow.patched("continues-as-new"):
                await self._goes_on_as_new(task, request)
            await workflow.wait_condition(task.done)
        except asyncio.CancelledError:
            await ended(task)
            raise
        task.result()

    async def part(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """A part of the procedure that is not done again once it has ended."""
        if name in self.done:
            return
        await work()
        self.done.append(name)

    # --- before the end of this run ----------------------------------------------------------------------------

    @property
    def _may_continue(self) -> bool:
        return self._procedure().at_rest and not (
            self.state.ending
            or self.state.over
            or self._claiming
            or any(one.changing or one.title not in self._procedure().begins_anew for one in self.state.running)
            or self._gates.asking is not None
            or any(parked.answer is not None for parked in self.state.parked)
            or not workflow.all_handlers_finished()
        )

    async def _goes_on_as_new(self, task: "asyncio.Task[None]", request: RunbookRequest) -> None:
        while not task.done():
            await workflow.wait_condition(lambda: task.done() or self._may_continue)
            await self._procedure().rests()
            if self.state.claim is not None:
                await self.state.claim.signal(Claim.pass_on)
            if not task.done() and self._may_continue:
                self._continue(request)
            self._procedure().looks_on()

    def _continue(self, request: RunbookRequest) -> NoReturn:
        state = self._procedure().carries().model_dump(mode="json", by_alias=True)
        # search attributes go along by themselves; a memo that was written later than at the start does not
        workflow.continue_as_new(request.model_copy(update={"carried": state}), memo=dict(workflow.memo()))

    def carries(self) -> dict[str, Any]:
        """What every run hands to the next one: the fields of `CarriedState`."""
        return {
            "run_id": workflow.info().run_id,
            "at": workflow.now(),
            "parts": self._parts,
            "claimed": self.state.claim is not None,
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
            "done": self.done,
            **self._steps.carries(),
        }

    # --- in the next run ---------------------------------------------------------------------------------------

    def resumes(self, known: CarriedState) -> None:
        """Know all that the earlier run has known; nothing is asked of the world."""
        self._parts, self.done = known.parts + 1, list(known.done)
        self.state.begun = True
        self.state.record.resumes(known.record)
        self._steps.resumes(known)
        self.state.headline, self.state.subject = known.headline, known.subject
        self.state.notes, self.state.skipped = [*known.notes, *self.state.notes], [*known.skipped]
        self.state.hooks, self.state.hooked = known.hooks, set(known.hooked)
        self.state.links, self.state.entered = list(known.links), known.entered
        self.state.paused, self.state.alarms = self.state.paused or known.paused, dict(known.alarms)
        self.state.tell()

    async def holds_again(self, known: CarriedState) -> None:
        """The id of the procedure, which the earlier run has passed on."""
        if not known.claimed:
            return
        self._claiming = True
        try:
            self.state.claim = await taken_over(self.state.subject, self.state.headline, known.at)
        except ApplicationError as error:  # nobody was there for so long that another run has begun
            self.state.notes.append(f"{error.message}; this run goes on without it")
        finally:
            self._claiming = False
