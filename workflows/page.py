"""The page of a run: what happened, what now, what is asked of you. Markdown for the Temporal UI.

The UI curls quotes, turns 4/7 into a fraction and `$` into mathematics, so texts are kept out of its reach. The page
travels in a query string: it is kept under 3 KB, whatever the run has done, by leaving out the oldest lines.
"""

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cluster.answers.model import Answer
from cluster.answers.plain import listed
from cluster.moments import Times, clock_of, t_plus
from cluster.units import counted, seconds
from cluster.visible import visible, visible_json

LIMIT = 3000

State = Literal[
    "running", "waiting", "parked", "asked", "done", "told", "warned", "unneeded", "skipped", "stopped", "failed"
]
SIGNS: dict[State, str] = {
    "running": "…",
    "waiting": "‖",
    "parked": "?",
    "asked": "✎",
    "done": "✓",
    "told": "·",
    "warned": "!",
    "unneeded": "–",
    "skipped": "↷",
    "stopped": "■",
    "failed": "✗",
}
OPEN: tuple[State, ...] = ("running", "waiting", "parked", "asked")


class StepRecord(BaseModel):
    """One line of the page. `at` counts from the start of the run; `took` ends when the step ended or parked.

    `waiting` is what is said instead of the title until the step has ended: a title is a fact, and not one yet.
    """

    model_config = ConfigDict(frozen=True)

    title: str
    waiting: str = ""
    state: State
    at: timedelta
    took: timedelta = timedelta()
    finding: str = ""
    changed: bool = False
    changes: int = 0

    @property
    def says(self) -> str:
        """What the line is called now: the title once the step has ended, what is waited for until then."""
        return self.waiting if self.waiting and self.state in OPEN else self.title

    @property
    def goes_on(self) -> bool:
        """It has neither ended nor parked."""
        return self.state in OPEN and self.state != "parked"

    @property
    def over(self) -> timedelta:
        """When it ended or parked."""
        return self.at + self.took

    def cells(self, times: Times | None) -> tuple[str, str]:
        """When it ended or parked: T+, and the time of day in UTC. Empty while it goes on."""
        if self.goes_on:
            return "", ""
        return _cells(self.over, times)

    def said(self, times: Times | None) -> str:
        """What it has found; of one that goes on also since when."""
        if not self.goes_on:
            return self.finding
        since = times.both(times.seconds(self.at)) if times else t_plus(self.at.total_seconds())
        return f"{self.finding}; begun {since}" if self.finding else f"under way since {since}"


class Section(BaseModel):
    """Steps that belong together: one heading, and one line each. In a rehearsal no hook is called.

    One that folds shrinks to one line when it went well and is not the newest any more.
    """

    title: str
    rehearsal: bool = False
    folds: bool = True
    steps: list[StepRecord] = []

    @property
    def well(self) -> bool:
        """Every step is done as it was meant."""
        return all(step.state in ("done", "unneeded", "told") for step in self.steps)


class Question(BaseModel):
    """A parked step: what failed, and what a person may answer. `skip` says what follows from skipping it."""

    model_config = ConfigDict(frozen=True)

    step: str
    word: str
    message: str
    skip: str | None = None


class Sheet(BaseModel):
    """All that the page is made of. `gate` is what an open gate says.

    `times` are the clocks of its steps. `links` are label and address, in the order of their use. `answer` is what to
    do about what is so, beside the open questions and the gate. `trace` is the id of the run's trace.
    """

    model_config = ConfigDict(frozen=True)

    headline: str
    now: str
    questions: tuple[Question, ...] = ()
    before: str = ""
    gate: str = ""
    notes: tuple[str, ...] = ()
    sections: Sequence[Section] = ()
    links: tuple[tuple[str, str], ...] = ()
    answer: Answer | None = None
    times: Times | None = None
    trace: str = ""

    @property
    def skippable(self) -> bool:
        """One of the parked steps can be skipped."""
        return any(question.skip is not None for question in self.questions)


def render(sheet: Sheet) -> str:
    """The whole page. Sections that went well shrink to one line while there is a newer one."""
    head = f"### {safe(sheet.headline)}\n\n**{sentence(sheet.now, 700)}**\n\n"
    head += _asked(sheet) + sheet.gate + advised(sheet.answer)
    head += "".join(f"- {safe(note)}\n" for note in sheet.notes[-3:]) + ("\n" if sheet.notes else "")
    tail = " · ".join(f"[{safe(label)}]({where})" for label, where in sheet.links)
    tail = f"\n{tail}\n" if tail else ""
    tail += f"\nTrace {code(sheet.trace)}\n" if sheet.trace else ""
    day = f"UTC {sheet.times.t0:%Y-%m-%d}" if sheet.times else "UTC"
    table = f"| T+ | {day} | | Step | Took | Finding |\n| --- | --- | --- | --- | --- | --- |\n"
    room = LIMIT - 100 - len((head + table + tail).encode())
    rows, left_out = _newest(sheet.sections, room, sheet.times)
    note = f"\n{counted(left_out, 'earlier line')}: see *History*.\n" if left_out else ""
    return head + (table + "".join(rows) if rows else "") + note + tail


def _asked(sheet: Sheet) -> str:
    """The open questions, and the ways to answer them."""
    if not sheet.questions:
        return ""
    shown = [f"- **{safe(one.step, 100)}**: {code(one.word)} {safe(one.message, 300)}\n" for one in sheet.questions[:3]]
    more = f"- and {len(sheet.questions) - 3} more\n" if len(sheet.questions) > 3 else ""
    ways = [
        'Fix the cause, then *More Actions*, *Send an Update*, `answer`, and paste `{"answer": "retry"}`'
        + (' (for all of them, or with `"step"` for one).' if len(sheet.questions) > 1 else ".")
    ]
    ways += [f"{code(_skipping(one.step))}: {safe(one.skip, 160)}." for one in sheet.questions[:2] if one.skip]
    ways.append('`{"answer": "abort"}` ends the run in its safe condition.')
    before = f"Changed before: {safe(sheet.before, 300)}\n\n" if sheet.before else ""
    return "".join(shown) + more + "\n" + before + "".join(f"- {way}\n" for way in ways) + "\n"


# Of an answer, what a page has room for.
TASKS, REASONS = 6, 3
# Letters of one: the nodes of both sites with their controllers fit, for none of them may be left out.
TASK = 800


def advised(answer: Answer | None) -> str:
    """What to do about what is so: no step, and without a tick."""
    if answer is None:
        return ""
    lines = [f"- affected: {safe(listed(answer.guests))}"] if answer.guests else []
    for number, task in enumerate(answer.tasks[:TASKS], start=1):
        command = f": {code(task.command)}" if task.command else ""
        lines.append(f"{number}. {sentence(str(task), TASK)}{command}")
    lines += [f"- **never** {sentence(one, 240)}" for one in answer.never[:2]]
    lines += [f"- automatic: {safe(answer.automatic)}"] if answer.automatic else []
    lines += [f"- why: {safe(one)}" for one in answer.why[:REASONS]]
    lines += [f"- revised if: {safe(one)}" for one in answer.unless[:1]]
    return "".join(f"{line}\n" for line in lines) + "\n" if lines else ""


def _newest(sections: Sequence[Section], room: int, times: Times | None) -> tuple[list[str], int]:
    """As many of the newest lines as there is room for, newest last, and how many are left out."""
    rows: list[str] = []
    for number in range(len(sections) - 1, -1, -1):
        section = sections[number]
        folded = section.folds and section.well and number < len(sections) - 1 and len(section.steps) > 1
        texts = iter([_summary(section, times)]) if folded else (_row(step, times) for step in reversed(section.steps))
        for shown, text in enumerate(texts):
            room -= len(text.encode())
            if room < 0 and rows:
                earlier = sum(len(other.steps) for other in sections[:number])
                return rows[::-1], earlier + len(section.steps) - (0 if folded else shown)
            rows.append(text)
    return rows[::-1], 0


def _cells(at: timedelta, times: Times | None) -> tuple[str, str]:
    """On both clocks; without `times` on one."""
    return (clock_of(times.seconds(at)), times.utc(at)) if times else (clock_of(at.total_seconds()), "")


def _took(length: timedelta, times: Times | None) -> str:
    """As T+ is counted."""
    return _unbroken(seconds(length * times.speed if times else length))


def _row(step: StepRecord, times: Times | None) -> str:
    took = _took(step.took, times) if step.took and step.state not in OPEN else ""
    when = " | ".join(_unbroken(cell) for cell in step.cells(times))
    return f"| {when} | {SIGNS[step.state]} | {safe(step.says)} | {took} | {safe(step.said(times))} |\n"


def _summary(section: Section, times: Times | None) -> str:
    first, finding = section.steps[0], counted(len(section.steps), "step")
    for made, word in ((True, "made"), (False, "planned")):
        if changes := sum(step.changes for step in section.steps if step.changed is made):
            finding += f", {counted(changes, 'change')} {word}"
    over = max(step.over for step in section.steps)
    took, when = _took(over - first.at, times), " | ".join(_unbroken(cell) for cell in _cells(over, times))
    return f"| {when} | ✓ | {safe(section.title)} | {took} | {finding} |\n"


# What begins something in Markdown or HTML, a cell or mathematics: each is kept as the letter that it is.
_MARKS = re.compile(r"[\\`\[\]<>&|$*~]")
# Addresses become links even without brackets; a letter without width inside keeps them text.
_ADDRESS = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=\w)(?=@\w)|(?<=mailto:)(?=\S)|(?<=xmpp:)(?=\S)")
_APART = "\u2060"


def safe(text: str, limit: int = 240) -> str:
    """A text that people typed or devices said, as plain text in its cell: no link, no picture, no markup, no HTML.

    What cannot be seen is written out, and the UI's smart typography is kept away from dashes.
    """
    return _defused(_one_line(text, limit), _MARKS)


def sentence(text: str, limit: int = 400) -> str:
    """The same for a sentence of ours that has such texts in it: its own emphasis and code stay."""
    return _defused(_one_line(text, limit), re.compile(r"[\\\[\]<>&|$~]"))


def code(text: str) -> str:
    """A text to be copied, as code: nothing in it ends the code."""
    return f"`{visible(' '.join(text.split())).replace('`', chr(39))}`"


def spoken(text: str) -> str:
    """A sentence of ours without its emphasis and code, for who does not read Markdown."""
    return re.sub(r"[*`]", "", text)


def _one_line(text: str, limit: int) -> str:
    text = visible(re.sub(r"[ \t\r\n]+", " ", text).strip(" "))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _defused(text: str, marks: re.Pattern[str]) -> str:
    text = marks.sub(lambda mark: f"\\{mark[0]}", text.replace("--", "- -"))
    text = f"\\{text}" if text.startswith("#") else text
    return _ADDRESS.sub(_APART, text)


def _unbroken(quantity: str) -> str:
    """A number stays on one line with its unit."""
    return quantity.replace(" ", "\u00a0")


def _skipping(step: str) -> str:
    """The answer to be pasted; as JSON it names the step letter for letter."""
    answer = json.dumps({"answer": "skip", "step": step, "why": "…"}, ensure_ascii=False)
    return visible_json(answer).replace("`", "\\u0060")


def story(sections: Sequence[Section], times: Times | None = None) -> list[str]:
    """The run as lines of plain text: what a terminal shows and a test reads."""
    return [told(step, times) for section in sections for step in section.steps]


def told(step: StepRecord, times: Times | None = None) -> str:
    """One step in a line, without its time: ``✓ Pod is online: on both arrays [1.2 s]``."""
    took = f" [{_took(step.took, times)}]" if step.took and step.state not in OPEN else ""
    return f"{SIGNS[step.state]} {step.says}: {step.said(times)}{took}"
