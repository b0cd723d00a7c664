"""What runbooks that bring guests home have in common: where the homes come from, the way, and every ending."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import ClassVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import records
    from cluster.failback import LossRecord, LossRef
    from cluster.inventory import Inventory
    from cluster.ledger_calls import HomesFinding, SiteWish
    from cluster.plan import Mode
    from cluster.units import counted
    from runbooks.homecoming import FailbackRequest, Homes
    from runbooks.way_home import WayHome
    from workflows import spans
    from workflows.failures import reason
    from workflows.runbook import Runbook


# An incident that is still open says nothing yet, and is not waited for here.
LOOKED_UP_WITHIN = timedelta(seconds=20)


class Homeward(Runbook):
    """What runbooks that bring guests home have in common. `after`: which runs may have emptied the site."""

    after: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__()
        self._way: WayHome | None = None

    async def _record(self, request: FailbackRequest, inventory: Inventory) -> LossRecord:
        """Homes and what else was left: as given, as that run has left them, else as the ledger has them."""
        site = str(request.site)
        if request.homes is not None:
            self.record.line("Homes are given").end("done", counted(len(request.homes), "guest"), self.record.elapsed)
            known = LossRecord(run="", site=site, homes=request.homes)
            if workflow.patched("rests-in-the-ledger"):
                look = SiteWish(cluster=inventory.name, site=site)
                return await self._with_rests(known, await self.learn(records.homes, look), request)
            return known.model_copy(update={"rested": (await self._left_by(request)).rested})
        if request.incident is not None:
            ref = LossRef(site=site, run=request.incident, kinds=self.after)
            return (await self.step("Incident is read", records.find_loss, ref)).record
        wish = SiteWish(cluster=inventory.name, site=site)
        found = await self.step("Homes are read from the ledger", records.homes, wish, waiting="Reading the ledger")
        run = found.runs[-1] if found.runs else ""
        known = LossRecord(run=run, site=site, homes=found.homes, brought=found.recovered, trace=found.trace)
        return await self._with_rests(known, found, request)

    async def _with_rests(self, known: LossRecord, ledger: HomesFinding, request: FailbackRequest) -> LossRecord:
        """Which nodes are ours to release: the ledger's word, which no run has to end well for."""
        if ledger.rested or ledger.emptied:
            return known.model_copy(update={"rested": ledger.rested, "emptied": ledger.emptied})
        left = await self._left_by(request)
        if not known.homes and left.homes:  # it ended before there was a ledger
            return left
        return known.model_copy(
            update={"run": known.run or left.run, "trace": known.trace or left.trace, "rested": left.rested}
        )

    async def _left_by(self, request: FailbackRequest) -> LossRecord:
        """What the last run has left that emptied the site, for what the ledger does not know."""
        site = str(request.site)
        try:
            found = await self.learn(records.find_loss, LossRef(site=site, kinds=self.after), within=LOOKED_UP_WITHIN)
        except ActivityError as error:
            why = "{}: {}".format(*reason(error))
            workflow.logger.info("no earlier run is known: %s", why)
            if "EvacuateSite" in self.after:  # whoever signs has to see what nobody could look up
                line = self.record.line("Nodes in maintenance before the site was emptied")
                line.end(
                    "warned",
                    f"not known ({why}): every node in maintenance counts as put there by Quorate",
                    self.record.elapsed,
                )
            return LossRecord(run="", site=site, homes={})
        record: LossRecord = found.record
        return record

    def opens(self, request: FailbackRequest, headline: str) -> AbstractAsyncContextManager[Inventory]:
        """The opening; ``{site}`` in the headline is the site that guests go home to."""
        site = str(request.site)
        named = headline.replace("{site}", site)
        return self.opened(request, named, site=site, refused=request.wrong_homes, rights=True)

    async def way_home(self, request: FailbackRequest, inventory: Inventory, *, resting: bool = False) -> WayHome:
        """Where everybody belongs; before that, enough people have to be there who may approve."""
        if request.mode is Mode.APPLY:
            await self.signers_ready(inventory.approvals, request.by)
        record = await self._record(request, inventory)
        if record.trace:
            spans.link(spans.run_span(record.trace), f"brings guests home after {record.run}")
        homes = Homes(inventory=inventory, site=str(request.site), record=record)
        self._way = WayHome(self, homes, resting=resting)
        return self._way

    async def landing(self) -> str:
        """What was frozen is set back where that moves nobody."""
        return await self._way.land() if self._way else ""

    @property
    def beyond(self) -> str:
        """What HA still moves while the run is paused."""
        return self._way.beyond if self._way else ""

    @property
    def unlanded(self) -> str:
        """What is left over as far as the run knows."""
        return self._way.unlanded if self._way else ""

    @property
    def closing(self) -> str:
        """What the page says at the end."""
        return self._way.closing if self._way else ""
