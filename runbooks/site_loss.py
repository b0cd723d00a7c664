"""A site's hosts are lost: make nothing worse, watch HA fence and restart, say when the guests are back.

Proxmox HA fences and restarts without help, and Purity has elected; this runbook races neither. Why the hosts are gone,
and what the array beside them does, is told; what HA will do is the same. When the site returns it is looked at and
nothing moves there: bringing the guests home is the failback's, when people and proof agree.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import records
    from cluster.contracts.records import ClusterName
    from cluster.facts import Memory
    from cluster.watching import SITE_GONE
    from runbooks.lasting import Lasting
    from runbooks.loss import Inheritance, Loss, SiteLossReport, SiteLossRequest
    from workflows.catalogue import About


@workflow.defn(name="SiteLoss")
class SiteLoss(Lasting):
    """Disable automatic moves, watch fencing and recovery, stay until the site is back, hand over."""

    about = About(
        name="site-loss",
        what="Follows the loss of a site's hosts: disables automatic moves, watches fencing and every restart against "
        "a forecast, stays until the site is back and lists its quarantine",
        when="when all hosts of a site are gone and no watch runs; a watch starts it by itself",
        asks="nothing while facts and design agree; whether to go on when the loss is not confirmed, or when only "
        "some of its nodes come back",
        landing="What was disabled stays disabled and is listed; HA goes on by itself",
        example={"site": "site-a", "mode": "apply"},
        request=SiteLossRequest,
    )
    site_wide = True
    kinds = SITE_GONE

    @workflow.run
    async def run(self, request: SiteLossRequest | None = None) -> SiteLossReport:
        """From the first doubt to the open door of the failback."""
        request = request or SiteLossRequest()  # refused with an example
        async with self.conclusion():
            await (self.goes_on(request) if request.carried else self._opens(request))
            await self.follows(request)
        return self.told(SiteLossReport, request.mode, self.loss)

    async def _opens(self, request: SiteLossRequest) -> None:
        """Who is lost, since when, and everything is watched."""
        which = ClusterName(cluster=request.cluster)
        known = await self.step("Inventory is read", records.inventory, which, parks=False)
        site, opening = request.lost, request.opening
        self.must_know(site in {one.name for one in known.inventory.sites}, f"site: there is no {site}")
        nodes = tuple(node.name for node in known.inventory.site(site).nodes)
        loss = Loss.of(known.inventory, site, nodes, opening.memory if opening else Memory())
        self.start_clock(opening, loss, known.speed)
        await self.opens(f"Site {site} is lost ({request.mode})", loss, opening)

    @workflow.signal(description="The loss of some of its nodes has become the loss of the site")
    def inherit(self, legacy: Inheritance) -> None:
        """Said by the incident that this one has taken over."""
        self.inherited(legacy)
