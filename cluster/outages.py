"""How guests stand while an incident is open, and each guest's own outages. Pure."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from cluster.nouns import Value
from cluster.plan import Finding

# running: seen at work. unproven: HA says so, and a right or
# a node's word on its volumes is missing to prove it. down: not yet, HA is at it.
# hopeless: a person has to act. unseen: it ran, and nobody who could tell has answered since.
State = Literal["running", "unproven", "down", "hopeless", "unseen"]
# Whoever sees one of these again sees nothing new.
UP: tuple[State, ...] = ("running", "unproven")


class Standing(Value):
    """One guest now: where, and the proof or the reason. `up`: seconds for which it has run, where that is told."""

    state: State
    node: str = ""
    text: str = ""
    up: float | None = None

    def same(self, other: "Standing | None") -> bool:
        """No news; reasons and times may differ, and so may the node of one that runs nowhere."""
        if other is None or self.state != other.state:
            return False
        return self.state not in UP or self.node == other.node


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
    """When a guest ran nowhere, in UTC; `until` is empty while it lasts."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    sid: str
    begin: datetime = Field(alias="from")
    until: datetime | None = None


class Outages(Value):
    """All outages of an incident, oldest first."""

    known: tuple[Outage, ...] = ()

    def of(self, sid: str) -> tuple[Outage, ...]:
        """Those of one guest."""
        return tuple(one for one in self.known if one.sid == sid)

    def begun(self, sid: str, at: datetime) -> "Outages":
        """It runs nowhere from then on; nothing changes when it did so already."""
        if any(one.until is None for one in self.of(sid)):
            return self
        return Outages(known=(*self.known, Outage(sid=sid, begin=at)))

    def over(self, sid: str, at: datetime) -> "Outages":
        """It runs again."""
        closed = (
            one.model_copy(update={"until": at}) if one.sid == sid and one.until is None else one for one in self.known
        )
        return Outages(known=tuple(closed))
