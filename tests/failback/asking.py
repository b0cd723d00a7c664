"""A runbook that only asks: for tests of the gate."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Approval, Veto
    from cluster.contracts import records
    from cluster.contracts.records import ClusterName
    from cluster.plan import Intent, Mode
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.runbook import Runbook


class AskingRequest(RunbookRequest):
    """Which vetoes stand, how many changes are planned, whether it goes on after its gate has opened."""

    vetoes: tuple[Veto, ...] = ()
    changes: int = 1
    lingers: bool = False
    asks_again: bool = False


class AskingReport(RunbookReport):
    """What the gate gave."""

    approval: Approval


@workflow.defn(name="Asking")
class Asking(Runbook):
    """Wait to be let in, open one gate, end."""

    about = About(
        name="asking",
        what="asks",
        when="when tested",
        asks="everything",
        landing="Nothing was changed",
        example={"mode": "apply"},
        request=AskingRequest,
    )

    def __init__(self) -> None:
        super().__init__()
        self._let_in = False
        self._again: list[Intent | None] = []

    @workflow.signal
    def go_on(self) -> None:
        """Open the gate."""
        self._let_in = True

    @workflow.signal
    def ask_again(self, more: Intent | None = None) -> None:
        """Ask whether the approval stands, for these changes or for one more."""
        self._again.append(more)

    @workflow.run
    async def run(self, request: AskingRequest) -> AskingReport:
        """One line for the gate."""
        async with self.conclusion():
            known = await self.step("Inventory is read", records.inventory, ClusterName(), parks=False)
            inventory = known.inventory
            await self.begin("Asking", workflow.info().workflow_id)  # so that several may ask side by side
            planned = tuple(
                Intent(where="HA", what="bring home", target=f"vm:{300 + number}") for number in range(request.changes)
            )
            await self.require_agreement(request, planned)
            await workflow.wait_condition(lambda: self._let_in)
            approval = await self.gates.ask("Bring guests home", planned, inventory.approvals, vetoes=request.vetoes)
            if request.asks_again:
                self.record.line("Opened").end("done", "", self.record.elapsed)
                await workflow.wait_condition(lambda: bool(self._again))
                changes = (*planned, *(one for one in self._again if one))
                why = await self.gates.why_not(approval, changes, (), request.vetoes)
                self.record.line("Asked again").end("warned" if why else "done", why or "stands", self.record.elapsed)
            await workflow.wait_condition(lambda: not request.lingers)
        return self.report(AskingReport, mode=Mode.APPLY, planned=planned, approval=approval)
