"""Some nodes of a site are lost: the same parts as for a whole site, and one more node may follow at any time.

HA restarts the guests on any node that is left, at either site. A site whose last node follows is a site's loss, which
takes over: homes, fencing that was seen, and what was disabled go with it.
"""

from dataclasses import replace
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.ha import Ha
    from activities.inventory import ClusterName, InventoryReader
    from cluster.facts import Memory
    from cluster.incidents import conditions
    from cluster.recovery import Asking, HaFinding
    from cluster.units import shortly
    from cluster.watching import SITE_GONE, Change
    from runbooks.losing import Losing
    from runbooks.loss import Loss, NodeLossReport, NodeLossRequest
    from workflows.catalogue import About


@workflow.defn(name="NodeLoss")
class NodeLoss(Losing):
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
        report=NodeLossReport,
    )

    @workflow.run
    async def run(self, request: NodeLossRequest | None = None) -> NodeLossReport:
        """From the first doubt until the nodes are back and listed, or their site's loss takes over."""
        request = request or NodeLossRequest()  # refused with an example
        async with self.conclusion():
            which = ClusterName(cluster=request.cluster)
            known = await self.step("Inventory is read", InventoryReader.read, which, parks=False)
            sites = [site for site in known.inventory.sites if set(request.nodes) <= {node.name for node in site.nodes}]
            self.must_know(bool(sites), f"nodes: no site has them all: {', '.join(request.nodes)}")
            site, opening = known.inventory.site_of(request.nodes[0]).name, request.opening
            loss = Loss.of(known.inventory, site, request.nodes, opening.memory if opening else Memory())
            self.start_clock(opening, loss)
            await self.opens(f"Lost: {shortly(loss.nodes)} ({request.mode})", loss, opening)
            hands = self.hands(request.mode, opening, ("node-lost", *SITE_GONE))
            if await self.unless_taken_over(hands, self.survivor(loss), self.returns()):
                await self.handed_over(request.mode, loss)
        return self.told(NodeLossReport, request.mode, self.loss)

    async def returns(self) -> None:
        """As long as it takes, also for those that have followed; then what must be so before anything moves there."""
        await self.guests_are_decided()
        settled = False
        while not settled:
            nodes = shortly(self.loss.nodes)
            back = await self.until_it_returns(self.loss, f"{nodes} is back", f"Waiting for {nodes} to return")
            await self.quarantined(self.loss, back.back)
            settled = await self.guests_settle() and set(self.loss.nodes) == {*back.back, *back.missing}

    async def heed(self, change: Change) -> None:
        """A further node of the same site belongs to this loss, unless the whole site is gone."""
        await super().heed(change)
        if self._loss is None or self._handed_to:
            return
        here = {node.name for node in self._loss.inventory.site(self._loss.site).nodes}
        told = [node for one in conditions(change.verdict) if one.kind == "node-lost" for node in one.where]
        if further := tuple(node for node in told if node in here and node not in self._loss.nodes):
            self._loss = replace(self._loss, nodes=(*self._loss.nodes, *further))
            self.looks_on(self._followed_by(further, change.at))

    async def _followed_by(self, further: tuple[str, ...], at: datetime) -> None:
        """Homes, fencing and guests of those that have followed."""
        loss = self.loss
        self.note_once(f"T+{self.now:.0f} s: {shortly(further)} followed")
        self.tell_people("worse", f"{shortly(further)} followed · {self._plain_headline}", f"T+{self.now:.0f} s")
        self._headline = self._plain_headline = f"Lost: {shortly(loss.nodes)}"
        await self.is_about(loss.nodes)
        found = await self.seen_by("HA's list of services", Ha.listed, Asking(via=loss.survivors), HaFinding)
        wider = loss.listed(found.view, early=False)
        # a guest that HA had brought to one of these belongs where it ran before the first loss
        wider = replace(wider, nodes=self.loss.nodes, guests={**wider.guests, **self.loss.guests})
        new = {sid: node for sid, node in wider.guests.items() if sid not in self.loss.guests}
        self.widened(wider, found.view, at)
        if new and workflow.patched("homes-of-those-that-followed"):
            await self.homes_recorded(new)
