"""What runbooks of an incident have in common: they are told how the cluster changes, and they tell people.

An incident stays for as long as it takes, through as many runs as that takes. It is put together from parts
(`workflows.incidents`); what each kind of incident does is its course.
"""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import Answer
    from cluster.around import Hook
    from cluster.watching import Change
    from workflows.carried import IncidentState
    from workflows.continuing import Continuing
    from workflows.incidents.actions import Actions
    from workflows.incidents.clock import Clock
    from workflows.incidents.course import Carries, Course
    from workflows.incidents.looks import Looks
    from workflows.incidents.remarks import Remarks
    from workflows.incidents.watched import Watched
    from workflows.page import OPEN, Question, StepRecord
    from workflows.remembering import Remembering
    from workflows.runbook import Runbook


class Incident(Runbook):
    """A runbook that stays with an incident. A subclass has its `course`."""

    course: Course
    steps: Remembering

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(self.state)
        self.remarks = Remarks(self.state)
        self.actions = Actions(self.state, self.notices)
        self.looks = Looks(self.state, self.remarks, self.actions)
        self.watched = Watched(self.state, self.looks, self.remarks, lambda change: self.course.heed(change))
        self.continuing = Continuing(self.state, self.steps, self.gates, lambda: self.course)
        # in the order in which they go on: what is shown and sent at once comes last
        self._parts: tuple[Carries, ...] = (
            self.watched, self.actions, self.remarks, self.clock, self.continuing, self.notices,
        )  # fmt: skip
        self._has_begun = False

    def does_steps(self) -> Remembering:
        """One that remembers."""
        return Remembering(self.state, self.about.name, self.parks)

    @workflow.signal(description="The watch reports a new verdict")
    def changed(self, change: Change) -> None:
        """Kept for whoever waits; what is worse is on the page at once."""
        self.watched.told(change)
        self.looks.told()

    # --- how it begins, goes on in another run, and ends -------------------------------------------------------

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
        await self.watched.is_about(where)
        self.looks.beside(self.watched.whenever_unwatched())

    def carried(self) -> dict[str, Any]:
        """What every incident hands to its next run: the fields of `IncidentState`."""
        return {name: value for part in self._parts for name, value in part.carries().items()}

    def resumes(self, known: IncidentState) -> None:
        """Go on where the earlier run was: it looks again, and what it could not tell is told."""
        self._has_begun = True
        for part in self._parts:
            part.resumes(known)
        self.looks.beside(self.continuing.holds_again(known))
        self.looks.beside(self.watched.whenever_unwatched())

    async def close(self, state: str) -> None:
        """Whatever the end: the next incident may begin at once, the watch knows, and people are told."""
        await self.looks.end()
        await super().close(state)
        if not self._has_begun:  # another run has its claim: nothing has begun and nothing is over
            return
        await self.watched.closed()
        said = f"{self.clock.says}. {self.closing}"
        # a pager that closes this one reads that another one goes on with it
        over = "handed over" if self.course.handed_to else state
        self.notices.tell("closed", f"{self.state.headline}: {over}", said)
        await self.notices.all_told()
        self.tell()

    # --- what it shows -----------------------------------------------------------------------------------------

    def asks_people(self) -> None:
        """Each part of an incident tells what it asks, in words of its own."""

    def parks(self, question: Question) -> None:
        """A person is about to be waited for."""
        self.actions.parked(question)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What a person has to do, the gravest first, and how the rest goes on."""
        needed = self.actions.needed(self.watched.answers)
        known = {one.about for one in needed}
        return (*needed, *(one for one in self.course.answers if one.about not in known))

    def under_way(self) -> list[StepRecord]:
        """Everything that is waited for: an older section may wait while a newer one goes on."""
        return [step for section in self.state.record.sections for step in section.steps if step.state in OPEN]

    @property
    def idle(self) -> str:
        """What is waited for while no step is under way."""
        return self.course.idle

    @property
    def closing(self) -> str:
        """What is said when it is over."""
        return self.course.closing

    async def landing(self) -> str:
        """What an abort does before the run ends; the condition in words."""
        return await self.course.landing()
