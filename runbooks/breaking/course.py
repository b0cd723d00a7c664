"""The course of a break-glass runbook: the facts call for it, two people agree, and both are asked before each change.

What it would do in any other situation is harm, so it never begins on an old word: every vantage point is asked anew
before the plan, and again before every attempt of every change. A fact that has changed parks the run.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import ClassVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Veto
    from cluster.breakglass.called import BREAKERS, FOR, Called, Hand, not_called_for, refusal
    from cluster.breakglass.judged import Judged, JudgeWish, Outcome
    from cluster.contracts import watch
    from cluster.inventory import Inventory
    from cluster.plan import Intent, Mode
    from cluster.units import shortly
    from runbooks.breaking.asked import BreakGlassReport, BreakGlassRequest
    from workflows.conditions import Agreement, Condition
    from workflows.runbook import Runbook
    from workflows.steps import Given
    from workflows.words import AGAIN

# Every vantage point is asked, twice; a dark machine keeps each look waiting for some seconds.
JUDGED_WITHIN = timedelta(minutes=2)
# After a change the cluster makes up its mind: corosync within seconds, HA within some minutes. Above a wish's limit.
SETTLED_WITHIN = timedelta(minutes=15)


class BreakGlass(Runbook):
    """What break-glass runbooks have in common. `hand` is its name among them, `powers`: controllers are asked too."""

    hand: ClassVar[Hand]
    powers: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.called = Called(hand=self.hand)
        self.judged: Judged | None = None
        self.before = ""
        self.refused = False
        self.agreement: Agreement | None = None

    def opens(
        self,
        request: BreakGlassRequest,
        headline: str,
        *,
        refused: Callable[[Inventory], str] = lambda _: "",
    ) -> AbstractAsyncContextManager[Inventory]:
        """The opening, as of every runbook that changes something."""
        return self.opened(request, headline, refused=refused)

    async def must_be_called_for(self, inventory: Inventory) -> Judged:
        """How the cluster is now. ApplicationError when that does not call for this runbook: nothing is planned."""
        wish = JudgeWish(cluster=inventory.name, powers=self.powers)
        found = self.judged = await self.step(
            "The cluster is judged now",
            watch.judged,
            wish,
            within=JUDGED_WITHIN,
            attempt=JUDGED_WITHIN,
            waiting="Asking every vantage point",
        )
        self.before = found.finding
        self.refuse_if(not_called_for(self.called, found))
        return found

    def refuse_if(self, why: str) -> None:
        """ApplicationError with the whole sentence when there is a reason."""
        if why and self.judged is not None:
            self.refused = True
            raise ApplicationError(refusal(self.hand, why, self.judged), type="NotCalledFor", non_retryable=True)

    async def require_two(
        self,
        request: BreakGlassRequest,
        inventory: Inventory,
        title: str,
        planned: tuple[Intent, ...],
        *,
        risk: str,
        differs: Callable[[], Awaitable[str]] | None = None,
        vetoes: Sequence[Veto] = (),
    ) -> None:
        """The plan; in mode `apply` two people say yes to it, who read why it was asked for and what may go wrong.

        `differs` says what of the plan is otherwise now: asked, like the facts, before each attempt of each change.
        """
        await self.require_agreement(request, planned)
        if request.mode is Mode.PLAN or not planned:
            return
        policy = inventory.approvals.signed_by(BREAKERS)
        await self.signers_ready(policy, request.by)
        conditions = [Condition("facts", f"the facts call for it: {FOR[self.hand]}", self._uncalled)]
        if differs is not None:
            conditions.append(Condition("plan", "what is to be changed is as planned", differs))
        self.agreement = Agreement(self.gates, planned, conditions, vetoes)
        await self.agreement.reached(title, policy, f"Asked for because: {request.why}. {risk}")

    @property
    def then(self) -> str:
        """One that was refused is not to be tried again: the incident says what to do."""
        return f"Do what the incident says; it names {self.hand} when the facts call for it." if self.refused else AGAIN

    async def why_not(self) -> str:
        """Why nothing more may be begun: asked before each attempt of each change."""
        return await self.agreement.why_not() if self.agreement else "it has no valid approval"

    def noting(self, begun: list[str], what: str) -> Given:
        """The same, for the change of `what`: once it may begin it counts as begun, whatever is heard of it."""

        async def given() -> str:
            if why := await self.why_not():
                return why
            if what not in begun:
                begun.append(what)
            # from here on the cluster may look otherwise by this very order, whatever is heard of it
            self.called = self.called.model_copy(update={"begun": True})
            return ""

        return given

    async def _uncalled(self) -> str:
        self.judged = await self.look_now()
        return not_called_for(self.called, self.judged)

    async def look_now(self) -> Judged:
        """How the cluster is at this moment, without a line on the page."""
        wish = JudgeWish(cluster=self.state.cluster, powers=self.powers)
        return await self.learn(watch.judged, wish, within=JUDGED_WITHIN, attempt=JUDGED_WITHIN)

    async def proven(
        self, title: str, until: Outcome | None, about: tuple[str, ...] = (), *, waiting: str, skip: str | None = None
    ) -> None:
        """What the change was for has come about (`until`; None where nothing is waited for).

        Parks when it does not; `skip` says what follows from going on.
        """
        wish = JudgeWish(cluster=self.state.cluster, powers=self.powers, until=until, about=about)
        found = await self.step(
            title, watch.judged, wish, within=SETTLED_WITHIN, attempt=SETTLED_WITHIN, skip=skip, waiting=waiting
        )
        self.judged = found or self.judged

    def reported(
        self, request: BreakGlassRequest, planned: tuple[Intent, ...], held: dict[str, str] | None = None
    ) -> BreakGlassReport:
        """The result of the run."""
        return self.report(
            BreakGlassReport,
            mode=request.mode,
            planned=planned,
            before=self.before,
            after=self.judged.finding if self.judged else "",
            approval=self.agreement.approval if self.agreement else None,
            held=held or {},
        )


def unconfirmed(state: str, begun: Iterable[str], done: Iterable[str]) -> str:
    """What was ordered and never seen to have come about; empty when nothing is."""
    left = [node for node in begun if node not in done]
    return f"Ordered {state} and not confirmed: {shortly(left, 10)}; ask the management controller." if left else ""
