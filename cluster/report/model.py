"""What a report says, as data: the page, the Markdown and the JSON are drawn from this and from nothing else.

What is not known is told as not known: an empty text, or None, and never a guess.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from cluster.nouns import Value

# The rows of the picture, from above to below.
Lane = Literal[
    "verdict",
    "power",
    "votes",
    "quorum",
    "nodes",
    "fencing",
    "guests",
    "storage",
    "approvals",
    "people",
    "quorate",
]
LANES: dict[Lane, str] = {
    "verdict": "Verdict",
    "power": "Power",
    "votes": "Votes",
    "quorum": "Quorum",
    "nodes": "Nodes",
    "fencing": "Fencing",
    "guests": "Guests",
    "storage": "Pod and paths",
    "approvals": "Approvals",
    "people": "Operators",
    "quorate": "Quorate",
}
# good: as designed. bad: lost, down, refused. odd: needs attention. person: said by people. plain: told.
Tone = Literal["good", "bad", "odd", "person", "plain"]
# How a mark is drawn, so that no colour has to be seen: a fact that was seen, a change that was made, a person, a
# figure of the article, something that failed or was refused.
Shape = Literal["seen", "change", "person", "article", "failed"]


class Mark(Value):
    """Something at one moment. `at`: seconds after T0 in the cluster's own time; `label` for the picture."""

    lane: Lane
    at: float
    when: datetime | None
    shape: Shape = "seen"
    tone: Tone = "plain"
    label: str
    text: str


class Span(Value):
    """Something that lasted. `end` is None where the record ends before it was over; `row` sorts inside the lane."""

    lane: Lane
    begin: float
    end: float | None
    tone: Tone = "plain"
    label: str
    text: str
    row: str = ""


class Band(Value):
    """When something was expected: between `earliest` and `latest` seconds after T0."""

    lane: Lane
    earliest: float
    latest: float
    text: str


class Timeline(Value):
    """The picture as data, on one axis: seconds after `t0`, of which `speed` pass in one second of the wall."""

    t0: datetime
    t0_is: str
    speed: float = 1.0
    until: float
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...] = ()
    spans: tuple[Span, ...] = ()
    bands: tuple[Band, ...] = ()


class Figure(Value):
    """One of the numbers that are read first."""

    name: str
    value: str
    note: str = ""
    tone: Tone = "plain"


class Phase(Value):
    """Forecast beside measured, seconds after T0. `article` is what the article has measured, where it applies."""

    name: str
    article: float | None = None
    earliest: float | None = None
    latest: float | None = None
    measured: float | None = None
    said: str
    tone: Tone = "plain"


class GuestTime(Value):
    """A guest's downtime in seconds of the cluster's time. `most` counts from the last proof of life.

    `least` leaves out the time in which the loss may have come later. `allowed` is what it is measured against.
    """

    sid: str
    name: str = ""
    came_from: str = ""
    runs_on: str = ""
    begin: datetime | None = None
    until: datetime | None = None
    most: float | None = None
    least: float | None = None
    outages: int = 1
    allowed: float | None = None
    said: str
    tone: Tone = "plain"


class Voice(Value):
    """What a person has said to the run, and what became of it. `signed`: by a key, else the name is a claim."""

    at: datetime
    by: str
    what: str
    about: str = ""
    accepted: bool = True
    said: str = ""
    fingerprint: str = ""
    signed: bool | None = None
    run: str = ""


class Change(Value):
    """One change: planned, made, or both."""

    where: str
    what: str
    target: str
    detail: str = ""
    sign: str = ""
    by: str = ""
    at: datetime | None = None
    made: bool = False


class Row(Value):
    """One step. `state` is the page's word; `began` and `took` by the clock of the wall."""

    title: str
    state: str
    sign: str
    at: float
    began: datetime | None
    took: float
    finding: str
    changes: int = 0
    run: str = ""


class Proof(Value):
    """What was proven at the end, layer by layer."""

    about: str
    said: str


class Rest(Value):
    """Something that is not as it was, and why."""

    what: str
    why: str


class Source(Value):
    """A record that the report was made from. `digest` is that of its last line; `verified` by whom, and how."""

    run: str
    runbook: str
    execution: str
    lines: int
    first: datetime
    last: datetime
    digest: str
    verified: str = ""
    signer: str = ""
    trace: str = ""
    ended: bool = True


class Report(Value):
    """What happened in one run and in those that belong to it."""

    version: Literal[1] = 1
    run: str
    runbook: str
    cluster: str
    title: str
    outcome: str
    tone: Tone
    began: datetime
    ended: datetime | None
    as_of: datetime
    doubt: str = ""  # why this record is not to be believed; empty where nothing speaks against it
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    timeline: Timeline
    phases: tuple[Phase, ...] = ()
    forecast_why: str = ""
    guests: tuple[GuestTime, ...] = ()
    objective: str = ""
    voices: tuple[Voice, ...] = ()
    needed: str = ""
    outstanding: tuple[Rest, ...] = ()
    rests_known: bool = True
    planned: tuple[Change, ...] = ()
    plan: str = ""
    made: tuple[Change, ...] = ()
    proofs: tuple[Proof, ...] = ()
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[Row, ...] = ()
    sources: tuple[Source, ...] = Field(min_length=1)
