"""When people who have not decided are told once more, before their time is over. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from cluster.units import LENGTH, parse_duration

# Of a short time an hour before its end would be its beginning.
AT_MOST = 0.25


def _parsed(value: object) -> object:
    """``"50%"`` to a share of the time; everything else is a duration."""
    if isinstance(value, float) and 0 < value < 1:
        return value
    if isinstance(value, str) and value.strip().endswith("%"):
        number = value.strip().removesuffix("%").strip()
        if not number.isdecimal() or not 0 < int(number) < 100:
            raise ValueError(f"{value!r} is no share of the time: write 1% to 99%, or a duration such as 1h")
        return int(number) / 100
    parsed = parse_duration(value)
    if isinstance(parsed, timedelta) and parsed <= timedelta():
        raise ValueError(f"{value!r} is not before the end: write a duration such as 1h, or a share such as 50%")
    return parsed


# So long before the end: a duration, or a share of the whole time.
_SHARE = {
    "type": "string",
    "pattern": r"^\s*[1-9][0-9]?\s*%\s*$",
    "description": "a share of the time",
    "examples": ["50%"],
}
Before = Annotated[
    timedelta | float,
    BeforeValidator(_parsed),
    WithJsonSchema({"anyOf": [LENGTH, _SHARE, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}]}),
]


def reminders(before: Sequence[timedelta | float], opened: datetime, until: datetime) -> tuple[datetime, ...]:
    """The moments, each once and in their order. A duration counts for a quarter of the time at most."""
    whole = until - opened
    spans = {one * whole if isinstance(one, float) else min(one, whole * AT_MOST) for one in before}
    return tuple(sorted(until - span for span in spans))
