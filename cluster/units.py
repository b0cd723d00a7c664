"""Quantities as people write them: ``10ms``, ``15m``, ``10TiB``.

Inside the program durations are ``timedelta`` and sizes are bytes; only the inventory file speaks in units.
"""

import re
from collections.abc import Iterable, Sized
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
_NUMBER_AND_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")


def parse_duration(value: object) -> object:
    """``"90s"`` to a timedelta; everything but such a text is left to pydantic (ISO 8601, timedelta).

    A bare number is refused: nobody can see its unit.
    """
    if isinstance(value, int | float):
        raise ValueError("a duration needs a unit: write 10ms, 90s, 15m, 2h or 7d")
    if isinstance(value, str) and (match := _NUMBER_AND_UNIT.fullmatch(value.strip())):
        number, unit = match.groups()
        if unit not in _SECONDS:
            raise ValueError(f"unit {unit!r} is unknown: write ms, s, m, h or d")
        return timedelta(seconds=float(number) * _SECONDS[unit])
    return value


def parse_size(value: object) -> object:
    """``"10TiB"`` to bytes; a bare integer is taken as bytes already."""
    if isinstance(value, str) and (match := _NUMBER_AND_UNIT.fullmatch(value.strip())):
        number, unit = match.groups()
        if unit not in _BYTES:
            raise ValueError(f"unit {unit!r} is unknown: write KiB, MiB, GiB, TiB or PiB")
        return int(float(number) * _BYTES[unit])
    return value


def size(number: int) -> str:
    """Bytes as people read them: ``10 TiB``, ``1 GiB``, ``512 bytes``."""
    for unit in reversed(_BYTES):
        if number >= _BYTES[unit]:
            return f"{round(number / _BYTES[unit], 2):g} {unit}"
    return f"{number} bytes"


def counted(number: int, one: str, many: str | None = None) -> str:
    """So many of them: ``1 guest``, ``2 guests``; `many` where an s is not enough."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def still_disabled(switches: Sized) -> str:
    """What is left of automatic moves that a run has disabled, in words: ``no switch is still disabled``."""
    if not switches:
        return "no switch is still disabled"
    return f"{counted(len(switches), 'switch is', 'switches are')} still disabled"


def are(names: Sized) -> str:
    """The verb after so many names: `is` after one, `are` after several."""
    return "is" if len(names) == 1 else "are"


def capital(sentence: str) -> str:
    """The sentence with a capital first letter; all others stay as they are, for they may be names."""
    return sentence[:1].upper() + sentence[1:]


def shortly(texts: Iterable[str], most: int = 5) -> str:
    """The first of them, and how many there are besides: ``a, b and 3 more``."""
    known = list(texts)
    return ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")


def seconds(duration: timedelta) -> str:
    """A duration as people read it on the page: ``340 ms``, ``12.4 s``, ``3 min 20 s``."""
    total = duration.total_seconds()
    if total < 0.01:
        return f"{total * 1000:.1f} ms"
    if total < 1:
        return f"{total * 1000:.0f} ms"
    if total < 60:
        return f"{total:.1f} s"
    return f"{int(total // 60)} min {int(total % 60)} s"


# What editors are told of them (JSON Schema).
LENGTH = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*$|^[+-]?P",
    "description": "a duration with its unit: ms, s, m, h or d",
    "examples": ["10ms", "90s", "15m", "2h", "7d"],
}
_BYTE_SIZE = {
    "anyOf": [
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(KiB|MiB|GiB|TiB|PiB)\s*$", "examples": ["1GiB", "10TiB"]},
        {"type": "integer", "exclusiveMinimum": 0},
    ],
    "description": "a size with its unit, KiB to PiB, or bytes",
}
Duration = Annotated[timedelta, BeforeValidator(parse_duration), WithJsonSchema(LENGTH, mode="validation")]
Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0), WithJsonSchema(_BYTE_SIZE, mode="validation")]


def written(duration: timedelta) -> str:
    """As an inventory has it, in the largest unit that leaves a whole number: ``90s``, ``12h``."""
    milliseconds = round(duration / timedelta(milliseconds=1))
    for unit, length in reversed(_SECONDS.items()):
        if milliseconds and milliseconds % round(length * 1000) == 0:
            return f"{milliseconds // round(length * 1000)}{unit}"
    return f"{milliseconds}ms"
