"""What an incident writes on its page beside its steps: remarks, lines and sections that may come again and again.

The first of a kind stand for themselves; then the newest says how often it came, so that no storm makes a page long.
"""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.conditions import Condition
    from workflows.carried import IncidentState, Repeated
    from workflows.page import State as LineIs
    from workflows.state import RunState

# What comes again and again has so many lines of its own; then its newest line says how often it came.
REPEATED = 5


class Remarks:
    """The remarks of one incident, and how often each came."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self._lines: dict[str, Repeated] = {}
        self._noted: dict[str, int] = {}

    # --- remarks -----------------------------------------------------------------------------------------------

    def note_once(self, text: str) -> None:
        """A remark that stays on the page and in the report."""
        if text not in self.state.notes:
            self.state.notes.append(text)
            self.state.tell()

    def unnote(self, text: str) -> None:
        """That remark is of yesterday; whoever takes it back says what has come of it."""
        self.state.notes = [note for note in self.state.notes if note != text]

    def note_again(self, about: str, text: str) -> None:
        """A remark of the same kind as earlier ones: the first stand for themselves, the newest says how often."""
        times = self._noted[about] = self._noted.get(about, 0) + 1
        last = next(
            (n for n in range(len(self.state.notes) - 1, -1, -1) if self.state.notes[n].startswith(f"{about}: ")), None
        )
        if times <= REPEATED or last is None:
            self.state.notes.append(f"{about}: {text}")
        else:
            self.state.notes[last] = f"{about}: {text} (no. {times})"
        self.state.tell()

    # --- lines -------------------------------------------------------------------------------------------------

    def line_again(self, title: str, state: LineIs, said: str) -> None:
        """A line that may come any number of times: from the sixth on the newest is written anew, with how often."""
        record, known = self.state.record, self._lines.get(title)
        times = known.times + 1 if known else 1
        if known is None or times <= REPEATED:
            line = record.line(title)
        else:
            line, said = record.at(known.place), f"{said} (no. {times})"
        line.end(state, said, record.elapsed)
        self._lines[title] = Repeated(times=times, place=record.place(line))

    def explain_again(self, title: str, found: Sequence[Condition], *, folds: bool = True) -> None:
        """A section that may come any number of times: from the sixth on a line says how often it came."""
        times = self._noted[f"section {title}"] = self._noted.get(f"section {title}", 0) + 1
        if times > REPEATED:
            self.line_again(title, "warned", "; ".join(reason for one in found for reason in one.reasons[:1]))
            return
        self.state.record.section(title, folds=folds)
        for condition in found:
            self._evidence(condition)

    def _evidence(self, condition: Condition) -> None:
        """Lines of the page: what was seen. What to do about it is no step: it stands above them."""
        record, at = self.state.record, self.state.record.elapsed
        for said in condition.reasons[:4]:
            record.line("Evidence").end("told", said, at)
        for unless in condition.unless[:1]:
            record.line("Revised if").end("told", unless, at)

    # --- from run to run ---------------------------------------------------------------------------------------

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {"repeated": self._lines, "noted": self._noted}

    def resumes(self, known: IncidentState) -> None:
        """Count on."""
        self._lines, self._noted = dict(known.repeated), dict(known.noted)
