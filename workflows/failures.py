"""What a failed activity tells: the word, the sentence, and the changes that were made before it failed."""

from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as StepTimeout

from cluster.contracts.words import NEVER_RETRIED, NOTHING_REPORTED, STILL_SO
from cluster.plan import Made


def reason(error: ActivityError) -> tuple[str, str]:
    """Why a step failed: one of the seven words (or what else it was) and the sentence that came with it."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "Error", cause.message
    if isinstance(cause, StepTimeout):
        last = cause.cause
        if isinstance(last, ApplicationError):
            return last.type or "Error", f"{last.message} {STILL_SO}"
        return "Unreachable", NOTHING_REPORTED
    return type(cause).__name__, str(cause)


def may_pass(error: ActivityError) -> bool:
    """It may be otherwise at the next attempt: no answer, not yet, a worker that is gone; no final word."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return not cause.non_retryable and cause.type not in NEVER_RETRIED
    return isinstance(cause, StepTimeout)


def made_by(error: ActivityError) -> Made:
    """The changes of the failed attempts, as far as they were told: with the error, or with the last beat."""
    try:
        return Made.model_validate(_left_by(error)[1] or {})
    except ValidationError:
        return Made()


def told_by(error: ActivityError) -> Any:
    """The last progress of the failed attempts; None when none was told."""
    return _left_by(error)[0]


def again_in(error: ActivityError) -> timedelta | None:
    """How long the activity itself asks to be left alone before the next attempt."""
    cause = error.cause
    return cause.next_retry_delay if isinstance(cause, ApplicationError) else None


def _left_by(error: ActivityError) -> tuple[Any, Any]:
    """Progress and changes. An error carries them the other way round: its changes came first."""
    cause = error.cause
    if isinstance(cause, StepTimeout):
        told = (*cause.last_heartbeat_details, None, None)[:2]
        if told == (None, None) and isinstance(cause.cause, ApplicationError):
            cause = cause.cause
        else:
            return told[0], told[1]
    if isinstance(cause, ApplicationError):
        made, said = (*cause.details, None, None)[:2]
        return said, made
    return None, None
