"""What a person can say to a run, and what becomes of it: answer, pause, resume, abort, note.

A slip is refused where it was made, with what to send instead, and leaves nothing behind. The messages themselves are
Updates of `workflows.runbook`; this part knows nothing of steps but that they run, wait and park.
"""

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows import spans
    from workflows.messages import Abort, Answer, Note, Pause, Resume
    from workflows.page import Question
    from workflows.state import Parked, RunState


class People:
    """The part of a run that listens to people. `beyond` says what goes on outside though nothing more is begun."""

    def __init__(self, state: RunState, beyond: Callable[[], str]) -> None:
        self.state, self._beyond = state, beyond

    # --- pause and resume --------------------------------------------------------------------------------------

    async def pause(self, order: Pause | None = None) -> str:
        """Acknowledged when no change is under way any more."""
        order = order or Pause()
        self.state.paused = order
        spans.event("paused", {"quorate.by": order.by or "", "quorate.why": order.why or ""})
        for running in self.state.running:
            if running.changing:
                running.stop()
        self.state.tell()
        await workflow.wait_condition(lambda: self.state.paused is not order or not self.state.changing)
        if self.state.paused is not order:
            return "resumed meanwhile"
        if beyond := self._beyond():
            return f"paused: nothing more is begun until resumed. {beyond}"
        return "paused: nothing is changed until resumed"

    def may_pause(self, order: Pause | None = None) -> None:
        """Refused while it is paused, or ends."""
        self._must_not_be_ending()
        if self.state.paused is not None:
            raise ApplicationError("the run is paused already", type="NotNow")

    def resume(self, order: Resume | None = None) -> str:
        """Steps that were stopped begin again: they read first."""
        self.state.notes.append(f"resumed{order.signed if order else ''}")
        self.state.paused = None
        spans.event("resumed", {"quorate.by": (order.by if order else None) or ""})
        self.state.tell()
        return "resumed"

    def may_resume(self, order: Resume | None = None) -> None:
        """Refused while it is not paused."""
        if self.state.paused is None:
            raise ApplicationError("the run is not paused", type="NotNow")
        self._must_not_be_ending()

    # --- parked steps ------------------------------------------------------------------------------------------

    def answer(self, answer: Answer | None = None) -> str:
        """Recorded; the run goes on by itself."""
        if answer is None:
            raise AssertionError("the validator refuses an empty answer")
        if answer.answer == "abort":
            self.begin_abort(Abort(by=answer.by, why=answer.why))
            return "aborting"
        meant = self._meant(answer)
        for parked in meant:
            parked.answer = answer
        return f"{answer.answer}: {', '.join(parked.question.step for parked in meant)}"

    def may_answer(self, answer: Answer | None = None) -> None:
        """Refused without a step that waits for it."""
        if answer is None:
            raise ApplicationError('say what to do, for example {"answer": "retry"}', type="NoAnswer")
        self._must_not_be_ending()
        open_ones = [parked.question.step for parked in self.state.parked if parked.answer is None]
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
        return [one for one in self.state.parked if one.answer is None and answer.step in (None, one.question.step)]

    # --- abort -------------------------------------------------------------------------------------------------

    async def abort(self, order: Abort | None = None) -> str:
        """Answered with the condition in which things were left."""
        closed_first = workflow.patched("answered-when-closed")
        self.begin_abort(order or Abort())
        await workflow.wait_condition(lambda: self.state.left is not None and (self.state.closed or not closed_first))
        return str(self.state.left)

    def may_abort(self, order: Abort | None = None) -> None:
        """Refused while it ends."""
        self._must_not_be_ending()

    def begin_abort(self, order: Abort) -> None:
        """From now on nothing is begun, and the procedure ends."""
        self.state.abort = order
        self.state.paused = None
        spans.event("aborted", {"quorate.by": order.by or "", "quorate.why": (order.why or "")[: spans.LETTERS]})
        if self.state.main is not None:
            self.state.main.cancel()
        self.state.tell()

    def _must_not_be_ending(self) -> None:
        if self.state.over or self.state.ending:
            said = "the run has ended" if self.state.over else "the run is being aborted already"
            raise ApplicationError(said, type="NotNow")

    # --- note --------------------------------------------------------------------------------------------------

    def note(self, note: Note | None = None) -> str:
        """Shown on the page, kept in the report."""
        if note is None:
            raise AssertionError("the validator refuses an empty note")
        self.state.notes.append(f"{note.by or 'no name given'}: {note.text}")
        self.state.tell()
        return "noted"

    def may_note(self, note: Note | None = None) -> None:
        """Refused without a text."""
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
