"""The gate: a runbook waits for people, for as long as its policy says, and goes on only with enough signed approvals.

`approve` and `reject` are taken whatever they say, so that what is refused leaves a line in the run's history; only
then are they refused. A signature is checked by an activity when it comes, and all of them again when the gate opens.
A list of approvers that cannot be read ends no run: the run says so, looks again, and changes nothing meanwhile.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.approval import (
        SHORT,
        Approval,
        ApprovalPolicy,
        Audit,
        Decision,
        Said,
        Terms,
        Veto,
        Vote,
        read,
        short,
        statement,
    )
    from cluster.gate import Gate
    from cluster.plan import Intent, whole_digest
    from workflows.ballot import Ballot, GateView
    from workflows.checking import AGAIN_AT_MOST, AGAIN_IN, LONGER, Checking
    from workflows.gate_page import asks
    from workflows.operator import Abort
    from workflows.record import Line

NOTHING_ASKED = "no gate is open in this run: nothing is asked yet"


class Gated(Checking):
    """The part of a runbook that asks people."""

    def __init__(self) -> None:
        super().__init__()
        self._gate: Gate | None = None
        self._gates: dict[int, Gate] = {}
        self._audit: list[Audit] = []
        self._requester = ""
        self._counting = asyncio.Lock()  # one vote after the other: none undoes what another has done
        self._unopened = False  # enough votes, and nothing to check them with

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

        A no, and the end of `policy.within` without enough approvals, end the run in its safe condition. Parks while
        the list of approvers cannot be read or is too short. ApplicationError when it is not known who asks.
        """
        self.record.section("Approval", folds=False)
        line = self.record.line(title)
        await self._listed(policy, self._requester, line)
        terms = self._terms(title, planned, policy, conditions, vetoes, risk)
        gate = self._gate = Gate(terms=terms, policy=policy, subject=self._subject, planned=tuple(planned))
        self._gates[terms.number] = gate
        self._unopened = False
        line.set("asked", f"plan {short(terms.plan)} waits for people: {gate.missing}")
        self._tell()
        try:
            await self._decided(gate, line)
        except asyncio.CancelledError:
            line.end("stopped", f"ended before it was decided: {gate.missing or 'approved'}", self.record.elapsed)
            raise
        if self._paused is not None:
            await self._resumed()
        approval = gate.approval
        if approval is None:
            self._ended_by(gate, line)
            raise asyncio.CancelledError
        line.end("done", str(approval), self.record.elapsed)
        self._tell()
        return approval

    async def why_not(
        self, approval: Approval, planned: Sequence[Intent], conditions: Sequence[str] = (), vetoes: Sequence[Veto] = ()
    ) -> str:
        """Why that approval does not stand for these changes now; empty while it does.

        Votes are checked anew, and what was withdrawn is not counted. Parks while they cannot be checked.
        """
        terms = approval.terms
        now = terms.about(whole_digest(self._subject, planned), conditions, vetoes).digest
        if now != terms.digest:
            return f"the plan has changed: approved was {short(terms.digest)}, now it is {short(now)}"
        gate = self._gates.get(terms.number)
        if gate is None or gate.approval is None:
            return "this run holds no such approval"
        votes = gate.votes
        checked = await self._sooner_or_later(lambda: self._checked(votes))
        held = gate.approval
        return gate.standing.why_not(held, checked.proofs, workflow.now())

    # --- what people say ---------------------------------------------------------------------------------------

    @workflow.update(
        description="Agree to the plan of an open gate: use `quorate approve RUN`; "
        '{"by": "ana", "plan": "…"} only where the inventory allows unsigned claims'
    )
    async def approve(self, ballot: Ballot | None = None) -> str:
        """Counted, or refused with the reason; either leaves a line."""
        return await self._voted("approve", ballot or Ballot())

    @workflow.update(
        description="Reject the plan of an open gate, or withdraw your approval: use `quorate reject RUN`; "
        '{"by": "ana", "plan": "…"} only where the inventory allows unsigned claims'
    )
    async def reject(self, ballot: Ballot | None = None) -> str:
        """A no ends the run in its safe condition; an approval that is withdrawn stops the next change."""
        return await self._voted("reject", ballot or Ballot())

    @workflow.query(name="gate", description="The open gate: what is asked, what is missing")
    def gate_view(self) -> GateView | None:
        """None when no gate was opened yet."""
        return GateView.of(self._gate) if self._gate else None

    @workflow.query(name="approvals", description="Every vote so far, and what became of it")
    def approvals(self) -> list[Audit]:
        """The audit lines, oldest first."""
        return self._audit

    @workflow.query(name="approval", description="What the gate of that number has given, and who has withdrawn since")
    def approval_now(self, number: int) -> Approval | None:
        """None when it has given nothing, or the run is at its end: asked right before each change."""
        gate = self._gates.get(number)
        return gate.approval if gate and not self._over else None

    # --- one vote ----------------------------------------------------------------------------------------------

    async def _voted(self, decision: Decision, ballot: Ballot) -> str:
        said, gate = self._said(decision, ballot), self._gate
        if gate is None:
            raise self._refused(said.by, decision, "Early", NOTHING_ASKED)
        self._must_take_votes(said.by, decision)
        vote = Vote(said=said, signature=ballot.signature or "", at=workflow.now(), claimed=ballot.text is None)
        try:
            proof = (await self._checked((vote,))).proofs[0]
        except ApplicationError as error:
            sentence = f"it could not be checked now: {error.message}; send it again"
            raise self._refused(said.by, decision, "Unchecked", sentence) from None
        vote = vote.model_copy(update={"at": workflow.now()})
        async with self._counting:
            self._must_take_votes(said.by, decision)
            refusal = gate.hear(vote, proof)
            self._audit.append(gate.audit[-1])
            if refusal is not None:
                self._tell()
                raise ApplicationError(refusal.sentence, type=refusal.word, non_retryable=True)
            unopened = await self._try_to_open(gate)
        self._tell()
        return unopened or _answer(gate, vote)

    def _must_take_votes(self, by: str, decision: Decision) -> None:
        if self._over or self._ending:
            raise self._refused(by, decision, "Late", "the run has ended and takes no more votes")

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
        terms = self._gate.terms
        said = statement(terms, by, ballot.waives, decision, ballot.why if decision == "reject" else "")
        known = len(ballot.plan) >= SHORT and terms.digest.startswith(ballot.plan)
        return said if known else said.model_copy(update={"digest": ballot.plan})

    def _refused(self, by: str, what: str, word: str, sentence: str) -> ApplicationError:
        self._audit.append(Audit(at=workflow.now(), by=by, what=what, accepted=False, word=word, sentence=sentence))
        self._tell()
        return ApplicationError(sentence, type=word, non_retryable=True)

    async def _try_to_open(self, gate: Gate) -> str:
        """Open the gate if the votes are enough; what to tell when they cannot be checked now."""
        if not gate.enough:
            return ""
        try:
            await self._open(gate)
        except ApplicationError as error:
            self._unopened = True
            return f"counted: the gate opens as soon as all votes can be checked again ({error.message})"
        return ""

    async def _open(self, gate: Gate) -> None:
        """All votes are checked anew before it opens; whoever calls it counts no vote meanwhile."""
        votes = gate.votes
        checked = await self._checked(votes)
        before = len(gate.audit)
        gate.recheck(votes, checked.proofs, workflow.now())
        self._audit += gate.audit[before:]
        gate.open(workflow.now())

    # --- opening and closing -----------------------------------------------------------------------------------

    def _terms(
        self,
        title: str,
        planned: Sequence[Intent],
        policy: ApprovalPolicy,
        conditions: Sequence[str],
        vetoes: Sequence[Veto],
        risk: str,
    ) -> Terms:
        info = workflow.info()
        return Terms(
            cluster=self._cluster,
            run=info.workflow_id,
            run_id=info.first_execution_run_id,
            number=len(self._gates) + 1,
            title=title,
            plan=whole_digest(self._subject, planned),
            conditions=tuple(conditions),
            vetoes=tuple(vetoes),
            requester=self._requester,
            risk=risk,
            opened=workflow.now(),
            until=(workflow.now() + policy.within).replace(microsecond=0),
            valid=policy.valid,
        )

    async def _decided(self, gate: Gate, line: Line) -> None:
        """Until the gate is closed by approvals, by a no, or by time."""
        pause, asked = AGAIN_IN, line.said
        while gate.outcome == "open":
            if not self._unopened:
                try:
                    await workflow.wait_condition(
                        lambda: gate.outcome != "open" or self._unopened,
                        timeout=max(gate.terms.until - workflow.now(), timedelta()),
                        timeout_summary=f"approvals of {short(gate.terms.digest)}",
                    )
                except TimeoutError:
                    self._expired(gate)
                continue
            try:
                async with self._counting:
                    if gate.enough and (why := await self._withheld()):
                        raise ApplicationError(why, type="Held", non_retryable=True)
                    if gate.enough:
                        await self._open(gate)
                self._unopened = False
                line.set("asked", asked)
            except ApplicationError as error:
                left = gate.terms.until - workflow.now()
                if left <= timedelta():
                    self._expired(gate)
                    return
                await self._parked_for(line, min(pause, left), error, lambda: gate.outcome != "open")
                pause = min(pause * LONGER, AGAIN_AT_MOST)

    async def _withheld(self) -> str:
        """Why no gate may open now, whatever people have agreed to; looked at when one is about to open by itself."""
        return ""

    def _expired(self, gate: Gate) -> None:
        if gate.outcome == "open":
            gate.expire(workflow.now())
            self._audit.append(gate.audit[-1])

    def _ended_by(self, gate: Gate, line: Line) -> None:
        """A no, or time: the run lands."""
        if gate.closing is not None:
            said = gate.closing.said
            why = f"rejected the plan ({'claimed' if gate.closing.claimed else 'signed'})"
            order = Abort(by=said.by, why=f"{why}: {said.why}" if said.why else why)
            line.end("failed", f"rejected{order.signed}", self.record.elapsed)
        else:
            missing = f"{gate.missing} by {gate.terms.until:%Y-%m-%d %H:%M:%S} UTC"
            yes = ", ".join(one.who for one in gate.yes.values())
            order = Abort(why=f"not enough people had agreed: {missing}")
            line.end("failed", f"expired: {missing}" + (f"; approved by {yes}" if yes else ""), self.record.elapsed)
        self._begin_abort(order)

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


def _answer(gate: Gate, vote: Vote) -> str:
    """What the person is told whose vote was counted."""
    if vote.said.decision == "reject" and gate.outcome == "approved":
        if gate.standing.missing(name for name in gate.yes if name not in gate.withdrawn):
            return "Approval withdrawn. No further change will start."
        return "Approval withdrawn. The other approvals are enough: the run goes on."
    return f"{vote.said.decision}: {gate.missing if gate.outcome == 'open' else gate.outcome}"
