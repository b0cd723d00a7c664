"""A report as one HTML page that stands by itself: no network, no script, every text escaped."""

from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cluster.moments import clock_of
from cluster.report.model import LANES, Report, Row, Tone
from cluster.report.words import full, length, time
from workers.report.lists import changes, marks
from workers.report.picture import svg

HERE = Path(__file__).parent
SIGNS: dict[Tone, str] = {"good": "✓", "bad": "✗", "odd": "!", "person": "▲", "plain": "·"}
TONES: dict[str, Tone] = {"done": "good", "warned": "odd", "parked": "odd", "failed": "bad", "stopped": "bad"}
KICKERS = {"SiteLoss": "Incident report", "NodeLoss": "Incident report", "ClusterIncident": "Incident report"}
PAGES = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def html(report: Report) -> str:
    """The page."""
    beginning = report.timeline.t0.date()
    return PAGES.get_template("page.html").render(
        report=report,
        kicker=KICKERS.get(report.runbook, "Report of a run"),
        style=Markup((HERE / "page.css").read_text()),  # noqa: S704 - our own file
        picture=Markup(svg(report.timeline, _title(report), _about(report))),  # noqa: S704 - drawn, and escaped there
        articled=any(phase.article is not None for phase in report.phases),
        uncertain=_uncertain(report),
        changes=list(changes(report)),
        steps=[(run, list(rows)) for run, rows in groupby(report.steps, key=_run)],
        marks=list(marks(report)),
        sign=SIGNS.__getitem__,
        tone_of=lambda state: TONES.get(state, "plain"),
        clock=clock_of,
        length=length,
        full=full,
        time=time,
        time_of_day=lambda when: time(when).removesuffix(" UTC"),
        day_time=lambda when: _day_time(when, beginning),
    )


def _run(row: Row) -> str:
    return row.run


def _day_time(when: datetime, beginning: Any) -> str:
    """The time of day; with its date where that is another one than T0's."""
    text = full(when).removesuffix(" UTC")
    return text if when.date() != beginning else text.partition(" ")[2]


def _title(report: Report) -> str:
    return f"Timeline: {report.title}"


def _about(report: Report) -> str:
    rows = ", ".join(LANES[lane] for lane in report.timeline.lanes)
    count = len(report.timeline.marks) + len(report.timeline.spans) + len(report.timeline.bands)
    where = "stand in words in the table Every mark of the picture"
    return f"One axis of time with the rows {rows}. Its {count} marks {where}."


def _uncertain(report: Report) -> float:
    spans = [one.most - one.least for one in report.guests if one.most is not None and one.least is not None]
    return max(spans, default=0.0)
