"""An activity is asked by its reference, and its answer is read in the runbook itself.

The SDK reads a typed result before any line of the runbook runs: an answer of another shape would end the run right
there, without a landing. That happens with workers of two versions on one queue. Read here, it parks a step.
"""

from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue

from cluster.contracts.reference import Activity

Takes = TypeVar("Takes")
Answers = TypeVar("Answers")


class Undecodable(Exception):
    """An answer of a shape that this build does not know."""


def name_of(activity: Activity[Any, Any]) -> str:
    """Its name on the wire; the former one where a history of before it was renamed is replayed."""
    if activity.formerly and not workflow.patched("activities-by-system"):
        return activity.formerly
    return activity.name


def begun(activity: Activity[Takes, Answers], wish: Takes, **options: Any) -> workflow.ActivityHandle[Answers]:
    """Begin it, and read its answer as the SDK does; `options` are those of ``workflow.start_activity``."""
    handle: workflow.ActivityHandle[Answers] = workflow.start_activity(
        name_of(activity), wish, result_type=activity.answers, **options
    )
    return handle


async def ask(activity: Activity[Takes, Answers], wish: Takes, **options: Any) -> Answers:
    """The same, waited for."""
    return await begun(activity, wish, **options)


def read(activity: Activity[Any, Answers], raw: RawValue | None) -> Answers:
    """The answer as its type; Undecodable with the first field that does not fit."""
    if raw is None:
        raise Undecodable(f"{activity.name} answered nothing")
    try:
        found: Answers = workflow.payload_converter().from_payload(raw.payload, activity.answers)
    except (ValidationError, RuntimeError, ValueError) as error:
        where = _first(error)
        raise Undecodable(
            f"{activity.name} answered in a form that this build cannot read{where}: are workers of another version "
            "at work on this queue? Stop them, then answer retry"
        ) from error
    return found


def _first(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ValidationError):
        cause = cause.__cause__
    if cause is None:
        return ""
    found = cause.errors()[0]
    return f" ({'.'.join(map(str, found['loc'])) or cause.title}: {found['msg']})"
