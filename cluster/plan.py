"""What a runbook intends to change, and what a step found.

Plan and apply run the same code: in *plan* a step lists its intents, in *apply* it makes them and reads back.
"""

import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Mode(StrEnum):
    """Whether a step only says what it would change, or changes it."""

    PLAN = "plan"
    APPLY = "apply"


class Intent(BaseModel):
    """One change: where, what and on which object. `detail` holds what it will be set to, in words."""

    model_config = ConfigDict(frozen=True)

    where: str
    what: str
    target: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.target}" + (f" ({self.detail})" if self.detail else "")


class Finding(BaseModel):
    """What one step established. `finding` is the line a person reads; steps add their evidence as fields.

    `changes` are made in apply mode and only intended in plan mode; `changed` is true only for made ones.
    """

    model_config = ConfigDict(frozen=True)

    finding: str
    changed: bool = False
    changes: tuple[Intent, ...] = ()


class Ledger:
    """The changes of one step, in order.

    >>> ledger = Ledger(Mode.PLAN)
    >>> if ledger.intend("array-a", "create pod", "p1"):
    ...     raise AssertionError("a plan changes nothing")
    >>> [str(intent) for intent in ledger.changes]
    ['array-a: create pod p1']
    """

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self._intents: list[Intent] = []

    def intend(self, where: str, what: str, target: str, detail: str = "") -> bool:
        """Note a change that is due; true when it is to be made now."""
        self._intents.append(Intent(where=where, what=what, target=target, detail=detail))
        return self.applying

    @property
    def applying(self) -> bool:
        """True when changes are made and not only planned."""
        return self.mode is Mode.APPLY

    @property
    def changes(self) -> tuple[Intent, ...]:
        """All changes noted so far."""
        return tuple(self._intents)

    @property
    def changed(self) -> bool:
        """True when something was really changed."""
        return self.applying and bool(self._intents)

    @property
    def only_planned(self) -> bool:
        """True when a plan holds changes: what they would bring about cannot be read back."""
        return not self.applying and bool(self._intents)


def digest(intents: Iterable[Intent]) -> str:
    """Twelve hex digits that stand for a plan's meaning.

    Each step lists its intents in a canonical order, and steps follow in the order of the runbook; neither times
    nor ids that a device invents are part of an intent.
    """
    canonical = json.dumps([intent.model_dump() for intent in intents], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
