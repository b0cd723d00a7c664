"""One run as its record tells it: what it was asked, its steps, what people and other runs have said, its end.

`cluster.report.reading` makes it from the lines of the record. What a result holds besides its finding stays a mapping:
results have changed from version to version, and a report of an old run must still be written.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cluster.moments import Times
from cluster.nouns import Value
from cluster.report.model import Voice

Found = dict[str, Any]
# Activities that have borne other names: in version 0.1, and now.
FORMER = {
    "inventory.read": "records.inventory",
    "survivor.votes": "watch.survivor_votes",
    "survivor.pod": "watch.survivor_pod",
    "survivor.paths": "watch.survivor_paths",
    "quarantine.watch": "watch.quarantine",
    "facts.watch": "watch.look",
    "approvals.verify": "people.verify",
    "notices.send": "people.tell",
    "ledger.give_back": "records.give_back",
}


class Step(Value):
    """An activity that has ended, or has not yet. `word` and `message` say why one failed."""

    title: str
    activity: str
    asked: Found
    began: datetime
    ended: datetime | None
    found: Found
    left: tuple[Found, ...] = ()  # the changes that it had made before it failed
    word: str = ""
    message: str = ""
    attempts: int = 1
    quiet: bool = False  # it has no line on the page

    @property
    def finding(self) -> str:
        """The line that a person reads."""
        return str(self.found.get("finding", ""))

    @property
    def made(self) -> tuple[Found, ...]:
        """The changes that it has made and read back, whether it came to its end or not."""
        if not self.found:
            return self.left
        return tuple(map(mapping, self.found.get("changes", ()))) if self.found.get("changed") else ()


class Told(Value):
    """A run, all its executions together. `ended` is None while its record has no end."""

    run: str
    runbook: str
    execution: str
    parent: str = ""
    request: Found
    memo: Found
    began: datetime
    ended: datetime | None
    last: datetime
    report: Found
    word: str = ""
    failure: str = ""
    steps: tuple[Step, ...]
    voices: tuple[Voice, ...]
    verdicts: tuple["Verdict", ...]
    runs: tuple[str, ...] = ()
    lines: int
    digest: str

    @property
    def changed(self) -> int:
        """How many changes were made: by its report, and where it has left none by its steps."""
        said = number(self.report.get("changed"))
        return sum(len(step.made) for step in self.steps) if said is None else int(said)

    def of(self, *activities: str) -> Iterator[Step]:
        """The steps of these activities, in the order in which they ended."""
        for step in self.steps:
            if step.activity in activities:
                yield step

    def first(self, *activities: str) -> Step | None:
        """The first of them that was done."""
        return next((step for step in self.of(*activities) if step.found), None)

    @property
    def inventory(self) -> Found:
        """As the run has read it; empty when it has not."""
        step = self.first("records.inventory")
        return mapping(step.found.get("inventory")) if step else {}

    @property
    def speed(self) -> float:
        """How much faster than the clock of the wall the cluster's time ran: 1, but in a rehearsal."""
        step = self.first("records.inventory")
        if step is None:
            return 1.0
        return float(step.found.get("speed") or mapping(step.found.get("inventory")).get("speed") or 1.0)

    @property
    def opening(self) -> Found:
        """The verdict that it began with and the memory behind it: as the watch has told it, else its own first one."""
        told = mapping(self.request.get("opening"))
        return told or next((step.found for step in self.steps if step.found.get("verdict")), {})

    @property
    def cluster(self) -> str:
        """Its name."""
        return str(self.report.get("cluster") or self.inventory.get("name") or self.request.get("cluster") or "")

    @property
    def by(self) -> str:
        """Who has asked for it: a name, the watch, or nobody that is known."""
        if self.parent:
            return self.parent
        return str(self.request.get("by") or "")

    @property
    def guest_names(self) -> dict[str, str]:
        """Names of guests, as HA calls them, where a placement or the inventory tells them."""
        listed = {f"vm:{one['vmid']}": one["name"] for one in self.inventory.get("guests", ()) if "name" in one}
        for step in self.of("ha.placement"):
            seen = mapping(step.found.get("guests")).items()
            listed |= {sid: one["name"] for sid, one in seen if mapping(one).get("name")}
        return listed


class Verdict(Value):
    """What the cluster was taken for. `at` is when that was said."""

    at: datetime
    kind: str
    sentence: str
    reasons: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    run: str = ""


Told.model_rebuild()


class Clock(Value):
    """Both clocks of a report: T+ in the cluster's time."""

    t0: datetime
    speed: float = 1.0

    def at(self, when: datetime) -> float:
        """Seconds after T0."""
        return round((when - self.t0).total_seconds() * self.speed, 1)

    def when(self, at: float) -> datetime:
        """That moment by the wall."""
        return self.t0 + timedelta(seconds=at / self.speed)

    @property
    def times(self) -> Times:
        """For words."""
        return Times(t0=self.t0, speed=self.speed)


def mapping(value: object) -> Found:
    """A mapping, or an empty one: what is no mapping tells nothing."""
    return dict(value) if isinstance(value, Mapping) else {}


def texts(value: object) -> tuple[str, ...]:
    """Texts of a list, whatever it holds."""
    return tuple(str(one) for one in value) if isinstance(value, list | tuple) else ()


def moment(value: object) -> datetime | None:
    """A time with its zone, of what a result holds; None for anything that is none."""
    if isinstance(value, datetime):
        return value if value.tzinfo else None
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else None


def number(value: object) -> float | None:
    """A number; None for anything that is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def length(value: object) -> float:
    """Seconds of a duration as pydantic writes it, ``PT2.5S``; 0 for anything else."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(timedelta).validate_python(value).total_seconds()
    except ValidationError:
        return 0.0
