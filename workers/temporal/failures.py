"""Failures as a person reads them in the Temporal UI: one sentence, no stack trace, no library's own words.

A trace names files of the worker's machine and helps nobody who can only answer or start again; the worker's log has
it where it is a bug. Input that does not fit is told with the field, the value and an example.
"""

from typing import ClassVar

from pydantic import ValidationError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError

from activities.clients.masks import MASKS
from runbooks import ALL_RUNBOOKS
from workers.catalogue import example
from workers.errors import complaints
from workflows.messages import Abort, Answer, Note, Pause, Resume

# What a start form takes is the runbook's to say; these are for what is said to a run.
MESSAGES = {
    Answer: '{"answer": "retry"}',
    Note: '{"text": "spare controller ordered", "by": "ana"}',
    Pause: '{"by": "ana", "why": "the array is being repaired"}',
    Resume: '{"by": "ana"}',
    Abort: '{"by": "ana", "why": "wrong cluster"}',
}


class PlainFailures(DefaultFailureConverter):
    """Turns exceptions into failures without traces."""

    # by the name of the model; known before any run, since a workflow's sandbox would import runbooks anew
    examples: ClassVar[dict[str, str]] = {
        **{kind.__name__: said for kind, said in MESSAGES.items()},
        **{runbook.about.request.__name__: example(runbook) for runbook in reversed(ALL_RUNBOOKS)},
    }

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """The failure of an exception and of its causes, without what a device has repeated of a secret."""
        if isinstance(exception, ValidationError):
            exception = ApplicationError(self.sentence(exception), type="WrongInput", non_retryable=True)
        super().to_failure(exception, payload_converter, failure)
        part = failure
        while True:
            part.message, part.stack_trace = MASKS.text(part.message), ""
            if not part.HasField("cause"):
                return
            part = part.cause

    def sentence(self, error: ValidationError) -> str:
        """What is wrong with the input, field by field, and what right input looks like."""
        title = error.title.removeprefix("nullable[").removesuffix("]")  # of an optional parameter
        said = "; ".join(complaints(error))
        return f"{said}. Example: {self.examples[title]}" if title in self.examples else said
