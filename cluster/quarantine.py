"""What a returned site has to show before anything may move there, and for how long. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from cluster.nouns import Value
from cluster.plan import Finding
from cluster.units import counted, seconds


class Check(Value):
    """One check of a returned site: what it found, or what speaks against it."""

    title: str
    holds: bool
    said: str


class QuarantineWish(Value):
    """Which site.

    `known` are the titles of the checks that failed at the last look: another set of them is told at once. Without it,
    nothing is told before all hold or the time is over.

    `soak`: for how long all checks have to hold without a break. `until`: after so long it tells what it has, in any
    case. Both in the cluster's time. `nodes`: those that are back, where not all of them are. `without` are checks that
    are left out: those that a move of ours itself would fail.

    A node in maintenance rests by design of people: it is told, and looked at no further. With `resting` the run itself
    is about to release the site's nodes, all but the `rested`: they are checked like those that take guests.
    """

    site: str
    soak: timedelta
    known: tuple[str, ...] | None = None
    until: timedelta = Field(default=timedelta(minutes=10))
    resting: bool = False
    rested: tuple[str, ...] = ()
    nodes: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()


def at_rest(wish: QuarantineWish, site: Sequence[str], states: Mapping[str, str]) -> tuple[str, ...]:
    """The nodes that rest by design of people, of HA's word for each node; `site` are all nodes of the site."""
    ours = set(site) - set(wish.rested) if wish.resting else set()
    return tuple(sorted(node for node, state in states.items() if state == "maintenance" and node not in ours))


class QuarantineFinding(Finding):
    """All checks, and for how long they have held together. `holds`: long enough."""

    checks: tuple[Check, ...]
    held: timedelta = timedelta()
    holds: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """Which checks fail: another set of them is news."""
        return tuple(check.title for check in self.checks if not check.holds)


@dataclass
class Held:
    """Since when all checks have held, by a clock that is never set: seconds of `time.monotonic` in one attempt.

    Another attempt begins anew: neither a worker's wall clock nor that of another worker can shorten the time.
    """

    since: float | None = None

    def lasted(self, checks: Sequence[Check], now: float) -> timedelta:
        """For how long they have held together by now; one that fails begins it anew."""
        if not all(check.holds for check in checks):
            self.since = None
            return timedelta()
        self.since = now if self.since is None else self.since
        return timedelta(seconds=now - self.since)


def named(
    checks: tuple[Check, ...], held: timedelta, soak: timedelta, asked: datetime, lasted: timedelta
) -> QuarantineFinding:
    """The checks in a sentence. `held` is in the cluster's time, `lasted` the same by our clock before `asked`."""
    at = f"asked at {asked:%H:%M:%S} UTC"
    failing = [check for check in checks if not check.holds]
    if failing:
        said = "; ".join(f"{check.title}: {check.said}" for check in failing)
        return QuarantineFinding(finding=f"held back: {said} ({at})", checks=checks)
    holds = held >= soak
    since = f"since {asked - lasted:%H:%M:%S}, {at}" if soak else at
    so_long = (
        f"{counted(len(checks), 'check has', 'checks have')} held for {seconds(held)}"
        if soak
        else counted(len(checks), "check holds", "checks hold")
    )
    said = f"{so_long} ({since})" if holds else f"{so_long} ({since}), {seconds(soak)} are required"
    return QuarantineFinding(finding=said, checks=checks, held=held, holds=holds)
