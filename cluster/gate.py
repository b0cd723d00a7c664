"""A gate: one question to people, the votes on it, and when it opens. Pure; every vote leaves a line.

It is closed until enough yeses stand together, and once it has been closed by a no or by time, it stays closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cluster.approval import Approval, ApprovalPolicy, Audit, Proof, Said, Terms, Vote, missing, statement
from cluster.nouns import Value
from cluster.plan import Intent

Outcome = Literal["open", "approved", "rejected", "expired"]


class Refusal(Value):
    """Why a vote does not count: a word for programs, a sentence with the remedy for people."""

    word: str
    sentence: str


@dataclass
class Gate:
    """The state of one gate. `yes` are the votes that count, by name."""

    terms: Terms
    policy: ApprovalPolicy
    subject: str
    planned: tuple[Intent, ...]
    outcome: Outcome = "open"
    yes: dict[str, Vote] = field(default_factory=dict)
    closed_by: str = ""
    audit: list[Audit] = field(default_factory=list)

    # --- votes -------------------------------------------------------------------------------------------------

    def hear(self, vote: Vote, proof: Proof) -> Refusal | None:
        """Count a vote, or say why not. A no of somebody on the list closes the gate; it also takes a yes back."""
        refusal = self._refusal(vote, proof)
        said = vote.said
        self.audit.append(
            Audit(
                at=vote.at,
                by=said.by + (" (claimed)" if vote.claimed else ""),
                what=said.decision,
                accepted=refusal is None,
                word=refusal.word if refusal else "",
                sentence=refusal.sentence if refusal else "",
            )
        )
        if refusal is not None:
            return refusal
        if said.decision == "reject":
            self.yes.pop(said.by, None)
            self.outcome, self.closed_by = "rejected", said.by
        else:
            self.yes[said.by] = vote.model_copy(update={"fingerprint": proof.fingerprint})
        return None

    def _refusal(self, vote: Vote, proof: Proof) -> Refusal | None:
        said = vote.said
        return (
            self._when(vote)
            or self._about(said)
            or self._signed(vote, proof)
            or self._who(said, proof)
            or (self._waiving(said) if said.decision == "approve" else None)
        )

    def _when(self, vote: Vote) -> Refusal | None:
        if self.outcome != "open":
            return Refusal(word="Late", sentence=f"this gate is {self.outcome}: nothing can be said to it any more")
        if vote.at >= self.terms.until:
            return Refusal(word="Late", sentence=f"it could be said until {self.terms.until:%Y-%m-%d %H:%M:%S} UTC")
        return None

    def _about(self, said: Said) -> Refusal | None:
        """It was said to this very gate, and about what the gate asks now."""
        own = statement(self.terms, said.by, said.waives, said.decision)
        if (said.cluster, said.run, said.run_id) != (own.cluster, own.run, own.run_id):
            return Refusal(
                word="Replayed", sentence=f"it was said to the run {said.run} ({said.run_id}), this is {own.run_id}"
            )
        if said.gate != own.gate:
            return Refusal(word="Replayed", sentence=f"it was said to the gate {said.gate!r}, open is {own.gate!r}")
        if said.digest != own.digest:
            return Refusal(
                word="OtherPlan",
                sentence=f"it is about the plan {said.digest}, asked is {own.digest}: look at the plan again",
            )
        if said.until != own.until:
            return Refusal(word="Tampered", sentence=f"it says until {said.until}, the gate says {own.until}")
        return None

    def _signed(self, vote: Vote, proof: Proof) -> Refusal | None:
        if vote.claimed and self.policy.unsigned == "refused":
            return Refusal(
                word="Unsigned", sentence="a yes has to be signed here: use `quorate approve` or `ssh-keygen -Y sign`"
            )
        return Refusal(word=proof.word, sentence=proof.sentence) if proof.word else None

    def _who(self, said: Said, proof: Proof) -> Refusal | None:
        if said.decision == "reject":
            return None
        if said.by == self.terms.requester:
            return Refusal(word="SelfApproval", sentence=f"{said.by} has asked for it: somebody else has to agree")
        if said.by in self.yes:
            return Refusal(word="Duplicate", sentence=f"{said.by} has said yes already, and counts once")
        keys = {vote.fingerprint: name for name, vote in self.yes.items() if vote.fingerprint}
        if proof.fingerprint in keys:
            return Refusal(
                word="Duplicate", sentence=f"the key {proof.fingerprint} has signed for {keys[proof.fingerprint]}"
            )
        return None

    def _waiving(self, said: Said) -> Refusal | None:
        known = {veto.name: veto for veto in self.terms.vetoes}
        for name in said.waives:
            if name not in known:
                there = ", ".join(known) or "there is none"
                return Refusal(word="NoSuchVeto", sentence=f"there is no veto {name!r} to be waived: {there}")
            if known[name].safety:
                return Refusal(
                    word="SafetyVeto", sentence=f"{name} is a safety veto: nobody can waive it, mend its cause"
                )
        for veto in self.terms.vetoes:
            if veto.safety:
                return Refusal(word="SafetyVeto", sentence=f"{veto.name} stands: {veto.text}")
            if veto.name not in said.waives:
                return Refusal(
                    word="NotWaived", sentence=f"{veto.name} stands ({veto.text}): waive it by name, or say no"
                )
        return None

    # --- opening and closing -----------------------------------------------------------------------------------

    @property
    def missing(self) -> str:
        """What is missing, in words; empty when the yeses are enough."""
        return missing(self.policy, self.yes)

    @property
    def enough(self) -> bool:
        """It may open, once all votes have been checked anew."""
        return self.outcome == "open" and not self.missing and not any(veto.safety for veto in self.terms.vetoes)

    def recheck(self, proofs: Mapping[str, Proof], now: datetime) -> None:
        """Drop the yeses that do not verify any more: the list of approvers has changed."""
        for name in list(self.yes):
            proof = proofs.get(name, Proof(word="Unchecked", sentence="its signature could not be checked"))
            if proof.word:
                del self.yes[name]
                self.audit.append(
                    Audit(at=now, by=name, what="yes", accepted=False, word=proof.word, sentence=proof.sentence)
                )

    def open(self, now: datetime) -> Approval | None:
        """Open it when the yeses are enough; the approval then."""
        if not self.enough or now >= self.terms.until:
            return None
        self.outcome = "approved"
        return Approval(terms=self.terms, votes=tuple(self.yes.values()), subject=self.subject, planned=self.planned)

    def expire(self, now: datetime) -> None:
        """Its time is over: that is a no."""
        if self.outcome == "open":
            self.outcome = "expired"
            self.audit.append(Audit(at=now, by="time", what="expiry", accepted=True, sentence=f"with {self.missing}"))
