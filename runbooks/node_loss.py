"""Some nodes of a site are lost: the same parts as for a whole site, and one more node may follow at any time.

HA restarts the guests on any node that is left, at either site. A site whose last node follows is a site's loss, which
takes over: homes, fencing that was seen, and what was disabled go with it.
"""

from dataclasses import replace
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import records
    from cluster.contracts.records import ClusterName
    from cluster.facts import Memory
    from cluster.incidents import conditions
    from cluster.units import shortly
    from cluster.watching import SITE_GONE, Change
    from runbooks.lasting import Lasting
    from runbooks.loss import Loss, NodeLossReport, NodeLossRequest
    from workflows.catalogue import About


@workflow.defn(name="NodeLoss")
class NodeLoss(Lasting):
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
    site_wide = False
    kinds = ("node-lost", *SITE_GONE)

    @workflow.run
    async def run(self, request: NodeLossRequest | None = None) -> NodeLossReport:
        """From the first doubt until the nodes are back and listed, or their site's loss takes over."""
        request = request or NodeLossRequest()  # refused with an example
        async with self.conclusion():
            await (self.goes_on(request) if request.carried else self._opens(request))
            await self.follows(request)
        return self.told(NodeLossReport, request.mode, self.loss)

    async def _opens(self, request: NodeLossRequest) -> None:
        """Who is lost, since when, and everything is watched."""
        which = ClusterName(cluster=request.cluster)
        known = await self.step("Inventory is read", records.inventory, which, parks=False)
        sites = [site for site in known.inventory.sites if set(request.nodes) <= {node.name for node in site.nodes}]
        self.must_know(bool(sites), f"nodes: no site has them all: {', '.join(request.nodes)}")
        site, opening = known.inventory.site_of(request.nodes[0]).name, request.opening
        loss = Loss.of(known.inventory, site, request.nodes, opening.memory if opening else Memory())
        self.start_clock(opening, loss, known.speed)
        await self.opens(f"Lost: {shortly(loss.nodes)} ({request.mode})", loss, opening)

    async def heed(self, change: Change) -> None:
        """A further node of the same site belongs to this loss, unless the whole site is gone."""
        await super().heed(change)
        if self._loss is None or self._handed_to:
            return
        here = {node.name for node in self._loss.inventory.site(self._loss.site).nodes}
        told = [node for one in conditions(change.verdict) if one.kind == "node-lost" for node in one.where]
        if further := tuple(node for node in told if node in here and node not in self._loss.nodes):
            self._loss = replace(self._loss, nodes=(*self._loss.nodes, *further))
            self._following.append((further, change.at))
            self.looks_on(self._followed_by(further, change.at))

    async def _followed_by(self, further: tuple[str, ...], at: datetime) -> None:
        """Told, and then their homes, fencing and guests."""
        loss = self.loss
        self.note_once(f"T+{self.now:.0f} s: {shortly(further)} followed")
        self.tell_people("worse", f"{shortly(further)} followed · {self._plain_headline}", f"T+{self.now:.0f} s")
        self.state.headline = self._plain_headline = f"Lost: {shortly(loss.nodes)}"
        await self.is_about(loss.nodes)
        await self._listed_further(further, at)
