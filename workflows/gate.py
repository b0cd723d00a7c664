"""The gate: a runbook waits for people, for as long as its policy says, and goes on only with enough signed approvals.

`approve` and `reject` are taken whatever they say, so that what is refused leaves a line in the run's history; only
then are they refused. A signature is checked by an activity when it comes, and all of them again when the gate opens.
A list of approvers that cannot be read ends no run: the run says so, looks again, and changes nothing meanwhile.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue
from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Approval, ApprovalPolicy, Audit, Decision, Said, Terms, Veto, Vote, short
    from cluster.ballot import NOTHING_ASKED, OVER, Ballot, Unread, held, unchecked, uncounted, what_it_says
    from cluster.gate import Gate
    from cluster.metrics import GATE_SECONDS, VOTES
    from cluster.plan import Intent, whole_digest
    from cluster.reminders import reminders
    from workflows import spans
    from workflows.ballot import GateView
    from workflows.checking import AGAIN_AT_MOST, AGAIN_IN, LONGER, Checks
    from workflows.gate_page import asks
    from workflows.interlock import Interlock
    from workflows.messages import Abort
    from workflows.meters import tell
    from workflows.notices import Notices
    from workflows.people import People
    from workflows.record import Line
    from workflows.state import RunState

# The one reminder of an earlier build.
REMINDED_BEFORE = timedelta(hours=1)


class Gates:
    """The part of a run that asks people. `interlock` says what else is at work, `people` end the run at a no."""

    def __init__(self, state: RunState, checks: Checks, interlock: Interlock, people: People, notices: Notices) -> None:
        self.state, self._checks, self._interlock, self._people = state, checks, interlock, people
        self._notices = notices
        self._gate: Gate | None = None
        self._gates: dict[int, Gate] = {}
        self._counting = asyncio.Lock()  # one vote after the other: none undoes what another has done
        self._unopened = False  # enough votes, and nothing to check them with
        self._holds = ""  # why no approval is taken now
        self._span: Span | None = None  # of the wait that goes on

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def ask(
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

        While an incident is open no yes is taken: nobody can waive that. A no, and the end of `policy.within` without
        enough approvals, end the run in its safe condition. Parks while the list of approvers cannot be read or is too
        short. ApplicationError when it is not known who asks.
        """
        async with self._interlock.minding(self._held_back):
            self.state.record.section("Approval", folds=False)
            line = self.state.record.line(title)
            line.in_trace = True
            await self._checks.listed(policy, self.state.requester, line)
            terms = self._terms(title, planned, policy, conditions, vetoes, risk)
            gate = self._gate = Gate(terms=terms, policy=policy, subject=self.state.subject, planned=tuple(planned))
            self._gates[terms.number] = gate
            self._unopened = False
            line.set("asked", f"plan {short(terms.plan)} waits for approvals: {gate.missing}")
            self.state.tell()
            asked = {"quorate.waits_for": "people", "quorate.cluster": self.state.cluster, "quorate.plan": terms.plan}
            with spans.span(title, asked) as span:
                self._span = span
                try:
                    return await self._approved(gate, line)
                finally:
                    span.set_attribute("quorate.outcome", gate.outcome)
                    self._span = None

    async def _approved(self, gate: Gate, line: Line) -> Approval:
        """Until it is decided; CancelledError when it is not approved."""
        try:
            await self._decided(gate, line)
        except asyncio.CancelledError:
            line.end("stopped", f"ended before it was decided: {gate.missing or 'approved'}", self.state.record.elapsed)
            self._waited(gate, "stopped")
            raise
        self._waited(gate, gate.outcome)
        if self.state.paused is not None:
            await self.state.resumed()
        approval = gate.approval
        if approval is None:
            self._ended_by(gate, line)
            raise asyncio.CancelledError
        line.end("done", str(approval), self.state.record.elapsed)
        self.state.tell()
        if workflow.patched("begun-is-told"):
            self.state.approved = True
            self._notices.tell("begun", f"{gate.terms.title}: it begins", str(approval))
        return approval

    def _waited(self, gate: Gate, outcome: str) -> None:
        waited = (workflow.now() - gate.terms.opened).total_seconds()
        tell(GATE_SECONDS, waited, runbook=self._runbook, outcome=outcome)

    @property
    def _runbook(self) -> str:
        return self.state.subject.partition("/")[0]

    async def why_not(
        self, approval: Approval, planned: Sequence[Intent], conditions: Sequence[str] = (), vetoes: Sequence[Veto] = ()
    ) -> str:
        """Why that approval does not stand for these changes now; empty while it does.

        Votes are checked anew, and what was withdrawn is not counted. Parks while they cannot be checked.
        """
        terms = approval.terms
        now = terms.about(whole_digest(self.state.subject, planned), conditions, vetoes)
        if now.plan != terms.plan:
            return f"the plan has changed: approved was {short(terms.plan)}, now it is {short(now.plan)}"
        if now.digest != terms.digest:
            return "the conditions or the vetoes have changed since the plan was approved"
        gate = self._gates.get(terms.number)
        if gate is None or gate.approval is None:
            return "this run has no such approval"
        votes = gate.votes
        checked = await self._checks.sooner_or_later(lambda: self._checks.checked(votes, gate.asked("change")))
        given = gate.approval
        return gate.standing.why_not(given, checked.proofs, workflow.now())

    # --- what is asked of it -----------------------------------------------------------------------------------

    def view(self) -> GateView | None:
        """The newest gate, with what holds it back; None when none was opened yet."""
        if self._gate is None:
            return None
        found = GateView.of(self._gate)
        return found.model_copy(update={"held": self._holds}) if self.asking else found

    def approval(self, number: int) -> Approval | None:
        """What the gate of that number has given; None when it has given nothing, or the run is at its end."""
        gate = self._gates.get(number)
        return gate.approval if gate and not self.state.over else None

    # --- one vote ----------------------------------------------------------------------------------------------

    async def voted(self, decision: Decision, ballot: Ballot) -> str:
        """Counted, or refused with the reason; either leaves a line.

        A yes is worth nothing while an incident is open: looked at once more at that very moment.
        """
        asked = decision == "approve" and self.asking is not None and workflow.patched("together-at-a-yes")
        if asked and (why := await self._interlock.asked_once()):
            raise self._refused(self._said(decision, ballot).by, decision, "Held", held(why))
        said, gate = self._said(decision, ballot), self._gate
        if gate is None:
            raise self._refused(said.by, decision, "Early", NOTHING_ASKED)
        self._must_take_votes(said.by, decision)
        vote = Vote(said=said, signature=ballot.signature or "", at=workflow.now(), claimed=ballot.text is None)
        try:
            proof = (await self._checks.checked((vote,), gate.asked("vote"))).proofs[0]
        except ApplicationError as error:
            raise self._refused(said.by, decision, "Unchecked", unchecked(error.message)) from None
        vote = vote.model_copy(update={"at": workflow.now()})
        async with self._counting:
            self._must_take_votes(said.by, decision)
            refusal = gate.hear(vote, proof)
            self._on_record(gate.audit[-1])
            word = refusal.word if refusal else "counted"
            tell(VOTES, runbook=self._runbook, decision=decision, word=word)
            if refusal is not None:
                self.state.tell()
                raise ApplicationError(refusal.sentence, type=refusal.word, non_retryable=True)
            unopened = await self._try_to_open(gate)
        self.state.tell()
        return unopened or gate.answer(vote)

    def _must_take_votes(self, by: str, decision: Decision) -> None:
        if self.state.over or self.state.ending:
            raise self._refused(by, decision, "Late", OVER)

    def _said(self, decision: Decision, ballot: Ballot) -> Said:
        """What the ballot says; a text that is none of ours is refused."""
        said = what_it_says(ballot, decision, self._gate.terms if self._gate else None)
        if isinstance(said, Unread):
            raise self._refused(said.by, decision, said.word, said.sentence)
        return said

    def _refused(self, by: str, what: str, word: str, sentence: str) -> ApplicationError:
        tell(VOTES, runbook=self._runbook, decision=what, word=word)
        self._on_record(Audit(at=workflow.now(), by=by, what=what, accepted=False, word=word, sentence=sentence))
        self.state.tell()
        return ApplicationError(sentence, type=word, non_retryable=True)

    def _on_record(self, *lines: Audit) -> None:
        """Who has said what, and whether it counts: kept with the run, and an event of the wait."""
        for one in lines:
            self.state.audit.append(one)
            said: dict[str, AttributeValue] = {
                "quorate.by": one.by,
                "quorate.counted": one.accepted,
                "quorate.word": one.word or "",
            }
            spans.event(one.what, said, on=self._span)

    async def _try_to_open(self, gate: Gate) -> str:
        """Open the gate if the votes are enough; what to tell when they cannot be checked now."""
        if not gate.enough:
            return ""
        try:
            await self._open(gate)
        except ApplicationError as error:
            self._unopened = True
            return uncounted(error.message)
        return ""

    async def _open(self, gate: Gate) -> None:
        """All votes are checked anew before it opens; whoever calls it counts no vote meanwhile."""
        votes = gate.votes
        checked = await self._checks.checked(votes, gate.asked("opening"))
        before = len(gate.audit)
        gate.recheck(votes, checked.proofs, workflow.now())
        self._on_record(*gate.audit[before:])
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
            cluster=self.state.cluster,
            run=info.workflow_id,
            run_id=info.first_execution_run_id,
            number=len(self._gates) + 1,
            title=title,
            plan=whole_digest(self.state.subject, planned),
            conditions=tuple(conditions),
            vetoes=tuple(vetoes),
            requester=self.state.requester,
            risk=risk,
            opened=workflow.now(),
            until=(workflow.now() + policy.within).replace(microsecond=0),
            valid=policy.valid,
        )

    async def _decided(self, gate: Gate, line: Line) -> None:
        """Until the gate is closed by approvals, by a no, or by time."""
        pause, asked = AGAIN_IN, line.said
        due = _reminders(gate)
        while gate.outcome == "open":
            if not self._unopened:
                until = due[0] if due else gate.terms.until
                try:
                    await workflow.wait_condition(
                        lambda: gate.outcome != "open" or self._unopened,
                        timeout=max(until - workflow.now(), timedelta()),
                        timeout_summary=f"approvals of plan {short(gate.terms.plan)}",
                    )
                except TimeoutError:
                    due = self._reminded(gate, due)
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
                await self._checks.parked_for(line, min(pause, left), error, lambda: gate.outcome != "open")
                pause = min(pause * LONGER, AGAIN_AT_MOST)

    def _reminded(self, gate: Gate, due: list[datetime]) -> list[datetime]:
        """People are told once more, or the time is over; the reminders that are left."""
        now, until = workflow.now(), gate.terms.until
        if now >= until:
            self._expired(gate)
            return []
        left = [one for one in due if one > now]
        word = "Reminder" if left else "Last reminder"
        title = f"{word}, decide by {until:%Y-%m-%d %H:%M} UTC: {gate.terms.title}"
        said = f"{gate.missing}; with too few approvals by then, the run ends."
        self._notices.tell("asked", title, said, escalated=not left)
        return left

    async def _withheld(self) -> str:
        """A gate that opens by itself, long after the last yes, asks for the incident that has begun meanwhile."""
        return await self._interlock.asked_once() if workflow.patched("together-at-the-opening") else ""

    def _held_back(self, why: str) -> None:
        self._holds = why
        self.state.alarm("gate", f"No approval is taken now: {why}." if why else "")

    def _expired(self, gate: Gate) -> None:
        if gate.outcome == "open":
            gate.expire(workflow.now())
            self._on_record(gate.audit[-1])

    def _ended_by(self, gate: Gate, line: Line) -> None:
        """A no, or time: the run lands."""
        if gate.closing is not None:
            said = gate.closing.said
            why = f"rejected the plan ({'claimed' if gate.closing.claimed else 'signed'})"
            order = Abort(by=said.by, why=f"{why}: {said.why}" if said.why else why)
            self.state.occasion = "refused"
            line.end("failed", f"rejected{order.signed}", self.state.record.elapsed)
        else:
            missing = f"{gate.missing} by {gate.terms.until:%Y-%m-%d %H:%M:%S} UTC"
            yes = ", ".join(one.who for one in gate.yes.values())
            order = Abort(why=f"too few approvals: {missing}")
            self.state.occasion = "expired"
            line.end(
                "failed", f"expired: {missing}" + (f"; approved by {yes}" if yes else ""), self.state.record.elapsed
            )
        self._people.begin_abort(order)

    @property
    def question(self) -> str:
        """What the page says of an open gate; empty when none is."""
        gate = self.asking
        refused = [line for line in self.state.audit if not line.accepted]
        return asks(gate, workflow.info().workflow_id, refused) if gate else ""

    @property
    def asking(self) -> Gate | None:
        """The gate that is open now."""
        return self._gate if self._gate is not None and self._gate.outcome == "open" else None


def _reminders(gate: Gate) -> list[datetime]:
    """When people are told once more, in order; a gate of an earlier build reminds as it did."""
    terms = gate.terms
    if workflow.patched("reminds-by-policy"):
        return list(reminders(gate.policy.reminders, terms.opened, terms.until))
    if workflow.patched("gate-reminds"):
        return list(reminders((REMINDED_BEFORE,), terms.opened, terms.until))
    return []
