"""An activity's answer is read in the runbook itself, so that one of another shape parks a step and ends no run.

The SDK reads a typed result before any line of the runbook runs: what does not fit would end the run right there,
without a landing. That happens with workers of two versions on one queue.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue


class Undecodable(Exception):
    """An answer of a shape that this build does not know."""


@dataclass(frozen=True)
class Call:
    """An activity by its name, and what it answers with."""

    name: str
    answers: Any

    @classmethod
    def of(cls, activity: Callable[..., Any] | str, result: Any = None) -> "Call":
        """That of an activity's own definition, or of a name and a type."""
        if isinstance(activity, str):
            return cls(activity, result)
        definition = getattr(activity, "__temporal_activity_definition")  # there is no public name for it
        return cls(definition.name, definition.ret_type)

    def read(self, raw: RawValue | None) -> Any:
        """The answer as its type; Undecodable with the first field that does not fit."""
        if raw is None:
            return None
        try:
            return workflow.payload_converter().from_payload(raw.payload, self.answers)
        except (ValidationError, RuntimeError, ValueError) as error:
            where = _first(error)
            raise Undecodable(
                f"{self.name} answered in a form that this build cannot read{where}: are workers of another version "
                "at work on this queue? Stop them, then answer retry"
            ) from error


def _first(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ValidationError):
        cause = cause.__cause__
    if cause is None:
        return ""
    found = cause.errors()[0]
    return f" ({'.'.join(map(str, found['loc'])) or cause.title}: {found['msg']})"
