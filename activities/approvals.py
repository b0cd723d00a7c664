"""Votes are checked here, and the licence of every change that needs one is checked once more before it is made."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.clients import signatures
from activities.clients.secrets import Secrets
from activities.errors import NotFound, Unauthorized
from cluster.approval import Approval, ApprovalPolicy, Proof, Vote, still
from cluster.plan import Finding, Intent


class VerifyWish(BaseModel):
    """Votes to be checked now; none asks only who is on the list."""

    model_config = ConfigDict(frozen=True)

    votes: tuple[Vote, ...] = ()


class VerifyFinding(Finding):
    """A proof for each vote, and the names on the list."""

    proofs: tuple[Proof, ...] = ()
    listed: tuple[str, ...] = ()


class Approvals:
    """Activities on signatures. The files are read anew each time: who was taken off the list counts no more."""

    def __init__(self, policy: ApprovalPolicy, secrets: Secrets) -> None:
        self._policy, self._secrets = policy, secrets

    @activity.defn(name="approvals.verify")
    async def verify(self, wish: VerifyWish) -> VerifyFinding:
        """Check each vote against the list as it is now. NotFound when the list cannot be read."""
        signers = self._file("allowed_signers", self._policy.allowed_signers)
        proofs = tuple(self._proof(vote, signers) for vote in wish.votes)
        good = sum(not proof.word for proof in proofs)
        names = signatures.listed(signers)
        return VerifyFinding(
            finding=f"{good} of {len(proofs)} votes are good, {len(names)} people are listed",
            proofs=proofs,
            listed=names,
        )

    async def licence(self, approval: Approval | None, intent: Intent) -> None:
        """Unauthorized unless enough people have agreed to this very change, and still do."""
        if approval is None:
            raise Unauthorized(f"{intent}: nobody has approved it")
        if not approval.covers(intent):
            raise Unauthorized(f"{intent}: it is no part of the approved plan {approval.terms.digest}")
        found = await self.verify(VerifyWish(votes=approval.votes))
        proofs = {vote.said.by: proof for vote, proof in zip(approval.votes, found.proofs, strict=True)}
        if why := still(approval, self._policy, proofs, datetime.now(UTC)):
            raise Unauthorized(f"{intent}: {why}")

    def _proof(self, vote: Vote, signers: str) -> Proof:
        person = vote.said.by
        if not vote.claimed:
            revoked = self._policy.revoked_keys
            barred = self._file("revoked_keys", revoked) if revoked else ""
            return signatures.proof(vote.said.text, vote.signature, person, signers, barred)
        if self._policy.unsigned == "refused":
            return Proof(word="Unsigned", sentence="approvals.unsigned is refused")
        if person not in signatures.listed(signers):
            return Proof(word="Unknown", sentence=f"{person} is not on the list of approvers")
        return Proof()

    def _file(self, field: str, name: str) -> str:
        path = self._secrets.path(name)
        try:
            return path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise NotFound(
                f"approvals.{field}: {name} cannot be read by the worker ({why}); "
                'it holds a line for each approver: NAME namespaces="quorate" ssh-ed25519 AAAA…'
            ) from None
