"""A report as Markdown, for a ticket or a wiki: the same words as the page, the picture as a table."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from re import sub

from cluster.moments import clock_of
from cluster.report.model import Report
from cluster.report.words import full, length, time
from workers.report.lists import changes, marks

# What Markdown or HTML inside it would take for more than letters.
SPECIAL = r"([\\`*_{}\[\]<>()#+!|~$&])"


def markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    ended = full(report.ended) if report.ended else f"goes on; the record ends at {full(report.as_of)}"
    yield from (f"# {plain(report.title)}", "")
    yield f"{plain(report.cluster or 'cluster not known')} · {plain(report.outcome)} · {full(report.began)} to {ended}"
    yield from (f"Run {code(report.run)}", "")
    if report.doubt:
        yield from (f"**Do not rely on this report.** {plain(report.doubt)}", "")
    if report.timeline.speed != 1:
        speed = f"{report.timeline.speed:g}"
        said = f"The cluster's time ran {speed} times as fast as the clock on the wall; UTC is the wall's."
        yield from (f"**A rehearsal.** {said}", "")
    yield from (f"{number}. {plain(one)}" for number, one in enumerate(report.sentences, start=1))
    yield ""
    yield from _measured(report)
    yield from _people(report)
    yield from _changed(report)
    yield from _told(report)
    yield from _sources(report)


def _measured(report: Report) -> Iterator[str]:
    if report.phases:
        rows = [
            (
                one.name,
                "not known" if one.earliest is None else f"{clock_of(one.earliest)} to {clock_of(one.latest or 0.0)}",
                "–" if one.measured is None else clock_of(one.measured),
                "–" if one.article is None else clock_of(one.article),
                one.said,
            )
            for one in report.phases
        ]
        yield from _section("Forecast and measured")
        yield from _table(("Phase", "Forecast", "Measured", "The article", "Judgement"), rows)
    if report.guests:
        yield from _section("Downtime of each guest")
        yield from (plain(report.objective), "")
        guests = [
            (
                f"{one.name} {one.sid}".strip(),
                f"{one.came_from or 'not known'} → {one.runs_on or 'not back'}",
                "not known" if one.most is None else f"{length(one.most)} at most",
                one.said,
            )
            for one in report.guests
        ]
        yield from _table(("Guest", "Nodes", "Downtime", "Judgement"), guests)
    yield from _section("Not restored")
    none = "Nothing is outstanding." if report.rests_known else "Not known: the run has left no report."
    yield from [f"- {plain(one.what)}: {plain(one.why)}" for one in report.outstanding] or [none]


def _people(report: Report) -> Iterator[str]:
    yield from _section("Who decided")
    yield from (plain(report.needed), "")
    rows = [
        (
            full(one.at),
            one.by or "no name given",
            one.fingerprint or ("a claim, not signed" if one.signed is False else ""),
            ", ".join(filter(None, (one.what, one.about))),
            ": ".join(filter(None, ("accepted" if one.accepted else "refused", one.said))),
        )
        for one in report.voices
    ]
    if rows:
        yield from _table(("When", "Who", "Key", "What", "What became of it"), rows)
    yield from (f"> {plain(note)}" for note in report.notes)


def _changed(report: Report) -> Iterator[str]:
    listed = list(changes(report))
    if listed:
        yield from _section("Changes")
        if report.plan:
            yield from (f"Plan {code(report.plan)}.", "")
        rows = [
            (
                where,
                f"{one.sign} {one.what} {one.target} {one.detail}".strip(),
                time(one.at) if one.at else "planned only",
            )
            for where, group in listed
            for one in group
        ]
        yield from _table(("Where", "Change", "Made"), rows)
    if report.proofs:
        yield from _section("Proven at the end")
        yield from _table(("What", "Seen"), [(one.about, one.said) for one in report.proofs])
    if report.evidence:
        yield from _section("Evidence for the verdict")
        yield from (f"- {plain(one)}" for one in report.evidence)


def _told(report: Report) -> Iterator[str]:
    yield from _section("Steps")
    for run, steps in groupby(report.steps, key=lambda one: one.run):
        yield from (code(run), "")
        rows = [(clock_of(one.at) if one.at >= 0 else "–", f"{one.sign} {one.title}", one.finding) for one in steps]
        yield from _table(("T+", "Step", "Finding"), rows)
        yield ""
    yield from _section("Timeline")
    yield from (f"T0 is {plain(report.timeline.t0_is)}, {full(report.timeline.t0)}.", "")
    rows = [(f"{at} {until}".strip(), lane, text) for at, until, lane, text in marks(report)]
    yield from _table(("T+", "Row", "What"), rows)


def _sources(report: Report) -> Iterator[str]:
    yield from _section("The record behind this report")
    for one in report.sources:
        yield f"- {code(one.run)}: {one.lines} lines, hash of the last line {code(one.digest)}"
        yield f"  verified: {plain(one.verified or 'not known')}; trace: {plain(one.trace or 'not known')}"


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = tuple(heads)
    yield f"| {' | '.join(names)} |"
    yield f"|{' --- |' * len(names)}"
    yield from (f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows)


def plain(text: str) -> str:
    """A text that stays what it is: nothing in it becomes a link, an image, a cell or HTML."""
    return sub(SPECIAL, r"\\\1", text.replace("\n", " "))


def code(text: str) -> str:
    """A name as code; one that holds a backtick is escaped instead."""
    return plain(text) if "`" in text else f"`{text}`"
