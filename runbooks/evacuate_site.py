"""A site is emptied for planned work: readiness, a place for every guest, people's yes, node after node, proof.

HA moves each guest to the place that was planned for it; then its node goes into maintenance. Switching the machines
off is a person's hand; this run says when, waits until it has been done, and says that no node was fenced.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.plan import Mode
    from cluster.recovery import Back
    from runbooks.announcing import announce
    from runbooks.emptying import Emptying
    from runbooks.site_work import EvacuationReport, SiteRequest
    from workflows.catalogue import About
    from workflows.runbook import Runbook


@workflow.defn(name="EvacuateSite")
class EvacuateSite(Runbook):
    """Look, plan, ask, empty node after node, prove, wait for the dark."""

    about = About(
        name="evacuate-site",
        what="Empties a site for planned work: sees that the other one can carry it, asks for signed approvals, moves "
        "HA's master away, moves each guest and puts node after node into maintenance, proves that nothing runs there "
        "and that no node is fenced",
        when="before planned work on a site",
        asks="for signed approvals of the plan (`quorate approve`), to switch the machines off, and what to do when a "
        "guest cannot be moved",
        landing="Nodes that are in maintenance stay in it and are listed; guests stay where they are, their homes and "
        "what was disabled are in the ledger",
        example={"site": "site-a", "by": "ana", "mode": "apply"},
        request=SiteRequest,
    )

    def __init__(self) -> None:
        super().__init__()
        self._emptying: Emptying | None = None
        self._announced = ""  # the site, as the watch has taken it

    @workflow.run
    async def run(self, request: SiteRequest | None = None) -> EvacuationReport:
        """Mode `plan` ends with the plan."""
        request = request or SiteRequest()  # refused with an example
        agreement = None
        site = str(request.site)
        headline = f"{site} is emptied for work"
        async with self.opened(request, headline, site=site, refused=request.wrong_site, rights=True) as inventory:
            emptying = self._emptying = Emptying(self, inventory, site)
            if request.mode is Mode.APPLY:
                await self.signers_ready(inventory.approvals, request.by)
            plan = await emptying.plan_work()
            await self.require_agreement(request, plan.intents)
            if request.mode is Mode.APPLY:
                agreement = await emptying.require_approval(plan)
                await emptying.empty(plan, agreement)
                if await announce(self, site, str(request.by), request.dark_for):
                    self._announced = site
                await emptying.wait_for_dark()
                await emptying.hand_over_switches()
        return self.report(
            EvacuationReport,
            mode=request.mode,
            planned=plan.intents,
            site=site,
            homes=plan.homes,
            back=tuple(Back(sid=sid, ok=True, node=one.home) for sid, one in emptying.moved.items()),
            moved=tuple(emptying.moved.values()),
            rested=plan.rested,
            approval=agreement.approval if agreement else None,
            vetoes=tuple(map(str, plan.vetoes)),
            master=emptying.master,
            outstanding=emptying.outstanding,
        )

    async def landing(self) -> str:
        """Nothing is undone in a hurry."""
        if self._emptying is None:
            return "No guest was moved."
        said = await self._emptying.land()
        site = self._announced
        return f"{said} {site} stays announced to the watch: `quorate silence end {site}` ends that." if site else said

    @property
    def beyond(self) -> str:
        """What HA still moves while the run is paused."""
        return self._emptying.beyond if self._emptying else ""

    @property
    def unlanded(self) -> str:
        """What is left over as far as the run knows."""
        return self._emptying.unlanded if self._emptying else ""
