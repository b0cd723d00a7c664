"""The gate: a runbook waits for people, for as long as its policy says, and goes on only with enough signed yeses.

`approve` and `reject` are taken whatever they say, so that what is refused leaves a line in the run's history; only
then are they refused. A signature is checked by an activity when it comes, and all of them again when the gate opens.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.approval import (
        Approval,
        ApprovalPolicy,
        Audit,
        Decision,
        Proof,
        Said,
        Terms,
        Veto,
        Vote,
        agreed_digest,
        read,
        statement,
        still,
    )
    from cluster.gate import Gate
    from cluster.plan import Intent, digest
    from cluster.units import counted
    from workflows.ballot import Ballot, Checked, GateView
    from workflows.failures import reason
    from workflows.gate_page import asks
    from workflows.operator import Abort
    from workflows.record import Line
    from workflows.steps import RETRY, Steps

VERIFY = "approvals.verify"
CHECKED_WITHIN = timedelta(minutes=1)
NOTHING_ASKED = "no gate is open in this run: nothing is asked yet"


class Gated(Steps):
    """The part of a runbook that asks people."""

    def __init__(self) -> None:
        super().__init__()
        self._gate: Gate | None = None
        self._gates = 0
        self._withdrawn: set[str] = set()
        self._audit: list[Audit] = []
        self._requester = ""
        self._approval: Approval | None = None

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def gate(
        self,
        title: str,
        planned: Sequence[Intent],
        policy: ApprovalPolicy,
        *,
        conditions: Sequence[str] = (),
        vetoes: Sequence[Veto] = (),
        risk: str = "",
    ) -> Approval:
        """Wait until enough people have agreed to exactly these changes; their approval.

        A no, and the end of `policy.within` without enough yeses, end the run in its safe condition. ApplicationError
        when nobody is known who asks, or when the list of approvers cannot be enough.
        """
        line = self.record.line(title)
        gate = await self._opened(title, planned, policy, conditions, vetoes, risk, line)
        self._gate = gate
        self._withdrawn = set()
        self._show(line)
        left = gate.terms.until - workflow.now()
        try:
            await workflow.wait_condition(
                lambda: gate.outcome != "open", timeout=left, timeout_summary=f"approvals of {gate.terms.digest}"
            )
        except TimeoutError:
            gate.expire(workflow.now())
            self._audit.append(gate.audit[-1])
        if self._paused is not None:
            await self._resumed()
        approval = self._approval
        if gate.outcome != "approved" or approval is None:
            self._ended_by(gate, line)
            raise asyncio.CancelledError
        line.end("done", str(approval), self.record.elapsed)
        self._tell()
        return approval

    async def still_approved(
        self, approval: Approval, planned: Sequence[Intent], conditions: Sequence[str] = (), vetoes: Sequence[Veto] = ()
    ) -> str:
        """Why that approval does not hold for these changes any more; empty while it does."""
        now = agreed_digest(digest(self._subject, planned), conditions, vetoes)
        if now != approval.terms.digest:
            return f"the plan has changed: approved was {approval.terms.digest}, now it is {now}"
        policy = self._gate.policy if self._gate else ApprovalPolicy()
        checked = await self._checked(approval.votes)
        proofs = {vote.said.by: proof for vote, proof in zip(approval.votes, checked.proofs, strict=True)}
        return still(approval, policy, proofs, workflow.now(), self._withdrawn)

    # --- what people say ---------------------------------------------------------------------------------------

    @workflow.update(
        description="Agree to the plan of an open gate: use `quorate approve RUN`; "
        '{"by": "ana", "plan": "…"} only where the inventory allows unsigned claims'
    )
    async def approve(self, ballot: Ballot | None = None) -> str:
        """Counted, or refused with the reason; either leaves a line."""
        return await self._voted("approve", ballot or Ballot())

    @workflow.update(
        description="Say no to the plan of an open gate, or take a yes back: use `quorate reject RUN`; "
        '{"by": "ana", "plan": "…"} only where the inventory allows unsigned claims'
    )
    async def reject(self, ballot: Ballot | None = None) -> str:
        """A no ends the run in its safe condition; a yes that is taken back stops the next change."""
        return await self._voted("reject", ballot or Ballot())

    @workflow.query(name="gate", description="The open gate: what is asked, what is missing")
    def gate_view(self) -> GateView | None:
        """None when no gate was opened yet."""
        return GateView.of(self._gate) if self._gate else None

    @workflow.query(name="approvals", description="Every vote so far, and what became of it")
    def approvals(self) -> list[Audit]:
        """The audit lines, oldest first."""
        return self._audit

    # --- one vote ----------------------------------------------------------------------------------------------

    async def _voted(self, decision: Decision, ballot: Ballot) -> str:
        said, gate = self._said(decision, ballot), self._gate
        if gate is None:
            raise self._refused(said.by, decision, "Early", NOTHING_ASKED)
        if self._over or self._ending:
            raise self._refused(said.by, decision, "Late", "the run is at its end: nothing can be said to it any more")
        vote = Vote(said=said, signature=ballot.signature or "", at=workflow.now(), claimed=ballot.text is None)
        proof = (await self._checked((vote,))).proofs[0]
        vote = vote.model_copy(update={"at": workflow.now()})
        if decision == "reject" and gate.outcome == "approved":
            return self._taken_back(vote, proof, gate)
        refusal = gate.hear(vote, proof)
        self._audit.append(gate.audit[-1])
        if refusal is not None:
            self._tell()
            raise ApplicationError(refusal.sentence, type=refusal.word, non_retryable=True)
        if gate.enough:
            await self._open(gate)
        self._tell()
        return f"{decision}: {gate.missing if gate.outcome == 'open' else gate.outcome}"

    def _said(self, decision: Decision, ballot: Ballot) -> Said:
        """What the ballot says; a text that is none of ours is refused."""
        if ballot.text is not None:
            by = next((line[4:] for line in ballot.text[:4000].splitlines() if line.startswith("by: ")), "?")[:64]
            try:
                said = read(ballot.text)
            except ValueError as error:
                raise self._refused(by, decision, "Tampered", f"{error}: use `quorate {decision} --print`") from None
            if said.decision != decision:
                raise self._refused(said.by, decision, "Tampered", f"the signed text says {said.decision}")
            return said
        by = (ballot.by or "").strip()[:64]
        if self._gate is None or not by or ballot.plan is None:
            word = "Early" if self._gate is None else "Unsigned"
            sentence = (
                NOTHING_ASKED
                if self._gate is None
                else ('say who and to which plan, {"by": "ana", "plan": "…"}, or sign with `quorate approve`')
            )
            raise self._refused(by or "someone", decision, word, sentence)
        said = statement(self._gate.terms, by, ballot.waives, decision)
        return said.model_copy(update={"digest": ballot.plan})

    def _refused(self, by: str, what: str, word: str, sentence: str) -> ApplicationError:
        self._audit.append(Audit(at=workflow.now(), by=by, what=what, accepted=False, word=word, sentence=sentence))
        self._tell()
        return ApplicationError(sentence, type=word, non_retryable=True)

    def _taken_back(self, vote: Vote, proof: Proof, gate: Gate) -> str:
        """A yes is taken back after the gate has opened: the next change is not begun."""
        said = vote.said
        own = statement(gate.terms, said.by, said.waives, said.decision)
        if said != own or said.by not in gate.yes:
            raise self._refused(
                said.by, "reject", "Late", f"{said.by} has no yes at this gate that could be taken back"
            )
        if proof.word:
            raise self._refused(said.by, "reject", proof.word, proof.sentence)
        self._withdrawn.add(said.by)
        self._audit.append(Audit(at=vote.at, by=said.by, what="takes the yes back", accepted=True))
        self._tell()
        return "taken back: nothing more is begun under this approval"

    async def _open(self, gate: Gate) -> None:
        """All votes are checked anew before it opens."""
        yes = list(gate.yes.values())
        checked = await self._checked(tuple(yes))
        before = len(gate.audit)
        gate.recheck({vote.said.by: proof for vote, proof in zip(yes, checked.proofs, strict=True)}, workflow.now())
        self._audit += gate.audit[before:]
        self._approval = gate.open(workflow.now())

    async def _checked(self, votes: tuple[Vote, ...]) -> Checked:
        """A proof for each; ApplicationError when they cannot be checked at all."""
        try:
            checked: Checked = await workflow.execute_activity(
                VERIFY,
                {"votes": [vote.model_dump(mode="json") for vote in votes]},
                result_type=Checked,
                summary=f"check {counted(len(votes), 'vote')}" if votes else "read the list of approvers",
                start_to_close_timeout=timedelta(seconds=20),
                schedule_to_close_timeout=CHECKED_WITHIN,
                retry_policy=RETRY,
            )
        except ActivityError as error:
            word, message = reason(error)
            raise ApplicationError(message, type=word, non_retryable=True) from error
        return checked

    # --- opening and closing -----------------------------------------------------------------------------------

    async def _opened(
        self,
        title: str,
        planned: Sequence[Intent],
        policy: ApprovalPolicy,
        conditions: Sequence[str],
        vetoes: Sequence[Veto],
        risk: str,
        line: Line,
    ) -> Gate:
        if not self._requester:
            raise self._impossible(line, 'by: who asks for it? That person cannot approve it; add "by": "ana"')
        listed = [name for name in (await self._checked(())).listed if name != self._requester]
        if len(listed) < policy.needed:
            raise self._impossible(
                line,
                f"approvals: {policy.needed} have to agree, and {len(listed)} of the list may ({self._requester} has "
                "asked for it): add lines to approvals.allowed_signers, or lower approvals.needed",
            )
        self._gates += 1
        info = workflow.info()
        terms = Terms(
            cluster=self._cluster,
            run=info.workflow_id,
            run_id=info.first_execution_run_id,
            number=self._gates,
            title=title,
            plan=digest(self._subject, planned),
            conditions=tuple(conditions),
            vetoes=tuple(vetoes),
            requester=self._requester,
            risk=risk,
            opened=workflow.now(),
            until=(workflow.now() + policy.within).replace(microsecond=0),
        )
        self._approval = None
        return Gate(terms=terms, policy=policy, subject=self._subject, planned=tuple(planned))

    def _impossible(self, line: Line, why: str) -> ApplicationError:
        line.end("failed", why, self.record.elapsed)
        return ApplicationError(why, type="Rejected", non_retryable=True)

    def _ended_by(self, gate: Gate, line: Line) -> None:
        """A no, or time: the run lands."""
        if gate.outcome == "rejected":
            order = Abort(by=gate.closed_by, why="said no")
        else:
            order = Abort(why=f"not enough people had agreed by {gate.terms.until:%Y-%m-%d %H:%M:%S} UTC")
        line.end("failed", gate.outcome, self.record.elapsed)
        self._begin_abort(order)

    def _show(self, line: Line) -> None:
        gate = self._gate
        if gate is not None:
            line.set("asked", f"plan {gate.terms.digest} waits for people: {gate.missing}")
        self._tell()

    @property
    def _question(self) -> str:
        """What the page says of an open gate; empty when none is."""
        gate = self._asking
        refused = [line for line in self._audit if not line.accepted]
        return asks(gate, workflow.info().workflow_id, refused) if gate else ""

    @property
    def _asking(self) -> Gate | None:
        """The gate that is open now."""
        return self._gate if self._gate is not None and self._gate.outcome == "open" else None
