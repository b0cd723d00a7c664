"""Planned work that the watch knows of: which site or nodes may go dark, who has said so, why, and until when. Pure.

A silence hides nothing: what it covers stays in the verdict, marked as planned. What is covered is decided in
`cluster.judging.planned`, and a node on which a guest was seen is never covered.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from cluster.nouns import Value
from cluster.units import shortly

# Work of longer than two weeks is announced again: whoever has forgotten it is asked.
LONGEST = timedelta(days=14)
# People are told so long before the end that there is time to extend it; of a short one in its last quarter.
TOLD_BEFORE = timedelta(minutes=15)
# What a page, a notice and a pager have room for.
NAME, REASON = 60, 200


class Silence(Value):
    """An announcement that stands: a site's name or names of nodes, by whom, why, since and until when (UTC).

    `told`: people were told that its end is near.
    """

    where: tuple[str, ...]
    by: str
    why: str
    since: datetime
    until: datetime
    told: bool = False

    @property
    def near_its_end(self) -> datetime:
        """From then on people are told that it ends."""
        return self.until - min(TOLD_BEFORE, (self.until - self.since) / 4)

    @property
    def places(self) -> str:
        """In words: ``pxmx01-01, pxmx01-02``."""
        return ", ".join(self.where)

    def __str__(self) -> str:
        """In one line: ``site-a until 2026-11-28 18:00 UTC, by ana (replacing PDUs)``."""
        return f"{self.places} until {at(self.until)}, by {self.by} ({self.why})"


class SilenceWish(BaseModel):
    """``{"where": ["site-a"], "by": "ana", "why": "replacing PDUs", "until": "2026-11-28T18:00:00Z"}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: tuple[str, ...]
    by: str
    why: str
    until: datetime


class UnsilenceWish(BaseModel):
    """``{"where": ["site-a"], "by": "ana"}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: tuple[str, ...]
    by: str


def at(when: datetime) -> str:
    """A time as people read it: ``2026-11-28 18:00 UTC``."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def refused(wish: SilenceWish, site_of: Mapping[str, str], now: datetime) -> str:
    """Why it is not taken: field, value, remedy; empty when it is. `site_of`: node to site."""
    sites = sorted(set(site_of.values()))
    if not site_of:
        return "the watch does not know its nodes yet: say it again in some seconds"
    if not wish.where:
        return f"where: empty: name a site ({', '.join(sites)}) or nodes"
    if unknown := [name for name in wish.where if name not in site_of and name not in sites]:
        known = ", ".join((*sites, *sorted(site_of)))
        return f"where: {unknown[0]!r} is neither a site nor a node here: name one of {known}"
    if len(wish.where) > 1 and (named := [name for name in wish.where if name in sites]):
        return f"where: {named[0]!r} is a site, and stands beside other names: announce each site by itself"
    if wrong := _text("by", wish.by, NAME, "say who announces it") or _text("why", wish.why, REASON, "say why"):
        return wrong
    if wish.until.tzinfo is None:
        return f"until: {wish.until.isoformat()} has no time zone: write 2026-11-28T18:00Z"
    if wish.until <= now:
        return f"until: {at(wish.until)} is past: give an end that is to come; it is {at(now)} now"
    if wish.until - now > LONGEST:
        latest = at(now + LONGEST)
        return f"until: {at(wish.until)} is more than {LONGEST.days} days away: give an end before {latest}"
    return ""


def _text(field: str, value: str, longest: int, remedy: str) -> str:
    if not value.strip():
        return f"{field}: empty: {remedy}"
    if len(value) > longest:
        return f"{field}: {len(value)} letters: {longest} at most"
    if not value.isprintable():
        return f"{field}: {value!r} has letters that cannot be shown: {remedy} in one line of text"
    return ""


def not_there(where: Iterable[str], standing: Iterable[Silence]) -> str:
    """Why there is nothing to end: the value, and what stands; empty when it does."""
    wanted, known = sorted(set(where)), [one.places for one in standing]
    if any(sorted(one.where) == wanted for one in standing):
        return ""
    stand = f"announced is: {shortly(known, 10)}" if known else "nothing is announced"
    return f"where: {', '.join(wanted)!r} is not announced: {stand}"


def added(standing: tuple[Silence, ...], wish: SilenceWish, now: datetime) -> tuple[Silence, ...]:
    """With the new one, which takes the place of one for the same names."""
    where = tuple(sorted(set(wish.where)))
    one = Silence(where=where, by=wish.by.strip(), why=wish.why.strip(), since=now, until=wish.until)
    return (*without(standing, where), one)


def without(standing: Iterable[Silence], where: Iterable[str]) -> tuple[Silence, ...]:
    """All but the one for these names."""
    return tuple(one for one in standing if set(one.where) != set(where))
