"""Where everything of the picture stands, in pixels: each lane has as many rows as its labels need. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby

from cluster.moments import clock_of
from cluster.report.axis import Axis, axis
from cluster.report.model import LANES, Band, Lane, Mark, Span, Timeline

WIDTH, GUTTER, EDGE = 900.0, 118.0, 14.0
ROW, PAD, HEAD, FOOT = 20.5, 3.5, 8.0, 58.0
MARK, GAP = 5.0, 5.0  # half of a mark's width; between a mark and its label
# Marks of one moment in one lane that are drawn one by one; more of them are one mark with a count.
TOGETHER = 3
# Two ticks with times beneath them need so much room.
TICK = 92.0

Measure = Callable[[str], float]


@dataclass(frozen=True)
class Placed:
    """Something with its place: `x` to `right` is the drawing, `text_x` where its label begins, or ends."""

    what: Mark | Span | Band
    key: str
    x: float
    right: float
    y: float
    label: str
    text_x: float
    anchor: str = "start"
    inside: bool = False


@dataclass(frozen=True)
class Row:
    """A lane with what stands in it."""

    lane: Lane
    name: str
    top: float
    height: float
    placed: tuple[Placed, ...]


@dataclass(frozen=True)
class Picture:
    """All of it."""

    height: float
    axis: Axis
    rows: tuple[Row, ...]
    ticks: tuple[float, ...]

    def x(self, at: float) -> float:
        """Where a moment stands."""
        return GUTTER + self.axis.place(at) * (WIDTH - GUTTER - EDGE)

    @property
    def bottom(self) -> float:
        """Where the axis stands."""
        return self.rows[-1].top + self.rows[-1].height if self.rows else HEAD


@dataclass
class _Shelf:
    """The rows of one lane while they are filled: what each of them is taken by."""

    taken: list[list[tuple[float, float]]] = field(default_factory=list)

    def put(self, left: float, right: float, least: int = 0) -> int:
        """The first row from `least` on that has room there."""
        for number in range(least, len(self.taken)):
            if all(right + GAP <= begin or end + GAP <= left for begin, end in self.taken[number]):
                self.taken[number].append((left, right))
                return number
        self.taken += [[] for _ in range(max(0, least - len(self.taken)))]
        self.taken.append([(left, right)])
        return len(self.taken) - 1


def laid_out(timeline: Timeline, measure: Measure) -> Picture:
    """The whole picture. `measure` is the width of a text."""
    picture = Picture(height=0, axis=axis(_moments(timeline)), rows=(), ticks=())
    rows: list[Row] = []
    top = HEAD
    for lane in timeline.lanes:
        row = _Lane(picture, timeline, lane, measure).row(top)
        rows.append(row)
        top += row.height
    ticks = picture.axis.ticks(TICK / (WIDTH - GUTTER - EDGE))
    return Picture(height=top + FOOT, axis=picture.axis, rows=tuple(rows), ticks=ticks)


def _moments(timeline: Timeline) -> Iterable[float]:
    yield from (0.0, timeline.until)
    yield from (one.at for one in timeline.marks)
    for span in timeline.spans:
        yield span.begin
        if span.end is not None:
            yield span.end
    for band in timeline.bands:
        yield from (band.earliest, band.latest)


class _Lane:
    """One lane while it is laid out."""

    def __init__(self, picture: Picture, timeline: Timeline, lane: Lane, measure: Measure) -> None:
        self._picture, self._timeline, self._lane, self._measure = picture, timeline, lane, measure
        self._shelf = _Shelf()
        self._placed: list[tuple[Placed, int]] = []

    def row(self, top: float) -> Row:
        """Bands first, then what lasted, then the marks, each in the first row that has room."""
        for band in (one for one in self._timeline.bands if one.lane == self._lane):
            said = f"forecast {clock_of(band.earliest)} to {clock_of(band.latest)}"
            self._bar(band, band.earliest, band.latest, said, "band")
        for span in (one for one in self._timeline.spans if one.lane == self._lane):
            end = self._timeline.until if span.end is None else span.end
            label = span.label if span.end is not None else f"{span.label}, not over"
            self._bar(span, span.begin, end, label, "span")
        for mark, key, label in _together(self._timeline, self._lane):
            self._mark(mark, key, label)
        placed = tuple(self._moved(one, top, number) for one, number in self._placed)
        height = max(1, len(self._shelf.taken)) * ROW + 2 * PAD
        return Row(lane=self._lane, name=LANES[self._lane], top=top, height=height, placed=placed)

    def _moved(self, one: Placed, top: float, number: int) -> Placed:
        y = top + PAD + (number + 0.5) * ROW
        return Placed(one.what, one.key, one.x, one.right, y, one.label, one.text_x, one.anchor, one.inside)

    def _bar(self, what: Span | Band, begin: float, end: float, label: str, kind: str) -> None:
        number = (self._timeline.spans if isinstance(what, Span) else self._timeline.bands).index(what)
        left = self._picture.x(begin)
        right = max(self._picture.x(end), left + 3)
        wide = self._measure(label)
        if isinstance(what, Span) and wide + 2 * GAP <= right - left:
            # bars that touch stand in one row
            where, anchor, inside, taken = left + GAP, "start", True, (left + GAP, right - GAP)
        else:
            where, anchor, taken = self._beside(left, right, wide)
            inside = False
        row = self._shelf.put(*taken)
        self._placed.append((Placed(what, f"{kind}-{number}", left, right, 0, label, where, anchor, inside), row))

    def _mark(self, mark: Mark, key: str, label: str) -> None:
        at = self._picture.x(mark.at)
        where, anchor, taken = self._beside(at - MARK, at + MARK, self._measure(label))
        # it may touch the bar whose end it marks
        row = self._shelf.put(taken[0] + GAP if anchor == "start" else taken[0], taken[1])
        self._placed.append((Placed(mark, key, at, at, 0, label, where, anchor), row))

    def _beside(self, left: float, right: float, wide: float) -> tuple[float, str, tuple[float, float]]:
        """A label stands to the right; where there is no room before the edge or a cut, to the left."""
        edges = [(self._picture.x(one.begin), self._picture.x(one.end)) for one in self._picture.axis.pieces if one.cut]
        most = min([WIDTH - 2, *(begin for begin, _ in edges if begin >= right)])
        least = max([GUTTER, *(end for _, end in edges if end <= left)])
        if right + GAP + wide <= most or left - GAP - wide < least:
            return right + GAP, "start", (left, right + GAP + wide)
        return left - GAP, "end", (left - GAP - wide, right)


def _together(timeline: Timeline, lane: Lane) -> Iterable[tuple[Mark, str, str]]:
    """The marks of a lane with their keys and labels; many of one moment and kind are one."""
    numbered = [(number, mark) for number, mark in enumerate(timeline.marks) if mark.lane == lane]
    for _, group in groupby(numbered, key=lambda one: (one[1].at, one[1].shape, one[1].tone)):
        here = list(group)
        if len(here) <= TOGETHER:
            yield from ((mark, f"mark-{number}", mark.label) for number, mark in here)
        else:
            number, first = here[0]
            yield first, f"mark-{number}", f"{first.label} and {len(here) - 1} more"
