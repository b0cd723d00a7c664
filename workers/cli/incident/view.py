"""An incident as a person reads it in a terminal: live, as a page of plain text, or line by line.

What is asked of the reader comes first, then whether the guests are back, then all else. Everything is said in words;
colour only helps to find them.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster.answers.model import Answer
from cluster.incidents import FOLDER
from cluster.moments import Times, clock_of, utc
from cluster.units import seconds
from runbooks.loss import Progress
from workers.cli.answered import answered
from workers.cli.hanging import Hanging, hanging
from workers.cli.incident.phases import (
    BAD,
    FAINT,
    GOOD,
    URGENCY,
    WARN,
    Row,
    bar,
    gist,
    how,
    rows,
    scale,
    span,
)
from workflows.page import OPEN, SIGNS, Section, StepRecord

# All others are yellow.
STYLES = {"done": GOOD, "told": FAINT, "unneeded": FAINT, "failed": BAD, "stopped": BAD, "parked": "bold yellow"}
# Rows of one phase; of more, those that a person must see, and the rest in one line.
MOST_ROWS = 6
# Lines that the newest steps get however low the terminal is.
FEWEST_STEPS = 4
# Remarks of a live view; the whole page has all of them.
NEWEST_NOTES = 3
# Letters of a bar; below the first it would show nothing. What a line has left is shared with the words behind it.
NARROWEST_BAR, WIDEST_BAR, SHARE = 12, 60, 0.46

# What the two times before a step are.
COLUMNS = f"{'T+':>8} {'UTC':>8}"

Shown = set[tuple[int, int, str]]


@dataclass(frozen=True)
class Picture:
    """One look at an incident. `since` is T0; `skips` says of parked steps what follows from skipping them."""

    run: str
    kind: str
    headline: str
    sentence: str
    state: str
    since: datetime
    ended: datetime | None = None
    sections: tuple[Section, ...] = ()
    progress: Progress | None = None
    notes: tuple[str, ...] = ()
    skips: dict[str, str] = field(default_factory=dict)
    tries: dict[str, str] = field(default_factory=dict)
    remark: str = ""
    answer: Answer | None = None
    trace: str = ""  # the id of the run's trace
    speed: float = 1.0  # how much faster than the wall the cluster's time runs: 1, unless it is a rehearsal

    @property
    def times(self) -> Times:
        """Both clocks."""
        return Times(t0=self.since, speed=self.speed)

    def t_plus(self, now: datetime) -> float:
        """Seconds of the cluster's own time since T0; the clock stands when the incident is over."""
        return max(0.0, ((self.ended or now) - self.since).total_seconds() * self.speed)

    def at(self, step: StepRecord) -> float:
        """T+ at which a step ended or parked, or began if it goes on."""
        return self.times.seconds(step.at if step.goes_on else step.over)

    @property
    def steps(self) -> list[StepRecord]:
        """All of them, as the page has them."""
        return [step for section in self.sections for step in section.steps]

    @property
    def asks(self) -> bool:
        """A person has to do something about it."""
        return self.answer is not None and self.answer.urgency in ("act now", "decide")

    @property
    def addressed(self) -> str:
        """What to type for it: the procedure and the cluster, where its id begins with them."""
        procedure, _, rest = self.run.partition("/")
        ours = procedure in FOLDER.values() and rest
        return f"{procedure}/{rest.partition('/')[0]}" if ours else self.run


# --- live ----------------------------------------------------------------------------------------------------------


def frame(picture: Picture, now: datetime, console: Console) -> RenderableType:
    """Everything at once, with as many of the newest steps as the terminal has lines left for."""
    head = [
        *_head(picture, now, console),
        *(answered(picture.answer, head=False, reasons=False) if picture.asks else ()),
        *_asked(picture),
        *_phases(picture, now, console.width),
        *_notes(picture, NEWEST_NOTES),
    ]
    used = len(console.render_lines(Group(*head), console.options.update(height=None)))
    return Group(*head, *_newest(picture, max(FEWEST_STEPS, console.height - used - 3), console))


def _head(picture: Picture, now: datetime, console: Console) -> Iterator[RenderableType]:
    at = picture.t_plus(now)
    first = Table.grid(expand=True)
    first.add_column(ratio=1)
    first.add_column(justify="right", no_wrap=True)
    clocks = f"over, took {clock_of(at)}" if picture.ended else f"T+{clock_of(at)}  {utc(now, picture.since)} UTC"
    first.add_row(Text(picture.headline, style="bold"), Text(clocks, style="bold reverse"))
    yield first
    yield Text(f"{picture.run}\n{_since(picture)}", style=FAINT)
    yield Text()
    if picture.remark:
        yield Text(picture.remark, style=BAD)
    style = {"attention": "bold yellow", "failed": BAD, "aborted": BAD, "paused": WARN}.get(picture.state, "")
    yield Text(picture.sentence, style=style)
    if picture.progress is not None:
        yield gist(picture.progress, at)


def _since(picture: Picture) -> str:
    when = f"{picture.since:%Y-%m-%d %H:%M:%S} UTC"
    times = picture.progress.timeline if picture.progress else None
    if times is None:
        return f"since {when}"
    later = f", the loss came up to {span(times.uncertain)} later" if times.uncertain >= 1 else ""
    fast = f"; time runs {picture.speed:g} times as fast" if picture.speed != 1 else ""
    return f"last sign of life {when}{later}{fast}"


def _asked(picture: Picture) -> Iterator[RenderableType]:
    """Each parked step, and what to type."""
    for step in picture.steps:
        if step.state != "parked":
            continue
        yield Text()
        yield hanging(f"? {step.title}: {step.finding}", 2, "bold yellow")
        for way in commands(picture, step):
            yield Hanging(Text("    "), Text(way), command=way.startswith("quorate"))


def commands(picture: Picture, step: StepRecord) -> list[str]:
    """The ways to answer a parked step, ready to be typed."""
    answer = f"quorate answer {picture.addressed}"
    found = [f"{answer} retry"]
    if step.title in picture.skips:
        skip = f"{answer} skip --step {shlex.quote(step.title)} --why '…'"
        found += [skip, f"    skipped: {picture.skips[step.title]}"]
    return [*found, f"{answer} abort"]


def _phases(picture: Picture, now: datetime, width: int) -> Iterator[RenderableType]:
    progress = picture.progress
    found = rows(progress) if progress else []
    if progress is None or progress.forecast is None or progress.timeline is None or not found:
        return
    at, uncertain, ended = picture.t_plus(now), progress.timeline.uncertain, picture.ended is not None
    who = max(len(row.who) for row in found)
    left = int(SHARE * (width - len("running  " + "00:00 - 00:00  ") - who - 4))
    length = min(left, WIDEST_BAR) if left >= NARROWEST_BAR else 0
    end = scale(found, at)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=FAINT)
    titles: list[str | Text] = ["", "", "expected, T+", *([_ruler(end, length)] if length else []), ""]
    for title in titles:
        table.add_column(title, no_wrap=True)
    table.columns[-1].no_wrap, table.columns[-1].overflow = False, "fold"
    for phase in ("quorum", "fenced", "running"):
        name = phase
        mine = [row for row in found if row.phase == phase]
        shown, rest = _seen_first(mine, at)
        for row in shown:
            drawn = [bar(row, at, end, length, uncertain)] if length else []
            table.add_row(name, row.who, _range(row), *drawn, how(row, at, uncertain, ended=ended))
            name = ""
        if rest:
            table.add_row(name, "", "", *([""] if length else []), Text(rest, style=FAINT))
    yield Text()
    yield table
    yield Text(progress.forecast.why, style=FAINT)


def _seen_first(found: list[Row], now: float) -> tuple[list[Row], str]:
    """All rows where there are few; else the most urgent ones, and the others counted."""
    if len(found) <= MOST_ROWS:
        return found, ""
    ranked = sorted(found, key=lambda row: (URGENCY.index(row.state(now)), -(row.measured or 0.0)))
    rest = ranked[MOST_ROWS:]
    back = sum(row.measured is not None for row in rest)
    waits = f", {len(rest) - back} to come" if len(rest) > back else ""
    return ranked[:MOST_ROWS], f"{len(rest)} more: {back} done{waits}"


def _range(row: Row) -> str:
    return f"{clock_of(row.expected.earliest)} - {clock_of(row.expected.latest)}"


def _ruler(end: float, length: int) -> Text:
    last = clock_of(end)
    return Text(f"00:00{last:>{length - 5}}", style=FAINT)


def _notes(picture: Picture, newest: int = 0) -> Iterator[RenderableType]:
    """All remarks, or the newest of them; none where there are none."""
    if picture.notes:
        yield Text()
    for note in picture.notes[-newest:]:
        yield hanging(f"! {note}", 2, WARN)


def _newest(picture: Picture, room: int, console: Console) -> Iterator[RenderableType]:
    """The last steps that ended, newest last, then what is under way. An explanation is shown as a whole.

    Where there is room for all of a long line, nothing of it is cut: its end may be what matters.
    """
    yield Text(f"\n{COLUMNS}", style=FAINT)
    if picture.progress is None and len(picture.sections) > 1:
        yield Text(picture.sections[-1].title, style="bold")
        for step in picture.sections[-1].steps:
            yield line(picture, step)
        return
    told = [step for step in picture.steps if not (step.title == "Forecast" and picture.progress)]
    open_ = [step for step in told if step.goes_on][-room:]
    past = sorted((step for step in told if step.state not in OPEN), key=picture.at)
    kept = past[-(room - len(open_)) :] if room > len(open_) else []
    shown = [line(picture, step) for step in (*kept, *open_)]
    if len(console.render_lines(Group(*shown), console.options.update(height=None))) <= room:
        yield from shown
        return
    for one in shown:
        text = one.one_line
        text.no_wrap, text.overflow = True, "ellipsis"
        yield text


# --- line by line --------------------------------------------------------------------------------------------------


def line(picture: Picture, step: StepRecord) -> Hanging:
    """One step: when it ended or parked, its sign, what it found and how long it took; of one that goes on, since when.

    `COLUMNS` stands above the lines.
    """
    t_plus, wall = step.cells(picture.times)
    head = Text(f"{t_plus:>8} {wall:>8} ", style=FAINT)
    head.append(f" {SIGNS[step.state]} ", style=STYLES.get(step.state, WARN))
    text = Text(step.says, style="bold" if step.changed else "default")
    tried = picture.tries.get(step.title, "")
    said = (step if step.finding or not tried else step.model_copy(update={"finding": tried})).said(picture.times)
    if said:
        text.append(f": {said}", style="default")
    took = step.took * picture.speed  # as T+ is counted
    if took.total_seconds() >= 1 and step.state not in OPEN:
        text.append(f" [{seconds(took)}]", style=FAINT)
    return Hanging(head, text)


def news(picture: Picture, shown: Shown, told: set[str]) -> Iterator[StepRecord | str]:
    """Steps that have ended or parked, and notes, that were not shown before; they count as shown now."""
    fresh = []
    for s, section in enumerate(picture.sections):
        for n, step in enumerate(section.steps):
            key = (s, n, step.state + step.finding)
            if step.goes_on or key in shown:
                continue
            shown.add(key)
            fresh.append(step)
    yield from sorted(fresh, key=picture.at)
    for note in picture.notes:
        if note not in told:
            told.add(note)
            yield note


def plain(picture: Picture, now: datetime, console: Console) -> Iterator[RenderableType]:
    """The whole page as text: every section with all its steps."""
    yield from _head(picture, now, console)
    yield from answered(picture.answer, head=False)
    yield from _asked(picture)
    yield from _phases(picture, now, console.width)
    yield Text(f"\n{COLUMNS}", style=FAINT)
    for section in picture.sections:
        yield Text()
        yield Text(section.title, style="bold")
        for step in section.steps:
            yield line(picture, step)
    yield from _notes(picture)
