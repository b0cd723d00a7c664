"""Some nodes of a site are lost: the same parts as for a whole site, and one more node may follow at any time.

HA restarts the guests on any node that is left, at either site. A site whose last node follows is a site's loss, which
takes over: homes, fencing that was seen, and what was disabled go with it.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.facts import Memory
    from cluster.inventory import Inventory
    from cluster.watching import SITE_GONE
    from runbooks.losing.course import Losing, must_know
    from runbooks.loss import Loss, NodeLossReport, NodeLossRequest, Progress
    from workflows.catalogue import About
    from workflows.incident import Incident


@workflow.defn(name="NodeLoss")
class NodeLoss(Incident):
    """Disable automatic moves, watch fencing and recovery, list the quarantine of what comes back."""

    about = About(
        name="node-loss",
        what="Follows the loss of some nodes of a site: disables automatic moves, watches fencing and every restart "
        "against a forecast, and lists the quarantine of the nodes when they are back",
        when="when a node is gone and no watch runs; a watch starts it by itself",
        asks="nothing while facts and design agree; whether to go on when the loss is not confirmed",
        landing="What was disabled stays disabled and is listed; HA goes on by itself",
        example={"nodes": ["pxmx01-01"], "mode": "apply"},
        request=NodeLossRequest,
    )
    course: Losing

    def __init__(self) -> None:
        super().__init__()
        self.course = Losing(self, kinds=("node-lost", *SITE_GONE), site_wide=False)

    @workflow.run
    async def run(self, request: NodeLossRequest | None = None) -> NodeLossReport:
        """From the first doubt until the nodes are back and listed, or their site's loss takes over."""
        request, losing = request or NodeLossRequest(), self.course  # refused with an example
        async with self.conclusion():
            await losing.begin(request, lambda inventory: self._lost(request, inventory))
            await losing.follow(request)
        return losing.report(NodeLossReport, request.mode)

    def _lost(self, request: NodeLossRequest, inventory: Inventory) -> Loss:
        """The nodes, all of one site, and who ran there as the watch remembers it."""
        sites = [site for site in inventory.sites if set(request.nodes) <= {node.name for node in site.nodes}]
        must_know(bool(sites), f"nodes: no site has them all: {', '.join(request.nodes)}")
        site, opening = inventory.site_of(request.nodes[0]).name, request.opening
        return Loss.of(inventory, site, request.nodes, opening.memory if opening else Memory())

    @workflow.query(description="Measured times beside the forecast, and what the run waits for")
    def progress(self) -> Progress:
        """What `quorate incident watch` draws."""
        return self.course.progress()
