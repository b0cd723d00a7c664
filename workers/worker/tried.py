"""The attempts of an activity that failed, carried along with its beats.

Temporal's history keeps the failure of one attempt alone, that before the last. The audit record has all of them, and
the history is its only source: so they come back with the result, or with the error.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients.masks import MASKS
from cluster.plan import Tried

# A step that waits for a resync may be tried for hours. Failures alike are one entry; of those that change again and
# again the first tell how it began, the last how it stood: some thirty kilobytes at most.
FIRST, LAST = 10, 40
LETTERS = 500
_MANY = TypeAdapter(tuple[Tried, ...])


def before(details: Sequence[Any]) -> tuple[Tried, ...]:
    """What the attempts before have told with their last beat."""
    try:
        return _MANY.validate_python(details[2]) if len(details) > 2 else ()
    except ValidationError:
        return ()  # the beat of another version


def and_this(tried: tuple[Tried, ...], error: Exception) -> tuple[Tried, ...]:
    """Those, and the attempt that has just failed with that error."""
    info = activity.info()
    said = error.message if isinstance(error, ApplicationError) else str(error)
    this = Tried(
        attempt=info.attempt,
        until=info.attempt,
        began=info.started_time,
        ended=datetime.now(UTC),
        word=(error.type if isinstance(error, ApplicationError) else None) or type(error).__name__,
        message=MASKS.text(said)[:LETTERS],
    )
    last = tried[-1] if tried else None
    if last and (last.until, last.word, last.message) == (this.attempt - 1, this.word, this.message):
        return (*tried[:-1], last.model_copy(update={"until": this.until, "ended": this.ended}))
    return (*tried[:FIRST], *tried[FIRST:][-LAST + 1 :], this)
