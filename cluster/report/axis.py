"""One time axis for seconds and for days: a long silence between two clusters of events is cut out, and shown as cut.

Inside a piece time runs evenly, so distances can be read; only a cut, which is drawn as one, hides time.
"""

from collections.abc import Iterable
from itertools import pairwise
from math import sqrt

from cluster.nouns import Value

# A silence is cut when it is longer than this, and longer than this share of all the time that is shown.
SILENCE, SHARE = 600.0, 0.35
MOST = 3
# How much of the width a cut takes, and how much room is left before the first and after the last event.
CUT, ROOM = 0.04, 0.015
# Steps between two ticks, in seconds: a person counts in these.
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800)


class Piece(Value):
    """A stretch of time, in seconds, and of the picture's width, from 0 to 1. One that is `cut` hides its time."""

    begin: float
    end: float
    left: float
    right: float
    cut: bool = False

    def place(self, at: float) -> float:
        """Where a moment of it stands."""
        if self.end == self.begin:
            return self.left
        return self.left + (at - self.begin) / (self.end - self.begin) * (self.right - self.left)


class Axis(Value):
    """The pieces, in order."""

    pieces: tuple[Piece, ...]

    def place(self, at: float) -> float:
        """Where a moment stands, between 0 and 1; what lies outside stands at the edge."""
        for piece in self.pieces:
            if at <= piece.end:
                return max(piece.left, piece.place(at))
        return self.pieces[-1].right

    def ticks(self, apart: float) -> tuple[float, ...]:
        """Round moments, no two of them nearer than that share of the width."""
        found: list[float] = []
        for piece in self.pieces:
            if piece.cut:
                continue
            length, width = piece.end - piece.begin, piece.right - piece.left
            most = max(1.0, width / apart)
            step = next((one for one in STEPS if length / one <= most), STEPS[-1])
            first = -(-piece.begin // step) * step
            here = [first + step * n for n in range(int((piece.end - first) // step) + 1)]
            found += [
                at for at in here or [piece.begin] if not found or self.place(at) - self.place(found[-1]) >= apart
            ]
        return tuple(found)


def axis(moments: Iterable[float]) -> Axis:
    """An axis on which all of these have their place."""
    times = sorted(set(moments)) or [0.0]
    parts = _parts(times)
    weights = [sqrt(max(1.0, last - first)) for first, last in parts]
    free = 1 - CUT * (len(parts) - 1) - 2 * ROOM
    pieces: list[Piece] = []
    left = ROOM
    for number, ((first, last), weight) in enumerate(zip(parts, weights, strict=True)):
        if number:
            pieces.append(Piece(begin=pieces[-1].end, end=first, left=left, right=left + CUT, cut=True))
            left += CUT
        right = left + free * weight / sum(weights)
        pieces.append(Piece(begin=first, end=max(last, first + 1.0), left=left, right=right))
        left = right
    return Axis(pieces=tuple(pieces))


def _parts(times: list[float]) -> list[tuple[float, float]]:
    """First and last moment of each stretch that is shown."""
    gaps = {(first, last): last - first for first, last in pairwise(times)}
    cuts: set[tuple[float, float]] = set()
    for gap in sorted(gaps, key=gaps.__getitem__, reverse=True)[:MOST]:
        shown = times[-1] - times[0] - sum(last - first for first, last in cuts)
        if gaps[gap] > SILENCE and gaps[gap] > SHARE * shown:
            cuts.add(gap)
    edges = sorted(cuts)
    starts = [times[0], *(last for _, last in edges)]
    ends = [*(first for first, _ in edges), times[-1]]
    return [_with_room(first, last) for first, last in zip(starts, ends, strict=True)]


def _with_room(first: float, last: float) -> tuple[float, float]:
    """A lone moment gets a minute, so that it stands somewhere."""
    return (first, last) if last > first else (first, first + 60.0)
