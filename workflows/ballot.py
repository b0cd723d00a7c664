"""What is said between a gate and the people around it: votes, what became of them, what an approver has to see."""

from pydantic import BaseModel, ConfigDict

from cluster.approval import Proof, Terms
from cluster.gate import Gate
from cluster.plan import Finding, Intent

SHOWN = 200  # changes, at most


class Ballot(BaseModel):
    """A vote: signed, ``{"text": "…", "signature": "…"}``, or claimed, ``{"by": "ana", "plan": "0123…"}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str | None = None
    signature: str | None = None
    by: str | None = None
    plan: str | None = None
    waives: tuple[str, ...] = ()


class Checked(Finding):
    """What the activity answers: a proof for each vote, and the names on the list."""

    proofs: tuple[Proof, ...] = ()
    listed: tuple[str, ...] = ()


class GateView(BaseModel):
    """What an approver has to see: what is asked, what speaks against it, who has said what."""

    terms: Terms
    digest: str
    outcome: str
    missing: str
    yes: tuple[str, ...]
    planned: tuple[Intent, ...]
    unsigned: str

    @classmethod
    def of(cls, gate: Gate) -> "GateView":
        """That gate as it stands."""
        return cls(
            terms=gate.terms,
            digest=gate.terms.digest,
            outcome=gate.outcome,
            missing=gate.missing,
            yes=tuple(f"{name}{' (claimed)' if vote.claimed else ''}" for name, vote in gate.yes.items()),
            planned=gate.planned[:SHOWN],
            unsigned=gate.policy.unsigned,
        )
