"""Events from outside: hints that something has happened. Facts decide what it was.

An event never carries more than a line of text: it says where to look, and the looking is ours.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]


class Event(BaseModel):
    """One event. `source` is the inventory's name for the sender; `id` is the same whenever it is sent again."""

    model_config = ConfigDict(frozen=True)

    id: Line
    source: Line
    kind: Line  # what it is about in the sender's words: ``fencing``, an alert's name, a CloudEvents type
    subject: Line = ""  # the node, array or host it is about, where the sender says one
    severity: Line = ""
    text: Line = ""
    at: datetime | None = None  # when the sender says it happened


class EventBatch(BaseModel):
    """What arrived within a moment, oldest first: one message to the watch instead of hundreds."""

    model_config = ConfigDict(frozen=True)

    events: tuple[Event, ...]
