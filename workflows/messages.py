"""What a person can say to a run: the models of its Updates. `by` is a claim: Temporal's UI sends no identity."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str | None = None
    why: str | None = None

    @property
    def signed(self) -> str:
        """Who and why, as far as it was said: `` by ana: array is being repaired``."""
        return (f" by {self.by}" if self.by else "") + (f": {self.why}" if self.why else "")


class Pause(_Message):
    """``{"by": "ana", "why": "the array is being repaired"}``, or nothing at all."""


class Resume(_Message):
    """``{"by": "ana"}``, or nothing at all."""


class Abort(_Message):
    """``{"by": "ana", "why": "wrong cluster"}``, or nothing at all."""


class Answer(_Message):
    """What to do about a parked step. Without `step` all parked steps are meant; to skip one it has to be named."""

    answer: Literal["retry", "skip", "abort"]
    step: str | None = None


class Note(BaseModel):
    """``{"text": "spare controller ordered", "by": "ana"}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    by: str | None = None
