"""How guests stand while an incident is open, each guest's own outages, and by when it should be back. Pure."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from cluster.nouns import Value
from cluster.plan import Finding

# running: seen at work. unproven: HA says so, and a right or a node's word on its volumes is missing to prove it.
# down: not yet, HA is at it. hopeless: a person has to act.
# unseen: it ran, and nobody who could tell has answered since.
State = Literal["running", "unproven", "down", "hopeless", "unseen"]
# Whoever sees one of these again sees nothing new.
# How the text of a guest begins that a missing right keeps from being looked at.
NOT_VERIFIED = "HA calls it started; not verified"
UP: tuple[State, ...] = ("running", "unproven")
# Outages of one guest that are kept one by one: those of the first hour of a crash loop, and the newest ones.
FIRST, NEWEST = 20, 80


class Standing(Value):
    """One guest now: where, and the proof or the reason. `up`: seconds for which it has run, where that is told.

    `set_down`: it is hopeless because a person has taken it down or out of HA: HA is not to bring it back.
    """

    state: State
    node: str = ""
    text: str = ""
    up: float | None = None
    set_down: bool = False

    def same(self, other: "Standing | None") -> bool:
        """No news; reasons and times may differ, and so may the node of one that runs nowhere."""
        if other is None or (self.state, self.set_down) != (other.state, other.set_down):
            return False
        return self.state not in UP or (self.node == other.node and not self.restarted(other))

    def restarted(self, before: "Standing") -> bool:
        """Its process is a younger one on the same node: it was down between two looks, however short that was."""
        up = self.state in UP and before.state == "running" and self.node == before.node
        return up and self.up is not None and before.up is not None and self.up < before.up


class GuestsWish(Value):
    """Guests under HA, and how each stood last. `nodes` are all that may run them, `via` those that are asked first.

    `limit`: seconds after which it ends even if nothing is new; None for as long as the activity may last.
    """

    known: dict[str, Standing]
    nodes: tuple[str, ...]
    via: tuple[str, ...]
    vg: str
    limit: float | None = None


class GuestsFinding(Finding):
    """How every guest stands; `news` are those that stand otherwise than before."""

    standing: dict[str, Standing]
    news: tuple[str, ...] = ()


class Outage(Value):
    """When a guest ran nowhere, in UTC; `until` is empty while it lasts.

    `times` above one: so many outages between the two, told in one, which lasted `seconds` together.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    sid: str
    begin: datetime = Field(alias="from")
    until: datetime | None = None
    times: int = 1
    seconds: float | None = None

    @property
    def lasted(self) -> float:
        """Seconds for which it ran nowhere, as far as that is over."""
        if self.seconds is not None:
            return self.seconds
        return (self.until - self.begin).total_seconds() if self.until else 0.0

    def and_then(self, later: "Outage") -> "Outage":
        """Both told in one."""
        return self.model_copy(
            update={
                "until": later.until,
                "times": self.times + later.times,
                "seconds": round(self.lasted + later.lasted, 1),
            }
        )


class Outages(Value):
    """All outages of an incident, oldest first.

    Of a guest that falls for days those between the first and the newest ones are told in one: how many there were,
    and how long it was down in all, is kept.
    """

    known: tuple[Outage, ...] = ()

    def of(self, sid: str) -> tuple[Outage, ...]:
        """Those of one guest."""
        return tuple(one for one in self.known if one.sid == sid)

    def begun(self, sid: str, at: datetime) -> "Outages":
        """It runs nowhere from then on; nothing changes when it did so already."""
        if any(one.until is None for one in self.of(sid)):
            return self
        return Outages(known=(*self.known, Outage(sid=sid, begin=at)))._folded(sid)

    def _folded(self, sid: str) -> "Outages":
        """With no more than so many of this guest: the oldest of the newer ones joins those that are told in one."""
        here = [number for number, one in enumerate(self.known) if one.sid == sid]
        if len(here) <= FIRST + NEWEST:
            return self
        into, more = here[FIRST], here[FIRST + 1]
        known = list(self.known)
        known[into] = known[into].and_then(known[more])
        del known[more]
        return Outages(known=tuple(known))

    @property
    def count(self) -> int:
        """How many there were, also of those that are told in one."""
        return sum(one.times for one in self.known)

    def over(self, sid: str, at: datetime) -> "Outages":
        """It runs again."""
        closed = (
            one.model_copy(update={"until": at}) if one.sid == sid and one.until is None else one for one in self.known
        )
        return Outages(known=tuple(closed))


class Waits(Value):
    """By when each guest that is down should run again, and which ones are late. Each outage has a time of its own.

    `due`: guest to time, of those that are waited for; `late` are those of them that were told late.
    """

    due: dict[str, datetime] = Field(default_factory=dict)
    late: tuple[str, ...] = ()

    def now(self, down: Collection[str], due: datetime) -> "Waits":
        """These are down: one that was not yet is due then, and one that is not any more is late no more."""
        kept = {sid: self.due.get(sid, due) for sid in down}
        return Waits(due=kept, late=tuple(sid for sid in self.late if sid in kept))

    def until(self, due: datetime) -> "Waits":
        """There is a later forecast; who is late already stays so."""
        return self.model_copy(
            update={"due": {sid: when if sid in self.late else max(when, due) for sid, when in self.due.items()}}
        )

    def judged(self, at: datetime) -> tuple["Waits", tuple[str, ...]]:
        """Who is late by then, and of them those that were not told so."""
        new = tuple(sid for sid, when in self.due.items() if when <= at and sid not in self.late)
        return self.model_copy(update={"late": (*self.late, *new)}), new

    @property
    def next(self) -> datetime | None:
        """When the next one will be late; None while nobody is waited for within a forecast."""
        return min((when for sid, when in self.due.items() if sid not in self.late), default=None)
