"""A line of a run's audit record, and how one line is tied to the next.

A record is made from the run's own history at Temporal, so whoever makes it anew gets the same bytes: canonical JSON
(RFC 8785), one object a line. Each line carries the SHA-256 of the one before.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import rfc8785
from pydantic import Field

from cluster.nouns import Value

# Beyond it JSON's numbers are no whole numbers any more (RFC 7493): a record writes such a one as a string of digits.
LARGEST = 2**53 - 1
# What stands in the first line of a record in place of the hash of the one before.
NOTHING = "0" * 64

Kind = Literal[
    "started",  # the run, with its input
    "step",  # an activity that has ended: what it was asked, what it found and changed, or why it failed
    "attempt",  # one attempt of it that failed and was followed by another
    "said",  # what a person has sent: pause, resume, answer, abort, note; taken or refused
    "vote",  # an approval or a rejection, with its signature and what became of it
    "told",  # what another run has sent: the watch to an incident, an incident to the watch
    "verdict",  # what the cluster was taken for, with the facts that it was computed from
    "state",  # how the run shows itself in the list of runs: running, attention, paused, done
    "waits",  # it waits until then, or for people
    "run",  # another run that it has begun, or that has ended
    "closed",  # its end: the report, or why it failed
]


class Line(Value):
    """One thing that happened in a run.

    `n` counts from 0 through all executions of the run, `at` is Temporal's time of the event, `event` its number in
    the history of the execution `execution`. `what` says it in words. `data` holds the facts, in the shape of `kind`.
    """

    version: Literal[1] = 1
    n: int = Field(ge=0)
    at: datetime
    run: str
    execution: str
    event: int = Field(ge=0)
    kind: Kind
    what: str
    data: dict[str, Any] = Field(default_factory=dict)
    prev: str = NOTHING

    @property
    def canonical(self) -> bytes:
        """The line as it is written, without its end of line."""
        said = self.model_dump(mode="json") | {"at": stamp(self.at)}
        return rfc8785.dumps(said)

    @property
    def digest(self) -> str:
        """SHA-256 of it, in hex digits: what the next line carries as `prev`."""
        return hashlib.sha256(self.canonical).hexdigest()


def read(text: bytes) -> Line:
    """The line of these bytes. ValueError unless they are, byte for byte, what `canonical` writes."""
    said = json.loads(text, parse_int=_number)
    line = Line.model_validate(said)
    if line.canonical != text:
        raise ValueError("it is not written in the canonical form")
    return line


def plain(value: Any) -> Any:
    """The same as canonical JSON can hold it: no whole number beyond 2^53, no NaN, no half of a character."""
    match value:
        case bool() | None:
            return value
        case int():
            return value if abs(value) <= LARGEST else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case list() | tuple():
            return [plain(one) for one in value]
        case dict():
            return {plain(str(name)): plain(one) for name, one in value.items()}
    raise TypeError(f"a record cannot hold a {type(value).__name__}")


def _number(digits: str) -> int | float:
    """A float of sixteen digits and more is written without a point: it is read as the float that it was."""
    return int(digits) if abs(int(digits)) <= LARGEST else float(digits)


def chained(lines: Iterable[Line], n: int = 0, prev: str = NOTHING) -> Iterator[Line]:
    """The same lines, counted from `n` on and each tied to the one before it."""
    for line in lines:
        tied = line.model_copy(update={"n": n, "prev": prev})
        yield tied
        n, prev = n + 1, tied.digest


def stamp(at: datetime) -> str:
    """A time as a record spells it: UTC, microseconds. ValueError for one that no calendar has in UTC."""
    try:
        return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except OverflowError as error:
        raise ValueError(f"the time {at.isoformat()} is out of range") from error
