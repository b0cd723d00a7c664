"""Sessions that are missing are made again, node after node, and every path is proven.

With Fibre Channel HBAs log in by themselves, so a node scans for LUNs and maps them; what a cable, a switch or a zone
keeps away is named, and no command mends it.

Only while both arrays serve the pod and know every host: what an array lacks is `reconcile-arrays`' matter.
"""

from typing import ClassVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.breakglass.called import Called, Hand
    from cluster.contracts import hosts
    from cluster.plan import Intent, Mode
    from cluster.units import counted, shortly
    from runbooks.breaking.asked import BreakGlassReport, SessionsRequest
    from runbooks.breaking.course import BreakGlass
    from runbooks.breaking.layers import Layers
    from workflows.catalogue import About


# What is done to a node, where that is no login: to be done, under way, done.
_DOES = {
    "fc": ("Scan", "Scanning {} again", "Scanned"),
    "nvme-tcp": ("Connect", "Connecting {} again", "Connected"),
}


@workflow.defn(name="RestoreSessions")
class RestoreSessions(BreakGlass):
    """Judge, plan, two people, node after node, every path proven."""

    about = About(
        name="restore-sessions",
        what="Break-glass: logs nodes in again at the portals of both arrays, node after node, and proves every path",
        when="when paths are missing or lost, both arrays serve the pod, and the storage network works again",
        asks="for approvals of two people (`quorate approve`), and what to do when a node does not get its paths",
        landing="Sessions that were made stay; nothing is logged out",
        example={"by": "ana", "why": "switch new", "mode": "apply"},
        request=SessionsRequest,
        emergency=True,
    )
    hand: ClassVar[Hand] = "restore-sessions"

    def __init__(self) -> None:
        super().__init__()
        self._changes: dict[tuple[str, str], tuple[Intent, ...]] = {}  # by volume and node
        self._done: list[str] = []
        self._does = ("Log in", "Logging {} in again", "Logged in")

    @workflow.run
    async def run(self, request: SessionsRequest | None = None) -> BreakGlassReport:
        """Mode `plan` ends with the plan."""
        request = request or SessionsRequest()
        async with self.opens(request, "Log nodes of {cluster} in again at both arrays") as inventory:
            await self.must_be_called_for(inventory)
            layers = self._layers = Layers(self, inventory)
            self._does = _DOES.get(inventory.transport, self._does)
            planned = await self._planned()
            await self.require_two(
                request,
                inventory,
                f"{self._does[0]} {counted(len(self._nodes), 'node')} again",
                planned,
                risk="I/O of a node whose paths change may stop for some seconds",
                differs=layers.differs,
            )
            if request.mode is Mode.APPLY and planned:
                await self._restore(layers)
        return self.reported(request, planned)

    async def _planned(self) -> tuple[Intent, ...]:
        self.section("Plan", rehearsal=True)
        if lacking := await self._layers.read():
            self.refuse_if(f"an array lacks what the nodes need ({lacking[0]}): run reconcile-arrays first")
        answering = [name for name in self._layers.planning.nodes if self.judged and name in self.judged.answers]
        layers = self._layers
        asked = [(volume, node) for volume in layers.planning.each for node in answering]
        found = await self.together(
            *(
                self.step(
                    f"Paths of {node}{volume.to_volume}",
                    hosts.ensure_paths,
                    volume.paths(node, layers.arrays, layers.wwids[volume.volume_name]),
                )
                for volume, node in asked
            )
        )
        self._changes = {
            (volume.volume_name, node): one.changes
            for (volume, node), one in zip(asked, found, strict=True)
            if one.changes
        }
        self.called = Called(hand=self.hand, nodes=self._nodes)
        # sessions are missing for each volume, and are made once
        return tuple(dict.fromkeys(intent for changes in self._changes.values() for intent in changes))

    @property
    def _nodes(self) -> tuple[str, ...]:
        """Those of which anything is missing."""
        return tuple(dict.fromkeys(node for _, node in self._changes))

    async def _restore(self, layers: Layers) -> None:
        self.section("Sessions are restored", folds=False)
        planning = {volume.volume_name: volume for volume in layers.planning.each}
        applying = {volume.volume_name: volume for volume in layers.applying.each}
        for (name, node), agreed in self._changes.items():
            planned = planning[name].paths(node, layers.arrays, layers.wwids[name])
            found = await self.step(
                f"{node} has all its paths{planning[name].to_volume}",
                hosts.ensure_paths,
                applying[name].paths(node, layers.arrays, layers.wwids[name]),
                skip="the node stays without these paths",
                given=layers.as_agreed(hosts.ensure_paths, planned, agreed),
                waiting=self._does[1].format(node),
            )
            self._done += [] if found is None or node in self._done else [node]
            self.called = self.called.model_copy(update={"begun": True})
        await self.proven(
            "The arrays see every session",
            "sessions",
            self._nodes,
            waiting="Waiting until both arrays see the sessions",
            skip="the run ends although sessions are missing",
        )

    async def landing(self) -> str:
        """A session that was made harms nobody."""
        return f"{self._does[2]} again: {shortly(self._done, 10)}." if self._done else "No node was touched."
