"""A reference to an activity: its name on the wire, what it takes and what it answers. Pure."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Takes = TypeVar("Takes")
Answers = TypeVar("Answers", covariant=True)


@dataclass(frozen=True)
class Activity(Generic[Takes, Answers]):
    """An activity as both sides know it: its name, what it takes, what it answers.

    The first word of `name` is the room that it is in. `formerly` is the name before the rooms had these names: a
    run that was begun then keeps it to its end, and a worker serves both.
    """

    name: str
    takes: type[Takes]
    answers: type[Answers]
    formerly: str = ""

    def is_called(self, name: str) -> bool:
        """That is its name, or was."""
        return name in (self.name, self.formerly)
