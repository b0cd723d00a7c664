"""A reference to an activity: its name on the wire, what it takes and what it answers. Pure."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Takes = TypeVar("Takes")
Answers = TypeVar("Answers", covariant=True)


@dataclass(frozen=True)
class Activity(Generic[Takes, Answers]):
    """An activity as both sides know it: its name, what it takes, what it answers.

    The first word of `name` is the room that it is in. `formerly` is the name in histories that were recorded before
    the rooms had these names; it is asked for only when such a history is replayed.
    """

    name: str
    takes: type[Takes]
    answers: type[Answers]
    formerly: str = ""
