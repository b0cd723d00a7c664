"""What a person has to do in an incident: said on the first line, in the run list, and in a notice."""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import Answer
    from cluster.conditions import GRAVITY
    from workflows.asking import of_asked
    from workflows.carried import IncidentState
    from workflows.notices import Notices
    from workflows.page import Question
    from workflows.state import RunState

# How what is asked for begins when it is a right that a look lacks.
LOOK = "look: "


def _gravity(about: str) -> int:
    """A condition by its kind; a guest that does not come back is as grave as anything but the loss of a site."""
    kind = about.partition(" ")[0]
    return GRAVITY.index(kind) if kind in GRAVITY else GRAVITY.index("undetermined")


class Actions:
    """The actions that are needed now, and parked steps of which people are told."""

    def __init__(self, state: RunState, notices: Notices) -> None:
        self.state, self._notices = state, notices
        self._asked: dict[str, str] = {}
        self._answers: dict[str, Answer] = {}  # those that say more than a sentence
        self._told_before: set[str] = set()  # parked steps of which an earlier run has told

    def ask(self, about: str, what: str, *, answer: Answer | None = None, quietly: bool = False) -> None:
        """A person has to act: said on the first line and in the run list, and in a notice unless one says it."""
        new = about not in self._asked
        self._asked[about] = what
        self._answers |= {about: answer} if answer is not None else {}
        self.state.tell()
        if new and not quietly:
            self._notices.tell("asked", f"Act now: {self.state.headline}", what)

    def done_with(self, about: str) -> None:
        """That is not asked any more."""
        self._answers.pop(about, None)
        if self._asked.pop(about, None) is not None:
            self.state.tell()

    @property
    def about_the_cluster(self) -> frozenset[str]:
        """What is asked for now, without the rights to see it."""
        return frozenset(self._asked) - self.about_rights

    @property
    def about_rights(self) -> frozenset[str]:
        """What may not be seen until a person grants the right."""
        return frozenset(about for about in self._asked if about.startswith(LOOK))

    def needed(self, told: Sequence[Answer]) -> tuple[Answer, ...]:
        """What has to be done, the gravest first, each as it was asked, or as the watch has `told` it."""
        known = {one.about: one for one in told} | self._answers
        newest_first = list(self._asked.items())[::-1]
        return tuple(
            one.model_copy(update={"urgency": "act now"}) if (one := known.get(about)) else of_asked(about, what)
            for about, what in sorted(newest_first, key=lambda one: _gravity(one[0]))
        )

    def parked(self, question: Question) -> None:
        """A step that parks in an incident waits for a person who may be asleep: it is told, once for each time."""
        if question.step not in self._told_before and workflow.patched("told-when-parked"):
            skip = f" It can be skipped: {question.skip}." if question.skip else ""
            said = f"{question.step} failed: {question.word}: {question.message}.{skip} Answer retry or abort."
            self._notices.tell("asked", f"Act now: {self.state.headline}", said)
        self._told_before.discard(question.step)

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {"asked": self._asked, "answers": self._answers}

    def resumes(self, known: IncidentState) -> None:
        """The same is needed, and nobody is told of it twice."""
        self._asked, self._answers = dict(known.asked), dict(known.answers)
        self._told_before = {one.step for one in known.questions}
