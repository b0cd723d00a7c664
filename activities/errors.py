"""The seven words in which an activity says why it could not do its work.

::

    Word
    ├── Unauthorized   the device knows us not, or we may not: a person must grant something      final
    ├── NotFound       a thing the inventory names is not there                                    final
    ├── Rejected       the device refuses the request itself                                       final
    ├── Conflict       the thing is there, but with other properties or another owner              final
    ├── Refuted        reading back contradicts what was to be proven                              final
    ├── Unreachable    no answer, or none that says whether the work was done                      tried again
    └── NotYet         under way: a task runs, a pod resyncs                                       tried again

A final word ends the step at its first attempt; the others are retried by Temporal within the step's limit.
Messages name the field or device, the value and the remedy. They never hold a secret.
"""

from datetime import timedelta
from typing import ClassVar

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory


class Word(ApplicationError):
    """One of the seven; its class name is the error's type in the history."""

    final: ClassVar[bool] = True
    benign: ClassVar[bool] = False

    def __init__(self, message: str, *, again_in: timedelta | None = None) -> None:
        super().__init__(
            message,
            type=type(self).__name__,
            non_retryable=self.final,
            next_retry_delay=again_in,
            category=ApplicationErrorCategory.BENIGN if self.benign else ApplicationErrorCategory.UNSPECIFIED,
        )


class Unauthorized(Word):
    """A refused token, a missing privilege, an unknown host key."""


class NotFound(Word):
    """A thing the inventory names is not there."""


class Rejected(Word):
    """The device refuses the request itself; sending it again would not help."""


class Conflict(Word):
    """The thing exists with other properties or belongs to someone else; it is never adopted silently."""


class Refuted(Word):
    """A reading contradicts what the step had to prove."""


class Unreachable(Word):
    """No answer; after a write, the outcome is unknown until the next attempt has read."""

    final = False


class NotYet(Word):
    """What was asked for is under way."""

    final = False
    benign = True


WORDS: tuple[type[Word], ...] = (Unauthorized, NotFound, Rejected, Conflict, Refuted, Unreachable, NotYet)
