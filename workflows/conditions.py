"""What people sign is a function: conditions by name, asked by the same code before every attempt of every change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Approval, ApprovalPolicy, Veto
    from cluster.plan import Intent
    from workflows.checking import CHECKED_WITHIN
    from workflows.gate import Gates


@dataclass(frozen=True)
class Condition:
    """One condition: its name, the sentence that people sign, and the check, which says why it does not hold now."""

    name: str
    text: str
    check: Callable[[], Awaitable[str]]


class Agreement:
    """A plan with its conditions and vetoes: asked of people once, and of the cluster before each attempt."""

    def __init__(
        self, gates: Gates, planned: Sequence[Intent], conditions: Sequence[Condition], vetoes: Sequence[Veto] = ()
    ) -> None:
        self._gates = gates
        self.planned, self.conditions, self.vetoes = tuple(planned), tuple(conditions), tuple(vetoes)
        self.approval: Approval | None = None
        self._asked: tuple[datetime, asyncio.Future[str]] | None = None
        self._told: tuple[datetime, str] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The conditions as they are signed."""
        return tuple(one.text for one in self.conditions)

    async def reached(self, title: str, policy: ApprovalPolicy, risk: str) -> Approval:
        """Ask people for exactly this."""
        self.approval = await self._gates.ask(
            title, self.planned, policy, conditions=self.texts, vetoes=self.vetoes, risk=risk
        )
        return self.approval

    async def broken(self) -> str:
        """The first condition that does not hold now, and why; empty while all do."""
        for one in self.conditions:
            if why := await one.check():
                return f"{one.name}: {why}"
        return ""

    async def why_not(self) -> str:
        """Why nothing more may be begun under it: what a step asks before each of its attempts.

        Steps that begin at the same moment share one answer: no time has passed between their questions.
        """
        if self.approval is None:
            return "it has no valid approval"
        if self._told is None or self._told[0] != workflow.now():
            if self._asked is None or self._asked[0] != workflow.now():
                self._asked = (workflow.now(), asyncio.ensure_future(self._why_not(self.approval)))
            why = await asyncio.shield(self._asked[1])
            self._told = (workflow.now(), why)
        return self._told[1]

    async def _why_not(self, approval: Approval) -> str:
        """Conditions, then votes; where votes could not be checked for long, what was seen before is old by then."""
        while True:
            if why := await self.broken():
                return why
            seen = workflow.now()
            if why := await self._gates.why_not(approval, self.planned, self.texts, self.vetoes):
                return why
            if workflow.now() - seen <= CHECKED_WITHIN:
                return ""
