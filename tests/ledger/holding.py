"""A runbook that only holds switches: for tests of the ledger."""

from pydantic import Field
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import records
    from cluster.ledger_calls import AtHomeWish, HomesWish, NoteWish, PresentWish
    from cluster.plan import Mode
    from cluster.recovery import Frozen
    from runbooks.switches import Switches
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.runbook import Runbook


class HoldingRequest(RunbookRequest):
    """What it records before it freezes, and what it says before it gives back."""

    cluster: str
    homes: dict[str, str] = Field(default_factory=dict)
    lost: str | None = None
    released: str | None = None
    home_again: tuple[str, ...] = ()
    freezes: bool = True
    goes_on: bool = False


class HoldingReport(RunbookReport):
    """What it turned off, and what came of it."""

    off: tuple[Frozen, ...]
    refused: dict[str, str]
    restored: tuple[str, ...]
    outstanding: dict[str, str]


@workflow.defn(name="Holding")
class Holding(Runbook):
    """Freeze, wait to be let go, give back, end."""

    about = About(
        name="holding",
        what="holds",
        when="when tested",
        asks="nothing",
        landing="What it disabled is given back",
        example={"mode": "apply"},
        request=HoldingRequest,
    )

    def __init__(self) -> None:
        super().__init__()
        self._let_go = False
        self._switches = Switches(self)

    @workflow.signal
    def let_go(self) -> None:
        """Give back and end."""
        self._let_go = True

    @workflow.run
    async def run(self, request: HoldingRequest) -> HoldingReport:
        """As any runbook that moves guests."""
        cluster, skip = request.cluster, "goes on"
        async with self.conclusion():
            await self.begin("Holding", workflow.info().workflow_id)  # so that several may hold side by side
            await self.step("Present", records.present, PresentWish(cluster=cluster, mode=request.mode))
            if request.homes:
                wish = HomesWish(cluster=cluster, homes=request.homes)
                await self.step("Record homes", records.record_homes, wish)
            if request.lost:
                await self.step("Lost", records.note, NoteWish(cluster=cluster, lost=request.lost))
            if request.freezes:
                await self._switches.freeze(request.mode, cluster, skip=skip)
            self.record.line("Holds").end("done", "until it is let go", self.record.elapsed)
            self.tell()
            await workflow.wait_condition(lambda: self._let_go or request.goes_on)
            if request.released:
                await self.step("Released", records.note, NoteWish(cluster=cluster, released=request.released))
            if request.home_again:
                await self.step("At home", records.at_home, AtHomeWish(cluster=cluster, sids=request.home_again))
            await self._switches.set_back(request.mode)
        return self.report(
            HoldingReport,
            mode=request.mode,
            planned=(),
            off=self._switches.off,
            refused=self._switches.refused,
            restored=self._switches.restored,
            outstanding=self._switches.outstanding,
        )

    async def landing(self) -> str:
        """What it holds goes back, or is listed."""
        await self._switches.set_back(Mode.APPLY)
        return f"Outstanding: {', '.join(self._switches.outstanding) or 'nothing'}."
