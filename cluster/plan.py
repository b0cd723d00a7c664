"""What a runbook intends to change, and what a step found.

Plan and apply run the same code: in *plan* a step lists its intents, in *apply* it makes them and reads back.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Mode(StrEnum):
    """Whether a step only says what it would change, or changes it."""

    PLAN = "plan"
    APPLY = "apply"


# What a change does to its target; `extend` is a pod that one more array serves.
Verb = Literal["create", "add", "connect", "set", "extend", "start", "enable", "disable", "move", "delete"]
# How each is drawn: it comes into being, is changed, goes elsewhere, goes away.
SIGNS: dict[Verb, str] = {
    "create": "+",
    "add": "+",
    "connect": "+",
    "set": "~",
    "extend": "~",
    "start": "~",
    "enable": "~",
    "disable": "~",
    "move": "→",
    "delete": "-",
}
# Intents of version 0.1 have no verb: what they begin with tells it. Everything else came into being.
_BEGINS: dict[str, Verb] = {
    "set up": "create",
    "set": "set",
    "configure": "set",
    "add": "add",
    "discover": "add",
    "connect": "connect",
    "log in": "connect",
    "stretch": "extend",
    "start": "start",
    "enable": "enable",
    "disable": "disable",
    "move": "move",
    "bring home": "move",
}


def verb_of(what: str) -> Verb:
    """The verb of a change that was recorded without one."""
    return next((verb for begins, verb in _BEGINS.items() if what == begins or what.startswith(f"{begins} ")), "create")


class Intent(BaseModel):
    """One change: where, what and on which object. `detail` holds what it will be set to, in words.

    `verb` says the same as `what` in one of few words: how it is drawn, and no part of a plan's digest. `turn` is for
    changes whose order is part of their meaning (one guest first, then the others): a plan with other turns is another
    plan. Everything else follows in the order of the runbook, which no plan can alter.
    """

    model_config = ConfigDict(frozen=True)

    where: str
    what: str
    target: str
    detail: str = ""
    turn: int = 0
    verb: Verb = Field(default_factory=lambda known: verb_of(known.get("what", "")))

    @property
    def sign(self) -> str:
        """How it is drawn: ``+ ~ → -``."""
        return SIGNS[self.verb]

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.target}" + (f" ({self.detail})" if self.detail else "")


# How a finding stands to the title of its step: it says the title's sentence, it warns, or the title does not apply.
Mark = Literal["done", "warned", "unneeded"]


class Tried(BaseModel):
    """An attempt that failed and was followed by another; `until` is the last of several that failed alike."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    until: int
    began: datetime
    ended: datetime
    word: str
    message: str


class Finding(BaseModel):
    """What one step established. `finding` is the line a person reads; steps add their evidence as fields.

    `mark` is "done" only where the finding says what the title says. `changes` are made in apply mode and only intended
    in plan mode; `changed` is true only for made ones. `tried` are the attempts that failed before: the worker adds
    them, since Temporal's history keeps the failure of the last of them alone.
    """

    model_config = ConfigDict(frozen=True)

    finding: str
    mark: Mark = "done"
    changed: bool = False
    changes: tuple[Intent, ...] = ()
    tried: tuple[Tried, ...] = Field(default=(), exclude_if=lambda tried: not tried)


class Made(BaseModel):
    """What the attempts of a step changed so far, also those that failed: nothing that was done gets lost.

    `doubtful` are changes that were begun and whose outcome nobody saw; the next attempt reads before it writes.
    """

    model_config = ConfigDict(frozen=True)

    changes: tuple[Intent, ...] = ()
    doubtful: tuple[Intent, ...] = ()
    looked_again: bool = False  # a refusal has been met once by reading again

    def settled(self) -> "Made":
        """What was begun has returned, or was not due again: it is made."""
        return Made(changes=(*self.changes, *self.doubtful), looked_again=self.looked_again)

    def begun(self, intent: Intent) -> "Made":
        """Right before a change. One that an earlier attempt left in doubt and that is due again was not made."""
        changes = tuple(one for one in self.settled().changes if one != intent)
        return Made(changes=changes, doubtful=(intent,), looked_again=self.looked_again)

    def and_then(self, changes: Iterable[Intent]) -> tuple[Intent, ...]:
        """All changes, when the last attempt came to its end with these: what was in doubt was not due again."""
        return tuple(dict.fromkeys((*self.settled().changes, *changes)))


class Earlier(BaseModel):
    """What attempts that the engine itself has begun anew leave to the next one: how many, what was made and told.

    Temporal hands the last beat to the attempts that it makes by itself; between two activities nobody does.
    `kept` is all that this step has begun so far, also before a person has answered `retry`.
    """

    model_config = ConfigDict(frozen=True)

    attempts: int = 0
    made: Made = Made()
    told: Any = None
    kept: tuple[Intent, ...] = ()


class Wish(BaseModel):
    """What a step that can change something is asked for: its mode says whether it may.

    `earlier` is the engine's to fill in, and no part of what is asked for.
    """

    model_config = ConfigDict(frozen=True)

    mode: Mode
    earlier: Earlier = Earlier()


class Ledger:
    """The changes of one step, in order.

    >>> ledger = Ledger(Mode.PLAN)
    >>> if ledger.intend("array-a", "create pod", "p1", verb="create"):
    ...     raise AssertionError("a plan changes nothing")
    >>> [str(intent) for intent in ledger.changes]
    ['array-a: create pod p1']
    """

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self._intents: list[Intent] = []

    def intend(self, where: str, what: str, target: str, detail: str = "", *, verb: Verb) -> bool:
        """Note a change that is due; true when it is to be made now."""
        return self.due(Intent(where=where, what=what, target=target, detail=detail, verb=verb))

    def due(self, intent: Intent) -> bool:
        """The same for a change that is put in words already."""
        if self.applying:
            self.begin(intent)
        self._intents.append(intent)
        return self.applying

    def begin(self, intent: Intent) -> None:
        """Called right before a change is made: the place for whoever has a say in that."""

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


def digest(subject: str, intents: Iterable[Intent]) -> str:
    """Sixteen hex digits that stand for what a plan means to do to `subject` (procedure and cluster)."""
    return whole_digest(subject, intents)[:16]


def whole_digest(subject: str, intents: Iterable[Intent]) -> str:
    """The whole SHA-256 of it, which people sign: nobody finds a second plan to the same.

    Neither times nor ids that a device invents are part of an intent, and the order in which nodes or arrays are
    listed does not count: the changes are taken as a bag, each with its own turn where turns matter. Nor does the verb:
    approvals of version 0.1 were signed without it.
    """
    kept = (intent.model_dump(exclude={"verb"}) for intent in intents)
    lines = sorted(json.dumps(one, sort_keys=True, separators=(",", ":")) for one in kept)
    return hashlib.sha256("\n".join([json.dumps(subject), *lines]).encode()).hexdigest()


def difference(old: Sequence[Intent], new: Sequence[Intent]) -> list[str]:
    """What `new` would do and `old` would not (``+``), and the reverse (``-``), in the order of the plans."""
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return [f"- {intent}" for intent in old if _taken(gone, intent)] + [
        f"+ {intent}" for intent in new if _taken(come, intent)
    ]


def _taken(left: Counter[Intent], intent: Intent) -> bool:
    """True as often as the counter holds it."""
    if left[intent] > 0:
        left[intent] -= 1
        return True
    return False


class PlanRef(BaseModel):
    """A plan that an earlier run made, by its digest."""

    model_config = ConfigDict(frozen=True)

    digest: str


class PlanFound(Finding):
    """What that plan meant to do; None when no run is known any more that made it."""

    intents: tuple[Intent, ...] | None = None


def once_reached(nodes: Sequence[str], how: str) -> str:
    """What a plan adds for nodes that are still to get their paths: ``, on pve-a1 once its paths are there``."""
    if not nodes:
        return ""
    return f", {how} {', '.join(nodes)} once {'its' if len(nodes) == 1 else 'their'} paths are there"
