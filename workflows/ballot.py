"""What an approver has to see of a gate."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from cluster.approval import Terms, is_digest
from cluster.gate import Gate
from cluster.plan import Intent


class GateView(BaseModel):
    """What an approver has to see: what is asked, all of it, what speaks against it, who has said what."""

    terms: Terms
    digest: str
    outcome: str
    missing: str
    yes: tuple[str, ...]
    subject: str = ""
    planned: tuple[Intent, ...]
    unsigned: str
    ends: datetime | None = None  # of the approval, once the gate has opened
    held: str = ""  # why no approval is taken now, whatever is signed

    @classmethod
    def of(cls, gate: Gate) -> Self:
        """That gate as it stands."""
        approval = gate.approval
        return cls(
            terms=gate.terms,
            digest=gate.terms.digest,
            outcome=gate.outcome,
            missing=gate.missing,
            yes=tuple(one.who for one in gate.yes.values()),
            subject=gate.subject,
            planned=gate.planned,
            unsigned=gate.policy.unsigned,
            ends=approval.ends if approval else None,
        )

    @property
    def mismatch(self) -> str:
        """Why what is shown is not what would be signed; empty when it is. The digests are made anew from the view."""
        if not is_digest(self.terms.plan, self.subject, self.planned):
            return "the digest to be signed is not that of the changes that are shown"
        if self.terms.digest != self.digest:
            return "the digest to be signed is not that of the terms that are shown"
        return ""
