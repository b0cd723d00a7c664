"""One thing that the doctor has looked at: how it is, by what that is known, and what to do about it."""

import re
from collections.abc import Sequence
from typing import Literal, get_args

from cluster.nouns import Value

# What a person chooses with `--only`, in the order of the page.
Area = Literal["here", "cluster", "hosts", "arrays", "controllers", "temporal"]
AREAS: tuple[Area, ...] = get_args(Area)
# `later`: it is not there yet, and what makes it is Quorate itself.
State = Literal["ok", "wrong", "unknown", "later"]

# The words in which a device says no; any other silence says nothing about what was asked.
_NO = ("Unauthorized", "NotFound", "Rejected", "Conflict", "Refuted")
FINE, WRONG, UNKNOWN = 0, 1, 2


class Unread(Value):
    """Why something could not be read: one of the seven words, and its sentence."""

    word: str
    said: str

    @property
    def refused(self) -> bool:
        """Somebody said no; otherwise nobody said anything."""
        return self.word in _NO


class Check(Value):
    """`subject` and `what` name it; `evidence` is what was seen, `remedy` a command or a sentence that helps."""

    area: Area
    subject: str
    what: str
    state: State
    evidence: str
    remedy: str = ""


class About(Value):
    """What is judged, before anybody knows how it is."""

    area: Area
    subject: str
    what: str

    def ok(self, evidence: str) -> Check:
        """As it must be."""
        return self._is("ok", evidence)

    def wrong(self, evidence: str, remedy: str) -> Check:
        """A person has to do something about it."""
        return self._is("wrong", evidence, remedy)

    def unknown(self, why: str, remedy: str = "") -> Check:
        """Nobody could tell: that is no good news and no bad one."""
        return self._is("unknown", why, remedy)

    def later(self, evidence: str, remedy: str = "") -> Check:
        """Not there yet; Quorate makes it."""
        return self._is("later", evidence, remedy)

    def unread(self, found: Unread, remedy: str = "") -> Check:
        """A refusal is wrong, silence is not known; the remedy is the sentence's own where it has one."""
        said, _, own = found.said.partition("; ")
        return self._is("wrong" if found.refused else "unknown", said, own or remedy)

    def _is(self, state: State, evidence: str, remedy: str = "") -> Check:
        return Check(
            area=self.area, subject=self.subject, what=self.what, state=state, evidence=evidence, remedy=remedy
        )


def status(checks: Sequence[Check]) -> int:
    """The exit status: 1 when something is wrong, else 2 when something is not known, else 0."""
    states = {check.state for check in checks}
    if "wrong" in states:
        return WRONG
    return UNKNOWN if "unknown" in states else FINE


def without_subject(sentence: str, who: str) -> str:
    """A sentence without its subject, which stands before it already: ``NAME at ADDRESS: its …``, ``NAME does …``."""
    found = re.match(rf"{re.escape(who)}(?: at \S+)?:? +(?P<rest>.+)", sentence, re.DOTALL)
    return found["rest"] if found else sentence
