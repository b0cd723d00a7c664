"""A site's hosts are lost: make nothing worse, watch HA fence and restart, say when the guests are back.

Proxmox HA fences and restarts without help, and Purity has elected; this runbook races neither. Why the hosts are gone,
and what the array beside them does, is told; what HA will do is the same. When the site returns it is looked at and
nothing moves there: bringing the guests home is the failback's, when people and proof agree.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.facts import Memory
    from cluster.inventory import Inventory
    from cluster.watching import SITE_GONE
    from runbooks.losing.course import Losing, must_know
    from runbooks.loss import Inheritance, Loss, Progress, SiteLossReport, SiteLossRequest
    from workflows.catalogue import About
    from workflows.incident import Incident


@workflow.defn(name="SiteLoss")
class SiteLoss(Incident):
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
    course: Losing

    def __init__(self) -> None:
        super().__init__()
        self.course = Losing(self, kinds=SITE_GONE, site_wide=True)

    @workflow.run
    async def run(self, request: SiteLossRequest | None = None) -> SiteLossReport:
        """From the first doubt to the open door of the failback."""
        request, losing = request or SiteLossRequest(), self.course  # refused with an example
        async with self.conclusion():
            await losing.begin(request, lambda inventory: self._lost(request, inventory))
            await losing.follow(request)
        return losing.report(SiteLossReport, request.mode)

    def _lost(self, request: SiteLossRequest, inventory: Inventory) -> Loss:
        """All nodes of the site, and who ran there as the watch remembers it."""
        site, opening = request.lost, request.opening
        must_know(site in {one.name for one in inventory.sites}, f"site: there is no {site}")
        nodes = tuple(node.name for node in inventory.site(site).nodes)
        return Loss.of(inventory, site, nodes, opening.memory if opening else Memory())

    @workflow.query(description="Measured times beside the forecast, and what the run waits for")
    def progress(self) -> Progress:
        """What `quorate incident watch` draws."""
        return self.course.progress()

    @workflow.signal(description="The loss of some of its nodes has become the loss of the site")
    def inherit(self, legacy: Inheritance) -> None:
        """Said by the incident that this one has taken over."""
        self.course.inherit(legacy)
