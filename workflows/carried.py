"""What a run that continues as new hands to its next part: all that its page, its report and its people know. Pure."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from cluster.answers.model import Answer
from cluster.around import Hook
from cluster.memory import Memory
from cluster.notices import Notice
from cluster.plan import Finding, Made
from cluster.watching import Change
from workflows.messages import Pause
from workflows.page import Question, Section

# Section and line of a step.
Place = tuple[int, int]


class LineState(BaseModel):
    """A line beside its step: what it changed. `finding` is left out where it changed nothing."""

    place: Place
    began: timedelta
    finding: Finding | None = None
    earlier: Made = Made()


class RecordState(BaseModel):
    """Sections, steps and changes of a run, and when it began."""

    began: datetime
    sections: list[Section]
    lines: list[LineState]


class Repeated(BaseModel):
    """A line that has come so many times; the newest of those that stand on the page."""

    times: int
    place: Place


class CarriedState(BaseModel):
    """What every run has.

    `known` are findings of steps, by title, whose part of the procedure has not ended; None of a step that was
    skipped. `questions` are those that no person has answered yet. `run_id` is the execution that hands it over.
    """

    run_id: str
    at: datetime
    parts: int
    claimed: bool
    record: RecordState
    headline: str
    subject: str
    notes: list[str]
    skipped: list[str]
    hooks: tuple[Hook, ...]
    hooked: list[str]
    links: list[tuple[str, str]]
    entered: bool
    paused: Pause | None = None
    alarms: dict[str, str] = Field(default_factory=dict)
    questions: list[Question] = Field(default_factory=list)
    known: dict[str, Any] = Field(default_factory=dict)
    done: list[str] = Field(default_factory=list)


class IncidentState(CarriedState):
    """What every incident has besides.

    `changes` is how often it was told of the cluster, `read` how much of that it has taken in, `newest` what it was
    told last. `answers` say more of what is `asked`, `told` are those of the newest look. `untold` are notices that
    have not been delivered, `notices` is how many there were.
    """

    changes: int
    read: int
    from_watch: int
    newest: Change | None
    memory: Memory
    asked: dict[str, str]
    answers: dict[str, Answer] = Field(default_factory=dict)
    told: tuple[Answer, ...] = ()
    untold: tuple[Notice, ...]
    notices: int
    repeated: dict[str, Repeated]
    noted: dict[str, int]
    t0: datetime | None
    uncertain: timedelta
    speed: float
