"""What a returned site has to show before anything may move there, and for how long. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import Field

from cluster.nouns import Value
from cluster.plan import Finding
from cluster.units import seconds


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
    case. Both in the cluster's time. `resting`: its nodes may be in maintenance. `nodes`: those that are back, where
    not all of them are.
    """

    site: str
    soak: timedelta
    known: tuple[str, ...] | None = None
    until: timedelta = Field(default=timedelta(minutes=10))
    resting: bool = False
    nodes: tuple[str, ...] | None = None

    def held_since(self, beat: Sequence[Any]) -> float | None:
        """Since when all have held, as an earlier attempt has told with its last beat."""
        told = beat[0][1] if beat and isinstance(beat[0], list) and len(beat[0]) == 2 else None
        return told if isinstance(told, float) else None


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
    """Since when all checks have held; POSIX time of the worker."""

    since: float | None = None

    def lasted(self, checks: Sequence[Check], now: float) -> timedelta:
        """For how long they have held together by now; one that fails begins it anew."""
        if not all(check.holds for check in checks):
            self.since = None
            return timedelta()
        self.since = now if self.since is None else self.since
        return timedelta(seconds=now - self.since)


def named(checks: tuple[Check, ...], held: timedelta, soak: timedelta) -> QuarantineFinding:
    """The checks in a sentence."""
    failing = [check for check in checks if not check.holds]
    if failing:
        said = "; ".join(f"{check.title}: {check.said}" for check in failing)
        return QuarantineFinding(finding=f"held back: {said}", checks=checks)
    holds = held >= soak
    so_long = f"{len(checks)} checks have held for {seconds(held)}" if soak else f"{len(checks)} checks hold"
    said = so_long if holds else f"{so_long}, {seconds(soak)} are wished"
    return QuarantineFinding(finding=said, checks=checks, held=held, holds=holds)
