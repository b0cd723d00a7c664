"""The answer to "what do I do now?": how bad it is, what to do, by when, what never to do, and why.

One object, made by pure functions; the page, the terminal, `--json`, a notice and the run list show the same one.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal, get_args

from cluster.nouns import Value

# act now: a person has to do something, at any hour. decide: a person is asked, and there is a time until which.
# watch: it goes on by itself, a person may follow it. nothing: all is well, or it is over.
Urgency = Literal["act now", "decide", "watch", "nothing"]
URGENCIES: tuple[Urgency, ...] = get_args(Urgency)
WORDS: dict[Urgency, str] = {
    "act now": "Act now",
    "decide": "Decide",
    "watch": "Watch",
    "nothing": "No action needed",
}


class Task(Value):
    """One thing to do: an order, the command that does it where there is one, and who may do it.

    Without a `who` it is for whoever is on call.
    """

    do: str
    command: str = ""
    who: str = ""

    def __str__(self) -> str:
        """In one line, without the command: ``set up the quorum device again (two people)``."""
        return f"{self.do} ({self.who})" if self.who else self.do


class Answer(Value):
    """What one thing that is so asks of a person; `about` is its key, the same as long as it is the same thing.

    `title` says what is so and `stake` how bad that is. `automatic` is what happens without anybody. `guests` are those
    that it affects, by name. `by` is when the time to decide is over, in UTC. `why` are words of vantage points, and
    `unless` what would revise it. `planned`: people have announced it.
    """

    about: str
    urgency: Urgency
    title: str
    stake: str = ""
    by: datetime | None = None
    tasks: tuple[Task, ...] = ()
    never: tuple[str, ...] = ()
    automatic: str = ""
    guests: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    planned: bool = False

    @property
    def says(self) -> str:
        """How urgent it is, in words: ``Decide by 2026-11-28 16:20 UTC``."""
        if self.urgency == "decide" and self.by is not None:
            return f"Decide by {self.by:%Y-%m-%d %H:%M} UTC"
        return "Planned" if self.planned and self.urgency == "watch" else WORDS[self.urgency]

    @property
    def head(self) -> str:
        """The sentence that comes before all else."""
        return f"{self.says}: {self.title}." + (f" {self.stake}" if self.stake else "")


def together(answers: Iterable[Answer]) -> Answer | None:
    """All of them as one: the most urgent leads, among equals what was not planned; what others ask for comes after.

    The first task of each other one says what it is about. None when there is none.
    """
    ranked = sorted(answers, key=lambda one: (URGENCIES.index(one.urgency), one.planned))
    if not ranked:
        return None
    first = ranked[0]
    asking = [one for one in ranked if one.urgency in ("act now", "decide")] or [first]
    return first.model_copy(
        update={
            "tasks": tuple(dict.fromkeys(task for one in asking for task in _introduced(one, first))),
            "never": _without_parts(tuple(dict.fromkeys(text for one in ranked for text in one.never))),
            "guests": _once_each(guest for one in ranked for guest in one.guests),
            "by": min((one.by for one in asking if one.by is not None), default=None),
        }
    )


def _without_parts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """What another one begins with says nothing more."""
    return tuple(text for text in texts if not any(other != text and other.startswith(text) for other in texts))


def _once_each(guests: Iterable[str]) -> tuple[str, ...]:
    """Each guest once: where it was seen last says less than how it is now, which follows a colon."""
    known: dict[str, str] = {}
    for text in guests:
        name = text.partition(")")[0]
        if name not in known or (":" in text and ":" not in known[name]):
            known[name] = text
    return tuple(known.values())


def _introduced(one: Answer, first: Answer) -> Iterator[Task]:
    for number, task in enumerate(one.tasks):
        said = f"{one.title}: {task.do}" if number == 0 and one is not first else task.do
        yield task.model_copy(update={"do": said})


def instead(answers: tuple[Answer, ...], of: str, new: Answer | None, why: tuple[str, ...]) -> tuple[Answer, ...]:
    """The same with another one in the place of that key, which affects the same guests; `why` are its reasons."""
    if new is None:
        return answers
    return tuple(
        new.model_copy(update={"guests": one.guests, "why": why}) if one.about == of else one for one in answers
    )
