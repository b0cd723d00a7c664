"""A site returns from planned work: quarantine, people's yes, maintenance off, guests home.

The nodes stay in maintenance until people have agreed: releasing one can itself move guests.
"""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.inventory import ClusterName, InventoryReader
    from activities.losses import Losses
    from cluster.failback import LossRef
    from cluster.plan import Mode
    from runbooks.homecoming import FailbackReport, FailbackRequest, Homes
    from runbooks.way_home import WayHome
    from workflows.catalogue import About
    from workflows.runbook import Runbook


@workflow.defn(name="ReturnSite")
class ReturnSite(Runbook):
    """The failback's way, with the nodes' release in front."""

    about = About(
        name="return-site",
        what="Takes a site back after planned work: holds it in quarantine, asks for signed approvals, takes its nodes "
        "out of maintenance, brings its guests home and proves each move",
        when="after planned work on a site that `evacuate-site` has emptied",
        asks="for signed approvals of the plan (`quorate approve`), and what to do when a move does not go as planned",
        landing="Nodes that were released stay so, guests stay where they are",
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
            await self.begin(f"{site} returns from work ({request.mode})", inventory.name, hooks)
            ref = LossRef(site=site, run=request.incident, kinds=("EvacuateSite",))
            found = await self.step("Evacuation is read", Losses.find, ref)
            way = self._way = WayHome(self, Homes(inventory=inventory, site=site, record=found.record), resting=True)
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
