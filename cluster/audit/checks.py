"""What a record holds of the checks of votes, and of the changes that were begun under an approval. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, Self, TypeVar

from pydantic import ValidationError

from cluster.approval import Approval, Bad, Proof, Terms
from cluster.audit.explained import part
from cluster.audit.line import Line
from cluster.contracts import people, records
from cluster.contracts.people import VerifyFinding, VerifyWish
from cluster.contracts.words import NOTHING_REPORTED, STILL_SO
from cluster.gate import Asked
from cluster.nouns import Value
from cluster.together import TogetherFinding

_VERIFY = (people.verify.name, people.verify.formerly)
_TOGETHER = (records.together.name, records.together.formerly)
# How long after the end of an activity its run may need to act on it, where the record does not tell that moment.
ACTS_WITHIN = timedelta(seconds=10)


Found = TypeVar("Found")


class Check(Value):
    """One check of votes: for what, by which gate, and the proofs; `failure` says why there are none."""

    n: int
    scheduled: datetime
    ended: datetime
    wish: VerifyWish
    asked: Asked
    found: VerifyFinding | None = None
    failure: str = ""

    @classmethod
    def of(cls, line: Line) -> Self | None:
        """That of this line; None where it is none, or of an earlier version, which did not say what it was for."""
        if line.data.get("activity") not in _VERIFY:
            return None
        wish = VerifyWish.model_validate(line.data.get("asked") or {})
        if wish.asked is None:
            return None
        done = line.data.get("outcome") == "done"
        return cls(
            n=line.n,
            scheduled=line.data["scheduled"],
            ended=line.data["ended"],
            wish=wish,
            asked=wish.asked,
            found=VerifyFinding.model_validate(_finding(line)) if done else None,
            failure="" if done else _reason(line)[1],
        )


class Begun(Value):
    """A change that was begun under an approval, at that time."""

    n: int
    scheduled: datetime
    title: str
    approval: Approval

    @classmethod
    def of(cls, line: Line) -> Self | None:
        """That of this line; None where it is no change, or was begun without any approval."""
        asked = part(line, "asked")
        if asked.get("mode") != "apply" or not asked.get("approval") or "scheduled" not in line.data:
            return None
        approval = Approval.model_validate(asked["approval"])
        return cls(n=line.n, scheduled=line.data["scheduled"], title=str(line.data["title"]), approval=approval)


class Around(Value):
    """A look at other runs and incidents, at the moment of a vote; `holds` is why no yes was taken."""

    scheduled: datetime
    ended: datetime
    holds: str = ""

    @classmethod
    def of(cls, line: Line) -> Self | None:
        """That of this line, where it is one that was not told what was known before."""
        asked = part(line, "asked")
        if line.data.get("activity") not in _TOGETHER or asked.get("known") is not None or asked.get("enters"):
            return None
        holds = ""
        if line.data.get("outcome") == "done":
            holds = TogetherFinding.model_validate(_finding(line)).holds
        else:
            holds = "not known whether an incident is open: {}: {}".format(*_reason(line))
        return cls(scheduled=line.data["scheduled"], ended=line.data["ended"], holds=holds)


class Became(Value):
    """What became of a vote: taken, with the answer, or refused, with a word and a sentence."""

    taken: bool | Literal["unanswered"]
    word: str = ""
    said: str = ""

    @classmethod
    def of(cls, line: Line) -> Self:
        """As it stands on record."""
        if line.data.get("taken") is None:
            return cls(taken="unanswered", said=str(line.data.get("answer", "")))
        if line.data["taken"]:
            return cls(taken=True, said=str(line.data.get("answer", "")))
        return cls(taken=False, word=str(line.data.get("word", "")), said=str(line.data.get("sentence", "")))

    @classmethod
    def refused(cls, word: str, sentence: str) -> Self:
        """Refused for that reason."""
        return cls(taken=False, word=word, said=sentence)

    def __str__(self) -> str:
        if self.taken == "unanswered":
            return f"not answered: {self.said}"
        return f"counted ({self.said})" if self.taken else f"refused, {self.word}: {self.said}"


def _finding(line: Line) -> dict[str, Any]:
    return {"finding": str(line.data.get("finding", "")), **part(line, "evidence")}


def _reason(line: Line) -> tuple[str, str]:
    """Word and sentence of an activity that has failed, as its run tells them."""
    word, message = str(line.data.get("word", "")), str(line.data.get("message", ""))
    if word != "Timeout":
        return word, message
    last = part(line, "cause")
    if last.get("word") in ("", None, "Timeout", "Canceled", "Terminated"):
        return "Unreachable", NOTHING_REPORTED
    return str(last["word"]), f"{last.get('message', '')} {STILL_SO}"


def readable(of: Callable[[Line], Found | None], lines: Iterable[Line]) -> list[Found]:
    """What can be read of the lines; what cannot, is as if it were not on record."""
    found = []
    for line in lines:
        try:
            one = of(line)
        except (ValidationError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            continue
        if one is not None:
            found.append(one)
    return found


# --- in words ------------------------------------------------------------------------------------------------------


def proofs(check: Check) -> tuple[str, ...]:
    """What became of looking at each signature."""
    if check.found is None:
        return (f"not checked: {check.failure}",)
    pairs = zip(check.wish.votes, check.found.proofs, strict=False)
    return tuple(f"{vote.said.by}: {_proof(proof)}" for vote, proof in pairs)


def _proof(proof: Proof) -> str:
    if isinstance(proof, Bad):
        return f"{proof.word}: {proof.sentence}"
    return f"good signature by {proof.fingerprint}" if proof.fingerprint else "claimed, and listed"


def name(terms: Terms) -> str:
    """A gate as a sentence names it."""
    return f"gate {terms.number} {terms.title}"


def named(names: Iterable[str]) -> str:
    """People, or that there is none."""
    return ", ".join(names) or "none"


def by_second(moment: datetime) -> str:
    """A time as a sentence says it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
