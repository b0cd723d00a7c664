"""Votes are checked here, and the licence of every change that needs one is checked once more before it is made.

Nothing has to be trusted between an approver's key and the change: the licence makes the text that should have been
signed from its own terms, and asks the run whether anyone has taken an approval back.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

from activities.clients import signatures
from activities.clients.secrets import Secrets
from activities.errors import NotFound, Unauthorized, Unreachable
from activities.rules import rules
from activities.serving import serves
from cluster.approval import Approval, ApprovalPolicy, Bad, Good, Proof, Terms, Vote
from cluster.contracts import people
from cluster.contracts.people import VerifyFinding, VerifyWish
from cluster.plan import Intent
from cluster.signers import Signer
from cluster.standing import licensed
from cluster.units import counted

# A worker answers for its run at once, or it is busy with a task of some seconds.
ANSWERED_WITHIN = timedelta(seconds=10)
ASK = "approval"

# What the run says of its gate now; None when that gate has given no approval, or the run is at its end.
Asks = Callable[[Terms], Awaitable[Approval | None]]


async def run_itself(terms: Terms) -> Approval | None:
    """Ask the run that has opened the gate. Unreachable when nothing answers for it, Unauthorized when it has ended."""
    try:
        run = activity.client().get_workflow_handle(terms.run)
        said = await run.query(
            ASK,
            terms.number,
            result_type=dict,
            reject_condition=QueryRejectCondition.NOT_OPEN,
            rpc_timeout=ANSWERED_WITHIN,
        )
    except WorkflowQueryRejectedError:
        raise Unauthorized(f"the run {terms.run} has ended, and its approval with it") from None
    except WorkflowQueryFailedError as error:
        raise Unauthorized(f"the run {terms.run} knows of no approval: {error.message}") from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise Unauthorized(f"there is no run {terms.run} that has asked for it") from None
        raise Unreachable(f"the run {terms.run} cannot be asked whether its approval stands: {error.message}") from None
    except RuntimeError as error:
        raise Unreachable(f"the run {terms.run} cannot be asked whether its approval stands: {error}") from None
    return Approval.model_validate(said) if said else None


class Approvals:
    """Activities on signatures. The files are read anew each time: who was taken off the list is not counted.

    `cluster` is the one that this worker works on; what was approved for another one licenses nothing here.
    """

    def __init__(
        self, policy: ApprovalPolicy, secrets: Secrets, *, cluster: str | None = None, ask: Asks = run_itself
    ) -> None:
        self._policy, self._secrets, self._cluster, self._ask = policy, secrets, cluster, ask

    @serves(people.verify)
    async def verify(self, wish: VerifyWish) -> VerifyFinding:
        """Check each vote against the list as it is now. NotFound when the list cannot be read."""
        signers, revoked = self._lists()
        proofs = tuple(self._proof(vote, signers, revoked) for vote in wish.votes)
        good = sum(isinstance(proof, Good) for proof in proofs)
        names = signatures.listed(signers)
        return VerifyFinding(
            finding=f"{good} of {counted(len(proofs), 'vote')} good, {counted(len(names), 'approver')} listed",
            proofs=proofs,
            listed=names,
            signers=signatures.able(signers, revoked),
            rules=rules("gate"),
        )

    async def licence(self, approval: Approval | None, intent: Intent) -> None:
        """Unauthorized unless enough people have agreed to this very change, and still do.

        Unreachable when the run cannot be asked whether anyone has withdrawn: in doubt nothing is changed.
        """
        if approval is None:
            raise Unauthorized(f"{intent}: it has no approval")
        if self._cluster is not None and approval.terms.cluster != self._cluster:
            raise Unauthorized(f"{intent}: it was approved for {approval.terms.cluster}, this is {self._cluster}")
        await self._must_stand(approval, intent)
        now = await self._ask(approval.terms)
        if now is None or now.terms != approval.terms:
            raise Unauthorized(f"{intent}: its run {approval.terms.run} does not hold that approval any more")
        await self._must_stand(approval.model_copy(update={"withdrawn": now.withdrawn}), intent)

    async def _must_stand(self, approval: Approval, intent: Intent) -> None:
        found = await self.verify(VerifyWish(votes=approval.votes))
        if why := licensed(approval, intent, self._policy, found.proofs, datetime.now(UTC)):
            raise Unauthorized(f"{intent}: {why}")

    def _lists(self) -> tuple[str, str]:
        """The list of approvers and that of revoked keys."""
        revoked = self._policy.revoked_keys
        barred = self._file("revoked_keys", revoked, "a public key a line") if revoked else ""
        return self._file("allowed_signers", self._policy.allowed_signers, signatures.EXAMPLE), barred

    def _proof(self, vote: Vote, signers: str, revoked: str) -> Proof:
        person = vote.said.by
        if not vote.claimed:
            return signatures.proof(vote.said.text, vote.signature, person, signers, revoked)
        if self._policy.unsigned == "refused":
            return Bad(word="Unsigned", sentence="approvals.unsigned is refused")
        if person not in signatures.listed(signers):
            return Bad(word="Unknown", sentence=f"{person} is not on the list of approvers")
        return Good(fingerprint="", principals=_aliases(person, signatures.able(signers, revoked)))

    def _file(self, field: str, name: str, example: str) -> str:
        path = self._secrets.path(name)
        try:
            return path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise NotFound(
                f"approvals.{field}: {name} cannot be read by the worker ({why}); it holds {example}"
            ) from None


def _aliases(person: str, signers: tuple[Signer, ...]) -> tuple[str, ...]:
    """Whom else the list means by the keys of that person: a claim has no key, and yet is that person's."""
    return (person, *(one for signer in signers if person in signer.names for one in signer.principals))
