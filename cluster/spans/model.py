"""A span: something that a run did or waited for, from when to when, as a reader of traces needs it.

Times are nanoseconds since 1970 in UTC, as OpenTelemetry has them. Ids are hexadecimal, as people copy them.
"""

from typing import Any

from pydantic import Field

from cluster.nouns import Value

# The attributes that name a span's workflow: ours, and that of Temporal's own spans.
WORKFLOW = ("quorate.run", "temporalWorkflowID")

# How spans begin that take what is said to a run: signals and updates.
MESSAGES = ("signal ", "update ")
STOPPED = "Stopped"  # the word of what was cancelled
# Attributes of one span for many calls that failed alike: how many, and how many seconds they took, without the pauses.
TIMES, IN_CALLS = "quorate.times", "quorate.seconds_in_calls"


class Moment(Value):
    """An event of a span: who answered, what was refused."""

    name: str
    at: int
    attributes: dict[str, Any] = Field(default_factory=dict)


class Tie(Value):
    """A link to a span of this trace or of another one."""

    trace: str
    span: str
    attributes: dict[str, Any] = Field(default_factory=dict)


class Span(Value):
    """One span; `end` is None while it is under way, `parent` empty where it begins a trace.

    `failed` says that it has ended badly, `word` why: one of the seven words, an HTTP status, an exception.
    """

    trace: str
    id: str
    parent: str = ""
    name: str
    start: int
    end: int | None = None
    failed: bool = False
    word: str = ""
    service: str = ""
    attributes: dict[str, Any] = Field(default_factory=dict)
    moments: tuple[Moment, ...] = ()
    ties: tuple[Tie, ...] = ()

    @property
    def message(self) -> bool:
        """What another run or a person has said to this one: its link names who said it, and no cause."""
        return self.name.startswith(MESSAGES)

    @property
    def stopped(self) -> bool:
        """It was cancelled: by a person, or because nobody needed it any more."""
        return self.failed and self.word == STOPPED

    @property
    def folded(self) -> bool:
        """It stands for calls that failed alike, one after the other, from the first of them to the last."""
        return TIMES in self.attributes

    @property
    def times(self) -> int:
        """For how many calls it stands."""
        return int(self.attributes.get(TIMES, 1))

    @property
    def in_calls(self) -> int:
        """Nanoseconds that the calls took which it stands for."""
        return int(float(self.attributes.get(IN_CALLS, 0)) * 1e9)

    @property
    def workflow(self) -> str:
        """The workflow that it is of, by Temporal's own name for it; empty where it is of none."""
        return next((str(self.attributes[name]) for name in WORKFLOW if name in self.attributes), "")
