"""Failures as a person reads them in the Temporal UI: one sentence, no stack trace, no library's own words.

A trace names files of the worker's machine and helps nobody who can only answer or start again; the worker's log has
it where it is a bug. Input that does not fit is told with the field, the value and an example.
"""

from typing import ClassVar

from pydantic import ValidationError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError

from workflows.messages import Abort, Answer, Note, Pause, Resume

EXAMPLES = {
    Answer: '{"answer": "retry"}',
    Note: '{"text": "spare controller ordered", "by": "ana"}',
    Pause: '{"by": "ana", "why": "the array is being repaired"}',
    Resume: '{"by": "ana"}',
    Abort: '{"by": "ana", "why": "wrong cluster"}',
}
SHOWN = 80


class PlainFailures(DefaultFailureConverter):
    """Turns exceptions into failures without traces."""

    examples: ClassVar[dict[str, str]] = {kind.__name__: example for kind, example in EXAMPLES.items()}

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """The failure of an exception and of its causes."""
        if isinstance(exception, ValidationError):
            exception = ApplicationError(self.sentence(exception), type="WrongInput", non_retryable=True)
        super().to_failure(exception, payload_converter, failure)
        part = failure
        while True:
            part.stack_trace = ""
            if not part.HasField("cause"):
                return
            part = part.cause

    def sentence(self, error: ValidationError) -> str:
        """What is wrong with the input, field by field, and what right input looks like."""
        title = error.title.removeprefix("nullable[").removesuffix("]")  # of an optional parameter
        wrong = []
        for one in error.errors(include_url=False):
            where = ".".join(str(part) for part in one["loc"]) or "input"
            given = repr(one["input"])
            wrong.append(f"{where}: {one['msg']}, given {given[:SHOWN]}{'…' if len(given) > SHOWN else ''}")
        example = self.examples.get(title, '{"mode": "apply"}')
        return f"{'; '.join(wrong)}. Right is for example {example}"
