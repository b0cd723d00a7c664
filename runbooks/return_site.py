"""A site returns from planned work: quarantine, people's yes, maintenance off, guests home.

The nodes stay in maintenance until people have agreed: releasing one can itself move guests.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.plan import Mode
    from runbooks import announcing
    from runbooks.homecoming import FailbackReport, FailbackRequest
    from runbooks.homeward import Homeward
    from workflows.catalogue import About


@workflow.defn(name="ReturnSite")
class ReturnSite(Homeward):
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
    )

    after = ("EvacuateSite",)
    _announced_off = False

    @workflow.run
    async def run(self, request: FailbackRequest | None = None) -> FailbackReport:
        """Mode `plan` lists quarantine and plan, and ends there."""
        request = request or FailbackRequest()  # refused with an example
        async with self.opens(request, "{site} returns from work") as inventory:
            way = await self.way_home(request, inventory, resting=True)
            if request.mode is Mode.PLAN:
                await way.rehearse(request)
            while request.mode is Mode.APPLY and not way.at_home:
                await way.hold_quarantine()
                await self._back(request)
                if (await way.plan_moves(request)).empty:
                    break
                await way.require_approval()
                if await way.stopped():
                    continue
                await way.disable_automatic_moves()
                await way.release_nodes()
                await way.move_guests()
            if request.mode is Mode.APPLY:
                await way.restore_automatic_moves()
        return way.report(request)

    async def _back(self, request: FailbackRequest) -> None:
        """The planned dark is over, whatever is held or looked at anew later."""
        if not self._announced_off:
            self._announced_off = True
            await announcing.end(self, str(request.site), str(request.by))
