"""Fields of what senders send: texts, names, times, each as lenient as what it is for allows."""

import hashlib
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, TypeAdapter, ValidationError

LINE = 300
_AWARE: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
# The largest number that every sender of JSON can write exactly.
LARGEST = 2**53


def _as_text(value: object) -> object:
    """A number that names something is a name, 7.0 as 7; what is no such number is left to be refused."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        return value
    return str(int(value)) if value == int(value) else value


def _said(value: object) -> str:
    """Whatever a sender says in a field that is only shown: a scalar as text, nothing for everything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(_as_text(value)) if abs(value) <= LARGEST else ""
    return value if isinstance(value, str) else ""


def as_object(value: object) -> object:
    """An object that a sender need not have: an empty one in place of everything else."""
    return value if isinstance(value, dict) else {}


def _labels(value: object) -> object:
    """Labels with any scalar as value; none at all where they are null."""
    if value is None:
        return {}
    return {name: _said(each) for name, each in value.items()} if isinstance(value, dict) else value


def _notes(value: object) -> object:
    """Annotations, which nobody has to have."""
    return _labels(as_object(value))


NotEmpty = Annotated[str, Field(min_length=1)]
Number = Annotated[int, Field(ge=0, le=LARGEST)]
Identifier = Annotated[NotEmpty, BeforeValidator(_as_text, json_schema_input_type=NotEmpty | Number)]
Said = Annotated[str, BeforeValidator(_said, json_schema_input_type=Any)]
Labels = Annotated[dict[str, str], BeforeValidator(_labels, json_schema_input_type=dict[str, Any] | None)]
Notes = Annotated[dict[str, str], BeforeValidator(_notes, json_schema_input_type=Any)]


def line(text: str) -> str:
    """A text as one line that can be shown and logged: no control characters, not too long."""
    seen = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * LINE])
    return " ".join(seen.split())[:LINE].strip()


def identity(*parts: str) -> str:
    """What names an event, readable; with a digest where a line cannot say all of it."""
    whole = "/".join(parts)
    shown = line(whole)
    if shown == whole:
        return whole
    return f"{shown[:200]}~{hashlib.sha256(whole.encode(errors='surrogatepass')).hexdigest()[:32]}"


def moment(text: str) -> datetime | None:
    """The time that a text tells in RFC 3339; None where it tells none."""
    try:
        return _AWARE.validate_python(text)
    except ValidationError:
        return None


def sensible(at: datetime) -> datetime | None:
    """None for what stands for no time (the year 1) and for what cannot be told in another zone."""
    return at if 1970 <= at.year <= 9998 else None
