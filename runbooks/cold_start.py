"""A cluster without quorum whose nodes are off: arrays first, then the witness, then one node at a time.

Each node proves its clock, paths and volume group before the next one is switched on: HA starts guests as soon as
there is a quorum, and a guest that finds no disks is given up.
"""

from datetime import timedelta
from typing import ClassVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.breakglass.against import against_on, back_off
    from cluster.breakglass.called import Called, Hand
    from cluster.breakglass.judged import Judged
    from cluster.breakglass.power import MachineWish, PowerPlan, PowerWish, nameless, plan_on
    from cluster.contracts import bmc, hosts, watch
    from cluster.contracts.hosts import HostName, HostNames
    from cluster.contracts.watch import NodeWish
    from cluster.inventory import Inventory
    from cluster.plan import Mode
    from cluster.units import counted, shortly
    from runbooks.breaking.asked import BreakGlassReport, ColdStartRequest
    from runbooks.breaking.course import BreakGlass, unconfirmed
    from workflows.catalogue import About

# A server's firmware takes minutes before its system boots; above the wish's own limit.
READY_WITHIN = timedelta(minutes=30)


@workflow.defn(name="ColdStart")
class ColdStart(BreakGlass):
    """Judge, plan, two people, node after node, the quorum, the guests."""

    about = About(
        name="cold-start",
        what="Break-glass: starts a cluster that has no quorum and whose nodes are switched off: sees that an array "
        "serves the pod, then powers on one node at a time and proves its clock, paths and volume group before the "
        "next one",
        when="after a power cut of both sites, or when nodes were switched off and the quorum went with them",
        asks="for approvals of two people (`quorate approve`), and what to do when a node does not get its disks",
        landing="Nodes that are on stay on; the others stay off and are listed",
        example={"by": "ana", "why": "power on", "mode": "apply"},
        request=ColdStartRequest,
        emergency=True,
    )
    hand: ClassVar[Hand] = "cold-start"
    powers: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._on: list[str] = []
        self._ordered: list[str] = []
        self._nameless: list[str] = []
        self._up: set[str] = set()  # seen up since the plan was made
        self._leave: tuple[str, ...] = ()
        self._plan = PowerPlan(on=True, nodes=())

    @workflow.run
    async def run(self, request: ColdStartRequest | None = None) -> BreakGlassReport:
        """Mode `plan` ends with the plan."""
        request = request or ColdStartRequest()
        async with self.opens(request, "Cold start of {cluster}", refused=request.wrong_nodes) as inventory:
            self._leave = request.leave
            found = await self.must_be_called_for(inventory)
            self.refuse_if(against_on(found, inventory))
            plan = await self._planned(found, inventory)
            await self.require_two(
                request,
                inventory,
                f"Power on {counted(len(plan.nodes), 'node')}, one at a time",
                plan.intents,
                risk="HA starts guests as soon as there is a quorum: the node that brings it about proves its disks "
                "only while it starts",
                differs=self._differs,
                vetoes=(*plan.vetoes, *nameless(self._nameless)),
            )
            if request.mode is Mode.APPLY:
                await self._start(plan, found)
        by_hand = dict.fromkeys(plan.by_hand, "has no bmc: switch it on at the rack")
        return self.reported(request, plan.intents, by_hand | plan.left)

    async def _planned(self, found: Judged, inventory: Inventory) -> PowerPlan:
        self._inventory = inventory
        plan = self._plan = plan_on(found, inventory, self._leave)
        why = "; ".join(f"{node}: {left}" for node, left in plan.left.items())
        self.refuse_if("" if plan.nodes else f"no node may be powered on ({why})")
        self.called = Called(hand=self.hand, nodes=plan.nodes)
        self.section("Plan", rehearsal=True)
        self.record.line("The pod is served").end("done", f"by {' and '.join(found.serving)}", self.record.elapsed)
        if inventory.witness:
            await self.step(
                f"Witness {inventory.witness.name} is ready",
                hosts.witness_preflight,
                HostName(host=inventory.witness.name),
                skip="without the witness's vote more nodes have to start before there is a quorum",
            )
        for node in plan.nodes:
            told = await self.step(
                f"The controller of {node} is its own", bmc.machine, MachineWish(node=node), waiting=f"Asking {node}"
            )
            self._nameless += [] if told.named else [node]
        for node in plan.by_hand:
            self.record.line(f"{node} has no bmc").end("warned", "switch it on at the rack", self.record.elapsed)
        for node, left in plan.left.items():
            self.record.line(f"{node} stays off").end("warned", left, self.record.elapsed)
        return plan

    async def _differs(self) -> str:
        if self.judged is None:
            return "how the cluster is, is not known"
        judged, pending = self.judged, [node for node in self._plan.nodes if node not in self._on]
        self._up |= {*judged.on, *judged.answers}
        return (
            against_on(judged, self._inventory)
            or back_off(pending, self._up, judged)
            or self._plan.differs(plan_on(judged, self._inventory, self._leave), self._on)
        )

    async def _start(self, plan: PowerPlan, found: Judged) -> None:
        approval = self.agreement.approval if self.agreement else None
        awake = list(found.answers)
        self.section("Nodes start", folds=False)
        for turn, node in enumerate(plan.nodes, start=1):
            await self.step(
                f"{node} is on",
                bmc.switch,
                PowerWish(
                    mode=Mode.APPLY, node=node, on=True, turn=turn, nameless=node in self._nameless, approval=approval
                ),
                given=self.noting(self._ordered, node),
                waiting=f"Powering on {node}",
            )
            self._on.append(node)
            ready = await self.step(
                f"{node} has its disks",
                watch.node_ready,
                NodeWish(node=node),
                within=READY_WITHIN,
                attempt=READY_WITHIN,
                skip="the next node starts although this one is not proven",
                waiting=f"Waiting until {node} has booted and sees its disks",
            )
            awake += [node] if ready is not None and node not in awake else []
            clocks = HostNames(hosts=tuple(awake), limit=self._inventory.limits.clock_offset)
            if len(awake) > 1:
                await self.step("Clocks agree", hosts.clocks, clocks, skip="HA judges by clocks that differ")
        await self.proven("The cluster has its quorum", "quorum", waiting="Waiting for the quorum")
        await self.proven(
            "Guests run as requested",
            "guests",
            waiting="Waiting until HA has started the guests",
            skip="the run ends; HA goes on starting guests, and those that it gives up are `revive-guests`' matter",
        )

    async def landing(self) -> str:
        """Nothing is switched off again."""
        left = [node for node in self._plan.nodes if node not in self._ordered]
        on = self.unlanded or "No node was powered on."
        return f"{on} Still off: {shortly(left, 10)}." if left else on

    @property
    def unlanded(self) -> str:
        """What is known without a look."""
        on = f"Powered on: {shortly(self._on, 10)}." if self._on else ""
        return " ".join(filter(None, (on, unconfirmed("on", self._ordered, self._on))))
