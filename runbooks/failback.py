"""Guests go home: when the returned site has proven itself, when people have agreed, one guest first.

Nothing moves before the quarantine has held for its soak time and enough people have signed this very plan. Every
precondition is read again before each move; what has changed meanwhile stops the moving and asks anew.
"""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.inventory import ClusterName, InventoryReader
    from activities.losses import Losses
    from cluster.failback import LossRecord, LossRef
    from cluster.plan import Mode
    from runbooks.homecoming import FailbackReport, FailbackRequest, Homes
    from runbooks.way_home import WayHome
    from workflows.catalogue import About
    from workflows.runbook import Runbook


@workflow.defn(name="Failback")
class Failback(Runbook):
    """Quarantine, plan, vetoes, gate, one guest, the others, switches back."""

    about = About(
        name="failback",
        what="Waits until a returned site has proven itself and people have signed the plan, brings one guest home, "
        "then the others, proves each move, sets back what the incident has frozen",
        when="after a site has returned from an incident and its guests shall go home",
        asks="for signed approvals of the plan (`quorate approve`), and what to do when a move does not go as planned",
        landing="Guests that are at home stay there, the others stay where they are; what was frozen is set back where "
        "that moves nobody, else listed",
        example={"site": "site-a", "by": "ana", "mode": "apply"},
        request=FailbackRequest,
        report=FailbackReport,
    )

    def __init__(self) -> None:
        super().__init__()
        self._way: WayHome | None = None

    @workflow.run
    async def run(self, request: FailbackRequest | None = None) -> FailbackReport:
        """Mode `plan` lists quarantine and plan, and ends there."""
        request = request or FailbackRequest()  # refused with an example
        async with self.conclusion():
            which = ClusterName(cluster=request.cluster)
            inventory = (await self.step("Inventory is read", InventoryReader.read, which, parks=False)).inventory
            if wrong := request.wrong_homes(inventory):
                raise ApplicationError(wrong, type="Rejected", non_retryable=True)
            site = str(request.site)
            hooks = inventory.hooks if request.mode is Mode.APPLY else ()
            await self.begin(f"Guests go home to {site} ({request.mode})", inventory.name, hooks)
            way = self._way = WayHome(self, Homes(inventory=inventory, site=site, record=await self._record(request)))
            if request.mode is Mode.PLAN:
                await way.rehearsed(request)
            else:
                await way.gone(request)
        return way.report(request)

    async def landing(self) -> str:
        """What was frozen is set back where that moves nobody."""
        return await self._way.landed() if self._way else ""

    @property
    def closing(self) -> str:
        """What the page says at the end."""
        return self._way.closing if self._way else ""

    async def _record(self, request: FailbackRequest) -> LossRecord:
        """Homes as given, or as the incident has recorded them."""
        site = str(request.site)
        if request.homes is not None:
            self.record.line("Homes are given").end("done", f"{len(request.homes)} guests", self.record.elapsed)
            return LossRecord(run="", site=site, homes=request.homes)
        found = await self.step("Incident is read", Losses.find, LossRef(site=site, run=request.incident))
        return found.record
