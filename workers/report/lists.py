"""What page and Markdown list in the same way: changes, and everything that the picture shows, in words."""

from collections.abc import Iterable, Iterator

from cluster.moments import clock_of, t_plus
from cluster.report.model import LANES, Change, Report

# A change by where it is made, what it is, to what, and in which way.
Key = tuple[str, str, str, str]


def changes(report: Report) -> Iterator[tuple[str, list[Change]]]:
    """What was planned and what was made as one list, by place: a change that was made stands once."""
    made = {(one.where, one.what, one.target, one.detail): one for one in report.made}
    planned = {(one.where, one.what, one.target, one.detail): one for one in report.planned}
    listed, renamed = [], _renamed(planned, made)
    for key, one in planned.items():
        listed.append(made.get(renamed.get(key, key), one))
    known = {*planned, *renamed.values()}
    listed += [one for key, one in made.items() if key not in known]
    places = list(dict.fromkeys(one.where for one in listed))
    for where in places:
        yield where, [one for one in listed if one.where == where]


def _renamed(planned: Iterable[Key], made: Iterable[Key]) -> dict[Key, Key]:
    """What a plan could not name yet, as `of the new volume`: the same change at the same place, where none is left."""
    left: dict[tuple[str, str], tuple[list[Key], list[Key]]] = {}
    wanted, done = dict.fromkeys(planned), dict.fromkeys(made)
    for number, keys in enumerate((wanted.keys() - done.keys(), done.keys() - wanted.keys())):
        for key in (wanted, done)[number]:
            if key in keys:
                left.setdefault(key[:2], ([], []))[number].append(key)
    return {
        one: other
        for ours, theirs in left.values()
        if len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True)
    }


def marks(report: Report) -> Iterator[tuple[str, str, str, str]]:
    """Everything that is drawn, in words and in the order of time: when, until when, which row, what."""
    drawn: list[tuple[float, str, str, str, str]] = []
    timeline = report.timeline
    for mark in timeline.marks:
        drawn.append((mark.at, _t(mark.at), "", LANES[mark.lane], mark.text))
    for span in timeline.spans:
        until = "not over" if span.end is None else f"to {clock_of(span.end)}"
        drawn.append((span.begin, _t(span.begin), until, LANES[span.lane], span.text))
    for band in timeline.bands:
        drawn.append((band.earliest, _t(band.earliest), f"to {clock_of(band.latest)}", LANES[band.lane], band.text))
    for _, *row in sorted(drawn, key=lambda one: one[0]):
        yield row[0], row[1], row[2], row[3]


def _t(at: float) -> str:
    return t_plus(at) if at >= 0 else f"T-{clock_of(-at)}"
