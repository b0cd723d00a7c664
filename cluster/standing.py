"""The rules of a vote and of an approval: the one place that has them. Pure.

The gate asks it when a vote comes and when it opens, a runbook before each change, and the activity that makes the
change asks it once more (`Approvals.licence`). Whoever asks brings fresh proofs of the signatures.

A vote counts when its text is letter for letter the one that these terms ask for, said in time, with a good signature
of a key that is neither the requester's nor that of a voter who is counted already.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from cluster.approval import (
    Approval,
    ApprovalPolicy,
    Bad,
    Decision,
    Good,
    Proof,
    Said,
    Terms,
    Vote,
    short,
    statement,
)
from cluster.nouns import Value
from cluster.plan import Intent
from cluster.signers import listed_as
from cluster.units import shortly


class Refusal(Value):
    """Why a vote does not count: a word for programs, a sentence with the remedy for people."""

    word: str
    sentence: str


class Counted(Value):
    """A vote that counts, with the proof that it does."""

    vote: Vote
    proof: Good

    @property
    def who(self) -> str:
        """Whose it is; a claim says so."""
        return f"{self.vote.said.by}{' (claimed)' if self.vote.claimed else ''}"


class Standing(Value):
    """How votes stand to these terms under that policy."""

    terms: Terms
    policy: ApprovalPolicy

    # --- one vote ----------------------------------------------------------------------------------------------

    def refusal(
        self, vote: Vote, proof: Proof, counted: Mapping[str, Counted], decision: Decision = "approve"
    ) -> Refusal | None:
        """Why that vote does not count beside those that do; None when it does."""
        if vote.at >= self.terms.until:
            return Refusal(word="Late", sentence=f"votes were taken until {_time(self.terms.until)}")
        if refusal := self.text(vote.said, decision) or self.signed(vote, proof):
            return refusal
        if decision == "reject" or not isinstance(proof, Good):
            return None
        return self._who(vote.said.by, proof, counted) or self._waiving(vote.said)

    def text(self, said: Said, decision: Decision) -> Refusal | None:
        """It says exactly what this gate asks: the text is made anew from the terms, and compared whole."""
        own = statement(self.terms, said.by, said.waives, decision, said.why if decision == "reject" else "")
        if said == own:
            return None
        if (said.cluster, said.run, said.run_id) != (own.cluster, own.run, own.run_id):
            return Refusal(
                word="Replayed", sentence=f"it was signed for run {said.run} ({said.run_id}), this is run {own.run_id}"
            )
        if said.gate != own.gate:
            return Refusal(word="Replayed", sentence=f"it was signed for gate {said.gate!r}, open is gate {own.gate!r}")
        if said.decision != own.decision:
            return Refusal(word="Tampered", sentence=f"the signed text says {said.decision}, not {own.decision}")
        if (said.plan, said.digest) != (own.plan, own.digest):
            return Refusal(
                word="OtherPlan",
                sentence=f"it was signed for terms {short(said.digest)} of plan {short(said.plan)}, this gate asks for "
                f"{short(own.digest)} of plan {short(own.plan)}: read the plan again, then sign it",
            )
        wrong = next(field for field in type(said).model_fields if getattr(said, field) != getattr(own, field))
        return Refusal(
            word="Tampered",
            sentence=f"{wrong}: it says {getattr(said, wrong)!r}, the gate says {getattr(own, wrong)!r}",
        )

    def signed(self, vote: Vote, proof: Proof) -> Refusal | None:
        """The signature is good, or the policy takes claims."""
        if vote.claimed and self.policy.unsigned == "refused":
            return Refusal(
                word="Unsigned",
                sentence="this gate takes signed votes only: use `quorate approve` or `ssh-keygen -Y sign`",
            )
        if isinstance(proof, Bad):
            return Refusal(word=proof.word, sentence=proof.sentence)
        if not proof.fingerprint and not vote.claimed:
            return Refusal(word="Unchecked", sentence="the key that signed it is not known: send the vote again")
        return None

    def _who(self, by: str, proof: Good, counted: Mapping[str, Counted]) -> Refusal | None:
        """Neither the requester nor a voter once more; whom the list gives a key to is who signs with it."""
        requester = self.terms.requester
        if by.casefold() == requester.casefold() or listed_as(proof.principals, requester):
            alias = "" if by == requester else f", and the list gives {requester} the key of {by}"
            return Refusal(
                word="SelfApproval",
                sentence=f"{requester} requested this run{alias}: another approver has to approve it",
            )
        for name, other in counted.items():
            if name == by:
                return Refusal(word="Duplicate", sentence=f"{by} has approved already; each approver counts once")
            if proof.fingerprint and proof.fingerprint == other.proof.fingerprint:
                return Refusal(word="Duplicate", sentence=f"the key {proof.fingerprint} has signed for {name}")
            if listed_as(proof.principals, name) or listed_as(other.proof.principals, by):
                return Refusal(
                    word="Duplicate", sentence=f"{by} and {name} share a key on the list: they count as one approver"
                )
        return None

    def _waiving(self, said: Said) -> Refusal | None:
        known = {veto.name: veto for veto in self.terms.vetoes}
        for name in said.waives:
            if name not in known:
                there = shortly(known) or "none"
                return Refusal(word="NoSuchVeto", sentence=f"there is no veto {name!r} to waive; the gate has: {there}")
            if known[name].safety:
                return Refusal(
                    word="SafetyVeto", sentence=f"{name} is a safety veto: it cannot be waived, remove its cause"
                )
        for veto in self.terms.vetoes:
            if veto.safety:
                return Refusal(word="SafetyVeto", sentence=f"safety veto {veto.name}: {veto.text}")
            if veto.name not in said.waives:
                return Refusal(
                    word="NotWaived",
                    sentence=f"veto {veto.name} ({veto.text}): waive it with `--waive {veto.name}`, or reject the plan",
                )
        return None

    # --- all of them -------------------------------------------------------------------------------------------

    def recount(self, votes: Sequence[Vote], proofs: Sequence[Proof]) -> tuple[dict[str, Counted], dict[str, Refusal]]:
        """Those that count, by name, and why the others do not. A vote without a proof was not checked."""
        counted: dict[str, Counted] = {}
        refused: dict[str, Refusal] = {}
        for number, vote in enumerate(votes):
            proof = proofs[number] if number < len(proofs) else UNCHECKED
            if (refusal := self.refusal(vote, proof, counted)) is not None or not isinstance(proof, Good):
                refused[vote.said.by] = refusal or Refusal(word="Unchecked", sentence="its signature was not checked")
            else:
                counted[vote.said.by] = Counted(vote=vote, proof=proof)
        return counted, refused

    def missing(self, people: Iterable[str]) -> str:
        """What the approvals of these people lack, in words; empty when they are enough."""
        yes = list(dict.fromkeys(people))
        lacks = []
        if len(yes) < self.policy.needed:
            lacks.append(f"{len(yes)} of {self.policy.needed} approvals")
        for role, count in self.policy.per_role.items():
            there = sum(role in self.policy.roles_of(person) for person in yes)
            if there < count:
                lacks.append(f"{there} of {count} from {role}")
        return ", ".join(lacks)

    # --- an approval -------------------------------------------------------------------------------------------

    def why_not(self, approval: Approval, proofs: Sequence[Proof], now: datetime) -> str:
        """Why an approval does not stand, given a fresh proof of each of its votes; empty while it does."""
        if approval.terms != self.terms:
            return "the approval was given for other terms"
        if now >= approval.ends:
            return f"the approval has expired at {_time(approval.ends)}"
        if not approval.whole:
            return f"the plan is not the approved one, {short(self.terms.plan)}"
        if safety := [veto.name for veto in self.terms.vetoes if veto.safety]:
            return f"the plan cannot be approved: safety veto {', '.join(safety)}"
        counted, refused = self.recount(approval.votes, proofs)
        gone = {vote.said.by for vote in approval.withdrawn}
        if lacks := self.missing(name for name in counted if name not in gone):
            lost = [f"{by} ({refusal.word})" for by, refusal in refused.items()]
            lost += [f"{by} (withdrawn)" for by in counted if by in gone]
            not_counted = f"; not counted: {', '.join(lost)}" if lost else ""
            return f"the approval is no longer valid: {lacks}{not_counted}"
        return ""


UNCHECKED = Bad(word="Unchecked", sentence="its signature was not checked")


def licensed(approval: Approval, intent: Intent, policy: ApprovalPolicy, proofs: Sequence[Proof], now: datetime) -> str:
    """Why this change may not be made under that approval; empty when it may."""
    if not approval.covers(intent):
        return f"it is not part of the approved plan {short(approval.terms.plan)}"
    return Standing(terms=approval.terms, policy=policy).why_not(approval, proofs, now)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
