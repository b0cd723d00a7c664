"""A decision of a run, explained: what was decided, from what, and whether that was right given what was seen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from cluster.audit.line import Line
from cluster.nouns import Value

What = Literal["verdict", "incident", "vote", "gate", "change", "fencing"]
# `unknown`: what it was decided from is not on record, or cannot be read any more.
Finding = Literal["right", "wrong", "unknown"]
# What a judgement of an earlier version lacks.
EARLIER = "an earlier version of Quorate recorded it without the facts"


class Explained(Value):
    """One decision. `n` is its line, `what` the decision as it is recorded, `because` the reasons given then.

    `seen` is what it was decided from. `rules` are those of then; `today` are the ones that it was computed with now,
    where they are others. `should` is what it should have been, or what is missing.
    """

    n: int
    at: datetime
    kind: What
    what: str
    because: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    rules: str = ""
    today: str = ""
    found: Finding
    should: str = ""

    @property
    def conclusion(self) -> str:
        """In a sentence."""
        if self.found == "unknown":
            return f"not known whether it was right: {self.should}"
        by = f" (computed with today's rules {self.today}: those of then were {self.rules})" if self.today else ""
        return f"{'right given what was seen' if self.found == 'right' else f'WRONG: {self.should}'}{by}"


class Rules(Value):
    """The versions of the rules that are at hand now: of verdicts, of gates, of fencing."""

    verdict: str = ""
    gate: str = ""
    fencing: str = ""


def others(then: str, now: str) -> str:
    """Today's rules where they are not those of then; empty where they are the same, or were not recorded."""
    return now if then and now and then != now else ""


def part(line: Line, name: str) -> dict[str, Any]:
    """A part of a line's data that is an object; an empty one where it is none."""
    found = line.data.get(name)
    return dict(found) if isinstance(found, Mapping) else {}


def called(line: Line, *names: str) -> bool:
    """The line is of one of these activities, and it has answered."""
    return line.data.get("activity") in names and line.data.get("outcome") == "done"
