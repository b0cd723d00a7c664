"""What a person has to do in an incident: said on the first line, in the run list, and in a notice."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.carried import IncidentState
    from workflows.incidents.notices import Notices
    from workflows.page import Question
    from workflows.state import RunState


class Actions:
    """The actions that are needed now, and parked steps of which people are told."""

    def __init__(self, state: RunState, notices: Notices) -> None:
        self.state, self._notices = state, notices
        self._asked: dict[str, str] = {}
        self._told_before: set[str] = set()  # parked steps of which an earlier run has told

    def ask(self, about: str, what: str, *, quietly: bool = False) -> None:
        """A person has to act: said on the first line and in the run list, and in a notice unless one says it."""
        new = about not in self._asked
        self._asked[about] = what
        self.state.tell()
        if new and not quietly:
            self._notices.tell("asked", f"Action needed: {self.state.headline}", what)

    def done_with(self, about: str) -> None:
        """That is not asked any more."""
        if self._asked.pop(about, None) is not None:
            self.state.tell()

    @property
    def about(self) -> frozenset[str]:
        """What is asked for now."""
        return frozenset(self._asked)

    @property
    def needed(self) -> tuple[str, ...]:
        """What has to be done; the newest first."""
        return tuple(reversed(self._asked.values()))

    def parked(self, question: Question) -> None:
        """A step that parks in an incident waits for a person who may be asleep: it is told, once for each time."""
        if question.step not in self._told_before and workflow.patched("told-when-parked"):
            skip = f" It can be skipped: {question.skip}." if question.skip else ""
            said = f"{question.step} failed: {question.word}: {question.message}.{skip} Answer retry or abort."
            self._notices.tell("asked", f"Action needed: {self.state.headline}", said)
        self._told_before.discard(question.step)

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {"asked": self._asked}

    def resumes(self, known: IncidentState) -> None:
        """The same is needed, and nobody is told of it twice."""
        self._asked = dict(known.asked)
        self._told_before = {one.step for one in known.questions}
