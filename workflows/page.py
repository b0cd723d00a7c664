"""The page of a run: what happened, what now, what is asked of you. Markdown for the Temporal UI.

The UI curls quotes, turns 4/7 into a fraction and `$` into mathematics, so findings stand in backticks where they
hold figures. The text travels in a query string: it is kept under 3 KB by leaving out the oldest lines.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cluster.units import seconds

LIMIT = 3000

State = Literal["running", "done", "failed"]
_SIGN = {"running": "…", "done": "✓", "failed": "✗"}


class StepRecord(BaseModel):
    """One line of the page. `at` counts from the start of the run."""

    model_config = ConfigDict(frozen=True)

    title: str
    state: State
    at: timedelta
    took: timedelta = timedelta()
    finding: str = ""
    changed: bool = False
    changes: int = 0


class Section(BaseModel):
    """Steps that belong together: one heading, and one line each."""

    title: str
    steps: list[StepRecord] = []

    @property
    def state(self) -> State:
        """Failed when a step failed, done when all are."""
        states = {step.state for step in self.steps}
        return "failed" if "failed" in states else "running" if "running" in states else "done"


def render(headline: str, now: str, sections: Sequence[Section]) -> str:
    """The whole page. Sections that are done shrink to one line while there is a newer one."""
    head = f"### {_safe(headline)}\n\n**{_safe(now)}**\n\n| T+ | | Step | Finding |\n| --- | --- | --- | --- |\n"
    rows: list[str] = []
    for number, section in enumerate(sections, start=1):
        finished = section.state == "done" and number < len(sections) and len(section.steps) > 1
        rows += [_summary(section)] if finished else [_row(step) for step in section.steps]
    left_out = 0
    while len((head + "".join(rows)).encode()) > LIMIT - 100 and len(rows) > 1:
        rows.pop(0)
        left_out += 1
    note = f"\n{left_out} earlier lines are in the history.\n" if left_out else ""
    return head + "".join(rows) + note


def _row(step: StepRecord) -> str:
    return f"| {_clock(step.at)} | {_SIGN[step.state]} | {_safe(step.title)} | {_safe(_finding(step))} |\n"


def _finding(step: StepRecord) -> str:
    return "under way" if step.state == "running" else step.finding


def _summary(section: Section) -> str:
    first, finding = section.steps[0], f"{len(section.steps)} steps"
    for made, word in ((True, "made"), (False, "planned")):
        if changes := sum(step.changes for step in section.steps if step.changed is made):
            finding += f", {changes} changes {word}"
    return f"| {_clock(first.at)} | ✓ | {_safe(section.title)} | {finding} |\n"


def _clock(at: timedelta) -> str:
    minutes, rest = divmod(int(at.total_seconds()), 60)
    return f"{minutes:02d}:{rest:02d}"


def _safe(text: str) -> str:
    """Keep a text inside its cell and out of the UI's smart typography."""
    text = " ".join(text.split()).replace("|", "\\|").replace("$", "\\$").replace("--", "- -")
    return text if len(text) <= 240 else text[:239] + "…"


def story(sections: Sequence[Section]) -> list[str]:
    """The run as lines of plain text: what a terminal shows and a test reads."""
    return [
        f"{_SIGN[step.state]} {step.title}: {_finding(step)}" + (f" [{seconds(step.took)}]" if step.took else "")
        for section in sections
        for step in section.steps
    ]
