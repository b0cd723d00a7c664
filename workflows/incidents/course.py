"""What each kind of incident does in its own way: the course of it, on which the engine stands."""

from typing import Any, Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import Answer
    from cluster.watching import Change
    from workflows.carried import IncidentState
    from workflows.continuing import Continues


class Course(Continues, Protocol):
    """The course of one incident."""

    @property
    def idle(self) -> str:
        """What is waited for while no step is under way."""

    @property
    def closing(self) -> str:
        """What is said when it is over."""

    @property
    def handed_to(self) -> str:
        """The run of the graver incident that goes on with it; empty when there is none."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What a person has to know, beside what is asked of them."""

    async def landing(self) -> str:
        """What an abort does before the run ends; the condition in words."""

    def heed(self, change: Change) -> None:
        """What a new verdict means for this incident, at once."""

    def carries(self) -> IncidentState:
        """All that the next run has to know."""


class Carries(Protocol):
    """A part of an incident that goes along when the run goes on as a new one."""

    def carries(self) -> dict[str, Any]:
        """Its fields of what is handed over."""

    def resumes(self, known: IncidentState) -> None:
        """Go on with them, in the next run."""
