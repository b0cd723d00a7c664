"""What a run has done so far: its sections, their steps, and the changes that were made or planned."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from opentelemetry.util.types import AttributeValue
from temporalio import workflow

from cluster.plan import Finding, Intent, Made
from workflows import spans
from workflows.carried import LineState, Place, RecordState
from workflows.page import OPEN, Section, State, StepRecord

Found = TypeVar("Found", bound=Finding)


class Line:
    """One step: its line on the page, filled in as it goes. `in_trace`: the trace of the run has it already."""

    def __init__(self, title: str, section: Section, began: timedelta, waiting: str = "") -> None:
        self.title = title
        self._section, self._index, self._began = section, len(section.steps), began
        self._earlier = Made()
        self.finding: Finding | None = None
        self.in_trace = False
        section.steps.append(StepRecord(title=title, waiting=waiting, state="running", at=began))

    @classmethod
    def carried(cls, known: LineState, sections: list[Section]) -> "Line":
        """One that an earlier part of the run has begun."""
        line = cls.__new__(cls)
        line._section, line._index = sections[known.place[0]], known.place[1]
        line.title = line._section.steps[line._index].title
        line._began, line._earlier, line.finding = known.began, known.earlier, known.finding
        line.in_trace = not line.is_open
        return line

    def later_by(self, earlier: timedelta) -> None:
        """It began so much later than the clock that counts now."""
        self._began += earlier

    def carries(self, section: int) -> LineState:
        """What it is made of besides its step."""
        found = self.finding
        brief = Finding(finding="", changed=found.changed, changes=found.changes) if found and found.changes else None
        return LineState(place=(section, self._index), began=self._began, finding=brief, earlier=self._earlier)

    @property
    def step(self) -> StepRecord:
        """What stands on the page of it."""
        return self._section.steps[self._index]

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self.step.state in OPEN

    @property
    def state(self) -> State:
        """How it stands."""
        return self._section.steps[self._index].state

    @property
    def said(self) -> str:
        """What stands on the line now."""
        return self._section.steps[self._index].finding

    def set(self, state: State, finding: str = "", **more: Any) -> None:
        """Another state, another sentence."""
        steps = self._section.steps
        steps[self._index] = steps[self._index].model_copy(update={"state": state, "finding": finding, **more})

    def park(self, finding: str, at: timedelta) -> None:
        """It waits for a person since then."""
        self.set("parked", finding, took=at - self._began)

    def goes_on(self) -> None:
        """A person has answered: it is tried again."""
        self.set("running", took=timedelta())

    def end(self, state: State, finding: str, at: timedelta) -> None:
        """It is over; what its failed attempts changed is counted."""
        made = self._earlier.changes
        self.set(state, finding, took=at - self._began, changed=bool(made), changes=len(made))
        self._told(at)

    def made(self, made: Made) -> None:
        """An attempt ended early, after these changes."""
        changes = tuple(dict.fromkeys((*self._earlier.changes, *made.changes)))
        self._earlier = Made(changes=changes, doubtful=made.doubtful)

    def found(self, found: Found, at: timedelta) -> Found:
        """It is done. What earlier attempts changed belongs to it."""
        if self._earlier != Made() and (found.changed or not found.changes):
            changes = self._earlier.and_then(found.changes)
            found = found.model_copy(update={"changes": changes, "changed": bool(changes)})
        self.finding, self._earlier = found, Made()
        self.set(found.mark, found.finding, took=at - self._began, changed=found.changed, changes=len(found.changes))
        self._told(at)
        return found

    def _told(self, at: timedelta) -> None:
        """In the trace, once, unless what it tells of is a span already."""
        if not self.in_trace:
            spans.lasted(self.title, at - self._began, self.about)
        self.in_trace = True

    @property
    def about(self) -> dict[str, AttributeValue]:
        """What the trace says of it: what the page shows."""
        step = self.step
        return {
            "quorate.mark": step.state,
            "quorate.finding": step.finding[: spans.LETTERS],
            "quorate.changed": step.changed,
            "quorate.changes": step.changes,
        }

    @property
    def changes(self) -> tuple[Intent, ...]:
        """Changes it made or, in a plan, intends."""
        return self.finding.changes if self.finding else self._earlier.changes

    @property
    def made_changes(self) -> tuple[Intent, ...]:
        """Changes it really made."""
        return self.changes if self.finding is None or self.finding.changed else ()

    @property
    def begun(self) -> tuple[Intent, ...]:
        """Changes that attempts which ended early have begun."""
        return (*self._earlier.changes, *self._earlier.doubtful)

    @property
    def doubtful(self) -> tuple[Intent, ...]:
        """Changes that were begun, and nobody knows whether they were made."""
        return self._earlier.doubtful


class Record:
    """All sections and steps of one run."""

    def __init__(self) -> None:
        self.began = workflow.now()
        self.speed = 1.0  # of the cluster's own time, in which T+ is told
        self.sections: list[Section] = []
        self._lines: dict[int, list[Line]] = {}  # by the index of the section

    def carries(self) -> RecordState:
        """All of it, for the next part of a run that continues as new."""
        lines = [line.carries(section) for section, here in self._lines.items() for line in here]
        return RecordState(began=self.began, sections=self.sections, lines=lines)

    def resumes(self, known: RecordState) -> None:
        """Go on with what an earlier part has recorded."""
        self.began, self.sections = known.began, known.sections
        for one in known.lines:
            self._lines.setdefault(one.place[0], []).append(Line.carried(one, self.sections))

    def place(self, line: Line) -> Place:
        """Where a line stands, for `at`."""
        return next((n, here.index(line)) for n, here in self._lines.items() if line in here)

    def at(self, place: Place) -> Line:
        """The line that stands there."""
        return self._lines[place[0]][place[1]]

    def open_lines(self) -> dict[str, Line]:
        """Those that have not ended, by title; the newest of a title."""
        return {line.title: line for here in self._lines.values() for line in here if line.is_open}

    @property
    def elapsed(self) -> timedelta:
        """Since the run began."""
        return workflow.now() - self.began

    def counts_from(self, t0: datetime, speed: float) -> None:
        """T0 is known: what was recorded before stays at its time of the wall."""
        earlier, self.began, self.speed = self.began - t0, t0, speed
        for section in self.sections:
            section.steps[:] = [step.model_copy(update={"at": step.at + earlier}) for step in section.steps]
        for line in (line for here in self._lines.values() for line in here):
            line.later_by(earlier)

    def section(self, title: str, *, rehearsal: bool = False, folds: bool = True) -> Section:
        """A new one, which is the current one from now on."""
        self.sections.append(Section(title=title, rehearsal=rehearsal, folds=folds))
        return self.sections[-1]

    def line(self, title: str, waiting: str = "") -> Line:
        """A new step in the current section; `waiting` is what it is called until it has ended."""
        section = self.sections[-1] if self.sections else self.section("Start")
        line = Line(title, section, self.elapsed, waiting)
        self._lines.setdefault(len(self.sections) - 1, []).append(line)
        return line

    def steps(self) -> Iterator[StepRecord]:
        """All steps, oldest first."""
        for section in self.sections:
            yield from section.steps

    def under_way(self) -> list[StepRecord]:
        """Steps of the newest section that have not ended."""
        return [step for section in self.sections[-1:] for step in section.steps if step.state in OPEN]

    def changes_of(self, section: Section) -> tuple[Intent, ...]:
        """What its steps changed or planned, in the order in which they were begun."""
        number = next(n for n, one in enumerate(self.sections) if one is section)
        return tuple(change for line in self._lines.get(number, []) for change in line.changes)

    @property
    def changes(self) -> list[Intent]:
        """All changes that were really made."""
        return [change for lines in self._lines.values() for line in lines for change in line.made_changes]

    @property
    def doubtful(self) -> list[Intent]:
        """Changes that were begun and not seen to their end."""
        return [change for lines in self._lines.values() for line in lines for change in line.doubtful]
