"""What a failed activity tells: the word, the sentence, and the changes that were made before it failed."""

from typing import Any

from pydantic import ValidationError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as StepTimeout

from activities.errors import NEVER_RETRIED
from cluster.plan import Made


def reason(error: ActivityError) -> tuple[str, str]:
    """Why a step failed: one of the seven words (or what else it was) and the sentence that came with it."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "Error", cause.message
    if isinstance(cause, StepTimeout):
        last = cause.cause
        if isinstance(last, ApplicationError):
            return last.type or "Error", f"{last.message} (still so at the end of the step's time)"
        return (
            "Unreachable",
            "nothing was reported within the step's time: its worker is gone, or it was paused too long",
        )
    return type(cause).__name__, str(cause)


def may_pass(error: ActivityError) -> bool:
    """It may be otherwise at the next attempt: no answer, not yet, a worker that is gone; no final word."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return not cause.non_retryable and cause.type not in NEVER_RETRIED
    return isinstance(cause, StepTimeout)


def made_by(error: ActivityError) -> Made:
    """The changes of the failed attempts, as far as they were told: with the error, or with the last beat."""
    cause = error.cause
    told: list[Any] = []
    if isinstance(cause, ApplicationError):
        told = list(cause.details[:1])
    elif isinstance(cause, StepTimeout):
        told = list(cause.last_heartbeat_details[1:2])
        if not told and isinstance(cause.cause, ApplicationError):
            told = list(cause.cause.details[:1])
    try:
        return Made.model_validate(told[0]) if told else Made()
    except ValidationError:
        return Made()
