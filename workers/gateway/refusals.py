"""How the event gateway says no: one form for every refusal, and never what was sent."""

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

# pydantic's own words for what happens most often, in ours
_PLAIN = {"missing": "is missing", "literal_error": "has a value that is not known here"}


class Refusal(BaseModel):
    """The body of every answer from 400 on."""

    error: str = Field(description="what is wrong, in one sentence")
    field: str | None = Field(default=None, description="where: a dotted path in the body, or a header")
    remedy: str = Field(description="what to do about it")


class Refused(Exception):
    """A request that is not taken: the status, and what a person reads. `again_in` is in seconds."""

    def __init__(
        self, status: int, error: str, remedy: str, *, field: str | None = None, again_in: float | None = None
    ) -> None:
        self.status, self.again_in = status, again_in
        self.refusal = Refusal(error=error, field=field, remedy=remedy)
        super().__init__(error)


def from_validation(error: ValidationError, *, prefix: str = "") -> Refused:
    """The first thing that is wrong with a body: 400 when it is no JSON at all, else 422 and the field."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return Refused(400, f"the body is not JSON: {first['msg']}", "send one JSON document in UTF-8", field="body")
    field = prefix + _dotted(first["loc"]) or "body"
    return Refused(422, f"{field}: {_words(first)}", "/openapi.json describes what this source may send", field=field)


def _words(error: ErrorDetails) -> str:
    return _PLAIN.get(error["type"]) or error["msg"].removeprefix("Value error, ")


def _dotted(place: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
