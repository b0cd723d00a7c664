"""A site is emptied for planned work: readiness, room at the other site, people's yes, node after node, proof.

HA moves the guests live, one node at a time. Switching the machines off is a person's hand; this run waits until it has
been done, and says that nobody was fenced.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.inventory import ClusterName, InventoryReader
    from activities.maintenance import Maintenance
    from activities.placement import Placements
    from cluster.approval import Approval
    from cluster.evacuation import Evacuation, MaintenanceWish, MasterWish, SiteNodes, plan_evacuation
    from cluster.placement import PlacementWish
    from cluster.plan import Mode
    from cluster.recovery import Back
    from runbooks.quarantine import Quarantine
    from runbooks.site_work import EvacuationReport, SiteRequest, site_nodes
    from workflows.catalogue import About
    from workflows.runbook import Runbook

EMPTIED_WITHIN = timedelta(hours=4)
DARK_WITHIN = timedelta(days=30)


@workflow.defn(name="EvacuateSite")
class EvacuateSite(Runbook):
    """Look, plan, ask, empty node after node, prove, wait for the dark."""

    about = About(
        name="evacuate-site",
        what="Empties a site for planned work: sees that the other one can carry it, asks for signed approvals, moves "
        "HA's master away, puts node after node into maintenance, proves that nothing is left and nobody is fenced",
        when="before planned work on a site",
        asks="for signed approvals of the plan (`quorate approve`), and what to do when a node cannot be emptied",
        landing="Nodes that are in maintenance stay in it and are listed; guests stay where they are",
        example={"site": "site-a", "by": "ana", "mode": "apply"},
        request=SiteRequest,
        report=EvacuationReport,
    )

    def __init__(self) -> None:
        super().__init__()
        self._resting: list[str] = []
        self._where: dict[str, str] = {}

    @workflow.run
    async def run(self, request: SiteRequest | None = None) -> EvacuationReport:
        """Mode `plan` ends with the plan."""
        request = request or SiteRequest()  # refused with an example
        approval, master = None, ""
        async with self.conclusion():
            which = ClusterName(cluster=request.cluster)
            inventory = (await self.step("Inventory is read", InventoryReader.read, which, parks=False)).inventory
            if wrong := request.wrong_site(inventory):
                raise ApplicationError(wrong, type="Rejected", non_retryable=True)
            at = site_nodes(inventory, str(request.site))
            hooks = inventory.hooks if request.mode is Mode.APPLY else ()
            await self.begin(f"{at.site} is emptied for work ({request.mode})", inventory.name, hooks)
            survivor = inventory.other_site(at.site).name
            await Quarantine(self, survivor).held(timedelta())
            plan = await self._plan_for(at)
            await self.agreed(request, plan.intents)
            if request.mode is Mode.APPLY:
                approval = await self.gate(
                    f"Empty {at.site}",
                    plan.intents,
                    inventory.approvals,
                    conditions=(f"{survivor} and the witness are well",),
                    vetoes=plan.vetoes,
                    risk=f"while {at.site} is dark, the loss of one more node or of the witness stops {survivor} too",
                )
                master = await self._emptied(at, plan, approval)
                await self._dark(at)
        return self.report(
            EvacuationReport,
            mode=request.mode,
            planned=plan.intents,
            site=at.site,
            homes=plan.homes,
            back=tuple(Back(sid=sid, ok=True, node=node) for sid, node in self._where.items()),
            approval=approval,
            vetoes=tuple(map(str, plan.vetoes)),
            master=master,
        )

    async def landing(self) -> str:
        """Nothing is undone in a hurry."""
        return f"In maintenance: {', '.join(self._resting)}." if self._resting else "No node is in maintenance."

    async def _plan_for(self, at: SiteNodes) -> Evacuation:
        self.section("Plan", rehearsal=True)
        placement = await self.step("Guests are found", Placements.placement, PlacementWish(guests=()))
        view = await self.step("HA's master is known", Maintenance.view, at)
        plan = plan_evacuation(at, placement, view.master)
        now = self.record.elapsed
        for veto in plan.vetoes:
            self.record.line(f"Veto {veto.name}").end("warned", veto.text, now)
        for number, intent in enumerate(plan.intents, start=1):
            self.record.line(f"{number}. {intent.what} {intent.target}").end("done", "planned", now)
        return plan

    async def _emptied(self, at: SiteNodes, plan: Evacuation, approval: Approval) -> str:
        """One node at a time: each has moved its guests before the next one begins."""
        self.section(f"{at.site} is emptied", folds=False)
        leads = await self.step(
            f"HA's master is not at {at.site}",
            Maintenance.move_master,
            MasterWish(mode=Mode.APPLY, at=at, approval=approval),
            skip="a new master takes two minutes when the site goes dark",
        )
        for turn, node in enumerate(plan.order, start=1):
            if why := await self.still_approved(approval, plan.intents, approval.terms.conditions, plan.vetoes):
                raise ApplicationError(why, type="NotApproved", non_retryable=True)
            found = await self.step(
                f"{node} is in maintenance",
                Maintenance.maintenance,
                MaintenanceWish(mode=Mode.APPLY, node=node, on=True, turn=turn, via=at.others, approval=approval),
                within=EMPTIED_WITHIN,
                attempt=EMPTIED_WITHIN,
            )
            self._resting.append(node)
            self._where |= found.moved
        await self.step(f"{at.site} is empty", Maintenance.empty, at)
        return leads.finding if leads else ""

    async def _dark(self, at: SiteNodes) -> None:
        """The machines are a person's to switch off."""
        self.section(f"Until {at.site} is dark")
        await self.step(
            f"{at.site} is dark, and nobody was fenced",
            Maintenance.dark,
            at,
            within=DARK_WITHIN,
            attempt=DARK_WITHIN,
            skip="the work is done with the site lit",
        )
