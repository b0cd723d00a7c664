"""The steps of a run that goes on as a new one: what had ended is not done twice.

A step that had ended returns what it found, one that was under way begins again on the same line, and a question that
is open stays open.
"""

from collections.abc import Callable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts.reference import Activity
    from cluster.hooks import When
    from cluster.plan import Finding
    from workflows.carried import CarriedState
    from workflows.page import Question
    from workflows.record import Line
    from workflows.state import RunState
    from workflows.steps import Found, Steps


class Remembering(Steps):
    """The part that does steps, and remembers them."""

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
            # what a verdict was computed from stands in the record, and is not carried on
            self.settled[title] = found.model_dump(mode="json", exclude={"basis"}) if found is not None else None

    async def call_hooks(self, when: When, title: str, finding: str = "") -> None:
        """Each is called once, whichever of the runs has done so."""
        if title in self.known or (when == "before" and title in self.left_open):
            return
        await super().call_hooks(when, title, finding)

    # --- from run to run ---------------------------------------------------------------------------------------

    def carries(self) -> dict[str, Any]:
        """Findings that the next run needs, and questions that nobody has answered."""
        return {
            "questions": [*(parked.question for parked in self.state.parked), *self.unanswered.values()],
            "known": {**self.known, **self.settled},
        }

    def resumes(self, known: CarriedState) -> None:
        """Know what steps of the earlier run have found, which of their lines stand open, and what was asked."""
        self.left_open = self.state.record.open_lines()
        self.unanswered = {one.step: one for one in known.questions}
        self.known = dict(known.known)

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
