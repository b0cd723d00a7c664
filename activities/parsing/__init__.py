"""From a command's text to a model. Pure: these modules neither run commands nor judge what they read.

The traps they know are listed in the host-outputs reference. A reader raises ValueError on text that it cannot read,
for nobody to see: `reader` makes it the word of the one who said it. Every other error is a bug of ours, and shows.
"""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from pydantic import ValidationError

from activities.errors import Unreachable

T = TypeVar("T")
P = ParamSpec("P")


# Letters of a line. A rule of multipath's blacklist may be long, everything else has a few hundred; matching a pattern
# can take the square of it, in which nobody else is looked at.
LONGEST = 8192


class Said(str):
    """What a command said; `by` is who said it, for the one who cannot read it."""

    by: str = "a host"

    @classmethod
    def of(cls, host: str, command: str, text: str) -> "Said":
        """The output of a command on a host."""
        said = cls(text)
        said.by = f"{host}: `{command}`"
        return said


def reader(parse: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
    """A function from text to a model whose ValueError is Unreachable: another attempt may find readable text."""

    @functools.wraps(parse)
    def read(text: str, /, *more: P.args, **named: P.kwargs) -> T:
        try:
            if (longest := max(map(len, text.splitlines()), default=0)) > LONGEST:
                raise ValueError(f"a line of {longest} letters")
            return parse(text, *more, **named)
        except ValueError as error:
            # pydantic speaks of models and fields: the text itself tells more
            reason = repr(text.strip()[:80]) if isinstance(error, ValidationError) else str(error)
            by = text.by if isinstance(text, Said) else Said.by
            raise Unreachable(f"{by} says something that cannot be read: {reason}") from None

    return read
