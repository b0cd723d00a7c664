"""A run among others: it says that it is at work, waits while an incident is open, and takes no yes meanwhile.

What else is at work is read by an activity, which a changing step's own activity asks once more before each attempt.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Approval, ApprovalPolicy, Decision, Veto
    from cluster.contracts import records
    from cluster.ledger import INCIDENTS
    from cluster.ledger_calls import BookWish
    from cluster.plan import Finding, Intent, Mode
    from cluster.together import TogetherFinding, TogetherWish
    from workflows.answers import Undecodable, ask
    from workflows.ballot import Ballot, GateView
    from workflows.failures import reason
    from workflows.gate import Gated
    from workflows.page import Question

# Long enough for the ledger to be started and to answer.
ENTERED_WITHIN, LEFT_WITHIN, ASKED_WITHIN = timedelta(minutes=2), timedelta(seconds=20), timedelta(seconds=20)
# One look goes on for ten minutes of the cluster's time.
WATCHED_WITHIN = timedelta(minutes=30)
AGAIN_IN = 5.0
NOT_LOOKED = "nobody has looked yet"
TITLE, WAITING = "Nothing stands in the way", "Waits until nothing stands in the way"


class Together(Gated):
    """The part of a runbook that minds what else is at work."""

    def __init__(self) -> None:
        super().__init__()
        self._entered = False
        self._holds = ""

    def alarm(self, key: str, text: str) -> None:
        """What a person must know before anything else, until it is called off (empty text)."""
        raise NotImplementedError

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def enter(self, mode: Mode, site: str = "") -> None:
        """Say that this run is at work, in mode `apply`; then as `clear`."""
        if mode is Mode.APPLY:
            await self.clear(site=site, enters=True)

    async def clear(self, *, site: str = "", enters: bool = False) -> None:
        """Wait while an incident is open that this run does not serve. ApplicationError when it may not run at all."""
        if workflow.info().workflow_type in INCIDENTS or not workflow.patched("together"):
            return
        wish = TogetherWish(cluster=self._cluster, enters=enters, site=site, mode=Mode.APPLY)
        found = await self._together(wish)
        self._entered = self._entered or enters
        if found.refuses:
            raise ApplicationError(found.refuses, type="AlreadyRunning", non_retryable=True)
        if not found.holds:
            return
        line = self.record.line(TITLE, WAITING)
        try:
            while found.holds:
                line.set("waiting", found.holds)
                self.alarm("together", f"Held: {found.holds}. The run goes on by itself when that is over.")
                found = await self._together(wish.model_copy(update={"enters": False, "known": found.holds}))
        except asyncio.CancelledError:
            line.end("stopped", "stopped while it was held", self.record.elapsed)
            self.alarm("together", "")
            raise
        except FailureError:
            self.alarm("together", "")
            raise
        self.alarm("together", "")
        line.found(Finding(finding=found.finding), self.record.elapsed)

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
        """The same, and while an incident is open no yes is taken: nobody can waive that."""
        async with self.minding(self._held_back):
            return await super().gate(title, planned, policy, conditions=conditions, vetoes=vetoes, risk=risk)

    @asynccontextmanager
    async def minding(self, tell: Callable[[str], None]) -> AsyncIterator[None]:
        """Look meanwhile whether an incident is open; `tell` learns why the run would have to hold, each time anew."""
        looking = asyncio.create_task(self._watched(tell)) if workflow.patched("together") else None
        evicted = False
        try:
            yield
        except GeneratorExit:  # the run leaves the worker's memory: there is nobody here to be told
            evicted = True
            raise
        finally:
            if not evicted:
                if looking is not None:
                    looking.cancel()
                tell("")

    @workflow.query(name="gate", description="The open gate: what is asked, what is missing, what holds it back")
    def gate_view(self) -> GateView | None:
        """None when no gate was opened yet."""
        view = super().gate_view()
        return view.model_copy(update={"held": self._holds}) if view and self._asking else view

    # --- while people are asked --------------------------------------------------------------------------------

    async def _watched(self, tell: Callable[[str], None]) -> None:
        """What stands in the way, for as long as it matters; what cannot be seen is told as that."""
        known = NOT_LOOKED
        while True:
            wish = TogetherWish(cluster=self._cluster, known=known)
            try:
                found = await self.learn(records.together, wish, within=WATCHED_WITHIN, attempt=WATCHED_WITHIN)
            except (ActivityError, Undecodable) as error:
                # our own end, not a failure; runs that are older told it, and looked on
                if is_cancelled_exception(error) and workflow.patched("a-look-that-is-over"):
                    return
                tell(_unknown(error))
                await asyncio.sleep(AGAIN_IN)
                known = NOT_LOOKED
            else:
                known = found.holds
                tell(found.holds)

    def _held_back(self, why: str) -> None:
        self._holds = why
        self.alarm("gate", f"No approval is taken now: {why}." if why else "")

    async def _voted(self, decision: Decision, ballot: Ballot) -> str:
        """A yes is worth nothing while an incident is open: looked at once more at that very moment."""
        asked = decision == "approve" and self._asking is not None and workflow.patched("together-at-a-yes")
        if asked and (why := await self._asked_once()):
            by = self._said(decision, ballot).by
            raise self._refused(by, decision, "Held", f"no approval is taken now: {why}; send it again afterwards")
        return await super()._voted(decision, ballot)

    async def _withheld(self) -> str:
        """A gate that opens by itself, long after the last yes, asks for the incident that has begun meanwhile."""
        return await self._asked_once() if workflow.patched("together-at-the-opening") else ""

    async def _asked_once(self) -> str:
        """Why the run would have to hold at this very moment."""
        try:
            wish = TogetherWish(cluster=self._cluster)
            found = await self.learn(records.together, wish, within=ASKED_WITHIN)
        except (ActivityError, Undecodable) as error:
            return _unknown(error)
        return found.holds

    # --- what it stands on -------------------------------------------------------------------------------------

    async def _together(self, wish: TogetherWish) -> TogetherFinding:
        """One look; parks when nothing can be learned."""
        within = ENTERED_WITHIN if wish.known is None else WATCHED_WITHIN
        while True:
            try:
                found = await self.learn(records.together, wish, within=within, attempt=within)
            except (ActivityError, Undecodable) as error:
                self._stop_if_asked()
                word, message = _why(error)
                line = self.record.line("What else is at work is known")
                await self._retried(line, Question(step=line.title, word=word, message=message, skip=None))
                line.end("warned", f"{word}: {message}", self.record.elapsed)
            else:
                return found

    async def _leave(self) -> None:
        """Off the record, so that the next run may begin at once; the ledger notices it by itself as well."""
        if not self._entered:
            return
        self._entered = False
        try:
            await ask(
                records.left,
                BookWish(cluster=self._cluster),
                summary="no longer at work",
                schedule_to_close_timeout=LEFT_WITHIN,
            )
        except ActivityError as error:
            workflow.logger.info("the ledger was not told: %s", error.cause)


def _why(error: ActivityError | Undecodable) -> tuple[str, str]:
    return reason(error) if isinstance(error, ActivityError) else ("Undecodable", str(error))


def _unknown(error: ActivityError | Undecodable) -> str:
    """What is told while nobody can look."""
    return "not known whether an incident is open: {}: {}".format(*_why(error))
