"""What a record holds of the checks of votes, and of the changes that were begun under an approval. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import ValidationError

from cluster.approval import Approval
from cluster.audit.explained import part
from cluster.audit.line import Line
from cluster.contracts import people, records
from cluster.contracts.people import VerifyFinding, VerifyWish
from cluster.gate import Asked
from cluster.nouns import Value
from cluster.together import TogetherFinding

_VERIFY = (people.verify.name, people.verify.formerly)
_TOGETHER = (records.together.name, records.together.formerly)
# How long after the end of an activity its run may need to act on it, where the record does not tell that moment.
ACTS_WITHIN = timedelta(seconds=10)


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
            failure="" if done else str(line.data.get("message", "")),
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
            holds = f"not known whether an incident is open: {line.data.get('word')}: {line.data.get('message')}"
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


def checks(lines: Iterable[Line]) -> Iterator[Check]:
    """All of them that say what they were for. One that cannot be read any more is left out."""
    for line in lines:
        try:
            found = Check.of(line)
        except (ValidationError, KeyError):
            continue
        if found is not None:
            yield found
