"""A gate: one question to people, the votes on it, and when it opens. Pure; every vote leaves a line.

It is closed until enough approvals stand together, and once it has been closed by a no or by time, it stays closed.
What counts is `cluster.standing`'s to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from cluster.approval import Approval, ApprovalPolicy, Audit, Good, Proof, Terms, Vote
from cluster.nouns import Value
from cluster.plan import Intent
from cluster.standing import Counted, Refusal, Standing

Outcome = Literal["open", "approved", "rejected", "expired"]
# What votes are checked for: one that has come, the opening of the gate, a change that is about to begin.
Purpose = Literal["vote", "opening", "change"]


class Asked(Value):
    """What a gate asks and by which rules it counts, as it goes on record with each check of its votes.

    `policy` is kept as it was written. `subject` and `planned` are told once, when it opens; `granted` and `withdrawn`
    are those of its approval when a change is about to begin.
    """

    purpose: Purpose
    terms: Terms
    policy: dict[str, Any] = Field(default_factory=dict)
    subject: str = ""
    planned: tuple[Intent, ...] = ()
    granted: datetime | None = None
    withdrawn: tuple[Vote, ...] = ()


@dataclass
class Gate:
    """The state of one gate. `yes` are the votes that count, by name; `withdrawn` those taken back since it opened."""

    terms: Terms
    policy: ApprovalPolicy
    subject: str
    planned: tuple[Intent, ...]
    outcome: Outcome = "open"
    yes: dict[str, Counted] = field(default_factory=dict)
    withdrawn: dict[str, Vote] = field(default_factory=dict)
    closing: Vote | None = None  # the no that has closed it
    granted: datetime | None = None
    audit: list[Audit] = field(default_factory=list)

    @property
    def standing(self) -> Standing:
        """The rules that its votes are measured by."""
        return Standing(terms=self.terms, policy=self.policy)

    # --- votes -------------------------------------------------------------------------------------------------

    def hear(self, vote: Vote, proof: Proof) -> Refusal | None:
        """Count a vote, or say why not. A no of a listed person closes the gate, or takes an approval back later."""
        if self.outcome == "approved" and vote.said.decision == "reject":
            return self._taken_back(vote, proof)
        refusal = self._refusal(vote, proof)
        self._note(vote, vote.said.decision, refusal)
        if refusal is None and vote.said.decision == "reject":
            self.yes.pop(vote.said.by, None)
            self.outcome, self.closing = "rejected", vote
        elif refusal is None and isinstance(proof, Good):
            self.yes[vote.said.by] = Counted(
                vote=vote.model_copy(update={"fingerprint": proof.fingerprint}), proof=proof
            )
        return refusal

    def _refusal(self, vote: Vote, proof: Proof) -> Refusal | None:
        if self.outcome != "open":
            return Refusal(word="Late", sentence=f"this gate is {self.outcome}: it takes no more votes")
        return self.standing.refusal(vote, proof, self.yes, vote.said.decision)

    def _taken_back(self, vote: Vote, proof: Proof) -> Refusal | None:
        refusal = self.standing.text(vote.said, "reject") or self.standing.signed(vote, proof)
        if refusal is None and vote.said.by not in self.yes:
            refusal = Refusal(word="Late", sentence=f"{vote.said.by} has no approval at this gate to withdraw")
        self._note(vote, "reject" if refusal else "withdraws the approval", refusal)
        if refusal is None:
            self.withdrawn[vote.said.by] = vote
        return refusal

    def _note(self, vote: Vote, what: str, refusal: Refusal | None) -> None:
        said = vote.said
        self.audit.append(
            Audit(
                at=vote.at,
                by=said.by + (" (claimed)" if vote.claimed else ""),
                what=what,
                accepted=refusal is None,
                word=refusal.word if refusal else "",
                sentence=refusal.sentence if refusal else said.why,
            )
        )

    def answer(self, vote: Vote) -> str:
        """What the person is told whose vote was counted."""
        if vote.said.decision == "reject" and self.outcome == "approved":
            if self.standing.missing(name for name in self.yes if name not in self.withdrawn):
                return "Approval withdrawn. No further change will start."
            return "Approval withdrawn. The other approvals are enough: the run goes on."
        return f"{vote.said.decision}: {self.missing if self.outcome == 'open' else self.outcome}"

    def asked(self, purpose: Purpose) -> Asked:
        """What it asks, for the record."""
        opens, changes = purpose == "opening", purpose == "change"
        return Asked(
            purpose=purpose,
            terms=self.terms,
            policy=self.policy.model_dump(mode="json", exclude_defaults=True),
            subject=self.subject if opens else "",
            planned=self.planned if opens else (),
            granted=self.granted if changes else None,
            withdrawn=tuple(self.withdrawn.values()) if changes else (),
        )

    # --- opening and closing -----------------------------------------------------------------------------------

    @property
    def missing(self) -> str:
        """What is missing, in words; empty when the approvals are enough."""
        return self.standing.missing(self.yes)

    @property
    def enough(self) -> bool:
        """It may open, once all votes have been checked anew."""
        return self.outcome == "open" and not self.missing and not any(veto.safety for veto in self.terms.vetoes)

    @property
    def votes(self) -> tuple[Vote, ...]:
        """The votes that count, in the order in which they came."""
        return tuple(one.vote for one in self.yes.values())

    def recheck(self, votes: Sequence[Vote], proofs: Sequence[Proof], now: datetime) -> None:
        """Count these votes anew and drop those that do not count any more: the list of approvers has changed.

        A vote that came while they were checked stays as it is.
        """
        checked = {vote.said.by for vote in votes}
        counted, refused = self.standing.recount(votes, proofs)
        self.yes = {name: one for name, one in self.yes.items() if name not in checked or name in counted}
        for name, refusal in refused.items():
            self.audit.append(
                Audit(at=now, by=name, what="approve", accepted=False, word=refusal.word, sentence=refusal.sentence)
            )

    def open(self, now: datetime) -> Approval | None:
        """Open it when the approvals are enough; the approval then."""
        if not self.enough or now >= self.terms.until:
            return None
        self.outcome, self.granted = "approved", now
        return self.approval

    @property
    def approval(self) -> Approval | None:
        """What it has given, with the votes that were taken back since; None unless it has opened."""
        if self.outcome != "approved":
            return None
        return Approval(
            terms=self.terms,
            votes=self.votes,
            subject=self.subject,
            planned=self.planned,
            granted=self.granted,
            withdrawn=tuple(self.withdrawn.values()),
        )

    def expire(self, now: datetime) -> None:
        """Its time is over: that is a no."""
        if self.outcome == "open":
            self.outcome = "expired"
            self.audit.append(Audit(at=now, by="time", what="expiry", accepted=True, sentence=f"with {self.missing}"))
