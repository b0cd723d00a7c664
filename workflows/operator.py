"""What a person can say to a run: answer, pause, resume, abort, note.

All are Updates with a validator: a slip is refused where it was made, with what to send instead, and leaves nothing
behind. `by` is a claim: Temporal's UI sends no identity. The texts under the messages stand in the UI's dialog.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.page import Question


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str | None = None
    why: str | None = None

    @property
    def signed(self) -> str:
        """Who and why, as far as it was said: `` by ana: array is being mended``."""
        return (f" by {self.by}" if self.by else "") + (f": {self.why}" if self.why else "")


class Pause(_Message):
    """``{"by": "ana", "why": "the array is being mended"}``, or nothing at all."""


class Resume(_Message):
    """``{"by": "ana"}``, or nothing at all."""


class Abort(_Message):
    """``{"by": "ana", "why": "wrong cluster"}``, or nothing at all."""


class Answer(_Message):
    """What to do about a parked step. Without `step` all parked steps are meant; to skip one it has to be named."""

    answer: Literal["retry", "skip", "abort"]
    step: str | None = None


class Note(BaseModel):
    """``{"text": "spare controller ordered", "by": "ana"}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    by: str | None = None


@dataclass(eq=False)
class Running:
    """An activity that runs now, for the step of that title; `stopped` once the engine asked it to stop."""

    handle: workflow.ActivityHandle[Any]
    changing: bool
    title: str = ""
    stopped: bool = False

    def stop(self) -> None:
        """Ask it to stop where nothing is half done."""
        self.stopped = True
        self.handle.cancel()


@dataclass(eq=False)
class Parked:
    """A question that is open, and its answer once there is one."""

    question: Question
    answer: Answer | None = field(default=None)


class Operated:
    """The part of a runbook that listens to people. Knows nothing of steps but that they run, wait and park."""

    def __init__(self) -> None:
        self._main: asyncio.Task[Any] | None = None
        self._running: list[Running] = []
        self._parked: list[Parked] = []
        self._paused: Pause | None = None
        self._abort: Abort | None = None
        self._left: str | None = None  # the condition in which an ended run left things
        self._closed = False  # the next run of its procedure may begin
        self._landing = False
        self._over = False  # nothing can be said to it any more
        self._notes: list[str] = []

    def _tell(self) -> None:
        """Show the changed state on the page and in the run list."""
        raise NotImplementedError

    @property
    def beyond(self) -> str:
        """What goes on outside although nothing more is begun here, in a sentence; a runbook may say its own."""
        return ""

    @property
    def _stopping(self) -> bool:
        """Aborted, or cancelled from outside; no longer so while the landing itself is at work."""
        return not self._landing and self._ending

    @property
    def _ending(self) -> bool:
        return self._abort is not None or workflow.cancellation_reason() is not None

    # --- pause and resume --------------------------------------------------------------------------------------

    @workflow.update(
        description='Begin nothing more until resumed; {"by": "ana", "why": "…"} or empty. '
        "A change that is under way comes to its end first; then it says so."
    )
    async def pause(self, order: Pause | None = None) -> str:
        """Acknowledged when no change is under way any more."""
        order = order or Pause()
        self._paused = order
        for running in self._running:
            if running.changing:
                running.stop()
        self._tell()
        await workflow.wait_condition(lambda: self._paused is not order or not self._changing)
        if self._paused is not order:
            return "resumed meanwhile"
        if self.beyond:
            return f"paused: nothing more is begun until resumed. {self.beyond}"
        return "paused: nothing is changed until resumed"

    @pause.validator
    def _may_pause(self, order: Pause | None = None) -> None:
        self._must_not_be_ending()
        if self._paused is not None:
            raise ApplicationError("it is paused already", type="NotNow")

    @workflow.update(description='Go on after a pause; {"by": "ana"} or empty')
    def resume(self, order: Resume | None = None) -> str:
        """Steps that were stopped begin again: they read first."""
        self._notes.append(f"resumed{order.signed if order else ''}")
        self._paused = None
        self._tell()
        return "resumed"

    @resume.validator
    def _may_resume(self, order: Resume | None = None) -> None:
        if self._paused is None:
            raise ApplicationError("it is not paused", type="NotNow")
        self._must_not_be_ending()

    @property
    def _changing(self) -> bool:
        return any(running.changing for running in self._running)

    # --- parked steps ------------------------------------------------------------------------------------------

    @workflow.update(
        description='Answer a parked step: {"answer": "retry"}, {"answer": "skip", "step": "…", "why": "…"} '
        'or {"answer": "abort"}; the page lists what can be skipped'
    )
    def answer(self, answer: Answer | None = None) -> str:
        """Recorded; the run goes on by itself."""
        if answer is None:
            raise AssertionError("the validator refuses an empty answer")
        if answer.answer == "abort":
            self._begin_abort(Abort(by=answer.by, why=answer.why))
            return "aborting"
        meant = self._meant(answer)
        for parked in meant:
            parked.answer = answer
        return f"{answer.answer}: {', '.join(parked.question.step for parked in meant)}"

    @answer.validator
    def _may_answer(self, answer: Answer | None = None) -> None:
        if answer is None:
            raise ApplicationError('say what to do, for example {"answer": "retry"}', type="NoAnswer")
        self._must_not_be_ending()
        open_ones = [parked.question.step for parked in self._parked if parked.answer is None]
        if not open_ones:
            raise ApplicationError("no step is parked: there is nothing to answer", type="NotNow")
        meant = self._meant(answer)
        if not meant:
            raise ApplicationError(
                f"step {answer.step!r} is not parked; parked: {', '.join(map(repr, open_ones))}", type="NoSuchStep"
            )
        if answer.answer == "skip":
            _may_skip(answer, [parked.question for parked in meant])

    def _meant(self, answer: Answer) -> list[Parked]:
        """The open questions that an answer is for; two steps may bear the same title."""
        return [one for one in self._parked if one.answer is None and answer.step in (None, one.question.step)]

    # --- abort -------------------------------------------------------------------------------------------------

    @workflow.update(
        description='End the run in its safe condition; {"by": "ana", "why": "…"} or empty. '
        "What is being changed comes to its end first; then it says how things were left."
    )
    async def abort(self, order: Abort | None = None) -> str:
        """Answered with the condition in which things were left."""
        closed_first = workflow.patched("answered-when-closed")
        self._begin_abort(order or Abort())
        await workflow.wait_condition(lambda: self._left is not None and (self._closed or not closed_first))
        return str(self._left)

    @abort.validator
    def _may_abort(self, order: Abort | None = None) -> None:
        self._must_not_be_ending()

    def _begin_abort(self, order: Abort) -> None:
        self._abort = order
        self._paused = None
        if self._main is not None:
            self._main.cancel()
        self._tell()

    def _must_not_be_ending(self) -> None:
        if self._over or self._ending:
            said = "it has come to its end" if self._over else "it is being ended already"
            raise ApplicationError(said, type="NotNow")

    # --- note --------------------------------------------------------------------------------------------------

    @workflow.update(description='Keep a remark with the run: {"text": "spare controller ordered", "by": "ana"}')
    def note(self, note: Note | None = None) -> str:
        """Shown on the page, kept in the report."""
        if note is None:
            raise AssertionError("the validator refuses an empty note")
        self._notes.append(f"{note.by or 'someone'}: {note.text}")
        self._tell()
        return "noted"

    @note.validator
    def _may_note(self, note: Note | None = None) -> None:
        if note is None or not note.text.strip():
            raise ApplicationError('say what to note, for example {"text": "spare controller ordered"}', type="NoText")


def _may_skip(answer: Answer, questions: list[Question]) -> None:
    if answer.step is None:
        raise ApplicationError('name the step to skip, for example {"answer": "skip", "step": "…"}', type="NoStep")
    if any(question.skip is None for question in questions):
        raise ApplicationError(
            f"step {answer.step!r} cannot be skipped: what follows needs it; answer retry or abort", type="Needed"
        )
    if not (answer.why or "").strip():
        raise ApplicationError('say why it is skipped, for example "why": "done by hand"', type="NoReason")
