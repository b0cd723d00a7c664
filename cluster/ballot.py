"""What people send to a gate, and what it says before any signature is looked at. Pure.

The gate reads a ballot with it when it comes, and whoever explains a run's record reads the same ballot once more.
"""

from pydantic import BaseModel, ConfigDict, Field

from cluster.approval import SHORT, Decision, Said, Terms, read, statement
from cluster.nouns import Value

WHY = 200  # letters of a reason
# What a page has room for.
_NAME = 64
NOTHING_ASKED = "no gate is open in this run: it asks for no approval yet"
UNNAMED = 'name the approver and the plan, {"by": "ana", "plan": "…"}, or sign with `quorate approve`'
OVER = "the run has ended and takes no more votes"


class Ballot(BaseModel):
    """A vote: signed, ``{"text": "…", "signature": "…"}``, or claimed, ``{"by": "ana", "plan": "0123…"}``.

    `plan` of a claim is what the page calls the terms; `why` goes with a claimed no, a signed one has it in its text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str | None = None
    signature: str | None = None
    by: str | None = None
    plan: str | None = None
    waives: tuple[str, ...] = ()
    why: str = Field(default="", max_length=WHY)


class Unread(Value):
    """Why a ballot is refused as it stands: whose it claims to be, a word for programs, a sentence for people."""

    by: str
    word: str
    sentence: str


def what_it_says(ballot: Ballot, decision: Decision, terms: Terms | None) -> Said | Unread:
    """The vote of that ballot; a text that is none of ours is refused. `terms` are those of the newest gate, if any."""
    if ballot.text is not None:
        return _signed(ballot.text, decision)
    by = (ballot.by or "").strip()[:_NAME]
    if terms is None:
        return Unread(by=by or "no name given", word="Early", sentence=NOTHING_ASKED)
    if not by or ballot.plan is None:
        return Unread(by=by or "no name given", word="Unsigned", sentence=UNNAMED)
    said = statement(terms, by, ballot.waives, decision, ballot.why if decision == "reject" else "")
    # the plan as the page names it: an open gate asks for one plan under one set of terms
    known = len(ballot.plan) >= SHORT and any(one.startswith(ballot.plan) for one in (terms.plan, terms.digest))
    return said if known else said.model_copy(update={"digest": ballot.plan})


def _signed(text: str, decision: Decision) -> Said | Unread:
    by = next((line[4:] for line in text[:4000].splitlines() if line.startswith("by: ")), "?")[:_NAME]
    try:
        said = read(text)
    except ValueError as error:
        return Unread(by=by, word="Tampered", sentence=f"{error}: use `quorate {decision} --print`")
    if said.decision != decision:
        sentence = f"the signed text says {said.decision}, this command is {decision}"
        return Unread(by=said.by, word="Tampered", sentence=sentence)
    return said


def held(why: str) -> str:
    """What the sender of a yes is told while an incident is open."""
    return f"no approval is taken now: {why}; send it again afterwards"


def unchecked(message: str) -> str:
    """What the sender is told whose signature could not be looked at."""
    return f"the signature could not be checked: {message}; send the vote again"


def uncounted(message: str) -> str:
    """What the sender is told whose vote is the last that was missing, while the others cannot be looked at again."""
    return f"counted: the gate opens as soon as all votes can be checked again ({message})"
