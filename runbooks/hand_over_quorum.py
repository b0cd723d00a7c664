"""The quorum is at one site and the disks are at the other: power off the nodes without disks, one after the other.

The witness then gives its vote to the site that has the disks, and HA recovers the guests there. It is asked before
each node whether that is still so; after the first one it is waited until the other site has the quorum.
"""

from typing import ClassVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.breakglass.against import against_off
    from cluster.breakglass.called import Called, Hand
    from cluster.breakglass.judged import Judged
    from cluster.breakglass.power import MachineWish, PowerPlan, PowerWish, nameless, plan_off
    from cluster.contracts import bmc
    from cluster.inventory import Inventory
    from cluster.plan import Mode
    from cluster.units import counted, shortly
    from runbooks.breaking.asked import BreakGlassReport, HandOverRequest
    from runbooks.breaking.course import BreakGlass, unconfirmed
    from workflows.catalogue import About


@workflow.defn(name="HandOverQuorum")
class HandOverQuorum(BreakGlass):
    """Judge, plan, two people, node after node, the quorum at the site with the disks."""

    about = About(
        name="hand-over-quorum",
        what="Break-glass: powers off, by their management controllers and one after the other, the nodes that have "
        "the quorum and no disks, so that the witness votes for the site with the disks and HA recovers the guests "
        "there",
        when="when the sites are parted and the incident says that the quorum is at one site and the disks at the "
        "other",
        asks="for approvals of two people (`quorate approve`), and what to do when the quorum does not move",
        landing="Nodes that are off stay off and are listed; nothing is switched on",
        example={"by": "ana", "why": "link cut", "mode": "apply"},
        request=HandOverRequest,
        emergency=True,
    )
    hand: ClassVar[Hand] = "hand-over-quorum"
    powers: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._off: list[str] = []
        self._ordered: list[str] = []
        self._nameless: list[str] = []
        self._plan = PowerPlan(on=False, nodes=())

    @workflow.run
    async def run(self, request: HandOverRequest | None = None) -> BreakGlassReport:
        """Mode `plan` ends with the plan."""
        request = request or HandOverRequest()
        async with self.opens(request, "Give the quorum of {cluster} to the site with the disks") as inventory:
            found = await self.must_be_called_for(inventory)
            plan = await self._planned(found, inventory)
            winner, lost = self.called.where
            await self.require_two(
                request,
                inventory,
                f"Power off {counted(len(plan.nodes), 'node')} of {winner}",
                plan.intents,
                risk=f"What still runs at {winner} stops: guests there have no disks. {lost} has the disks; HA starts "
                "the guests there once the witness votes for it",
                differs=self._differs,
                vetoes=(*plan.vetoes, *nameless(self._nameless)),
            )
            if request.mode is Mode.APPLY:
                await self._hand_over(plan, inventory)
        return self.reported(
            request, plan.intents, dict.fromkeys(plan.by_hand, "has no bmc: switch it off at the rack")
        )

    async def _planned(self, found: Judged, inventory: Inventory) -> PowerPlan:
        self._inventory = inventory
        where = next(one.where for one in found.conditions if one.kind == "storage-elsewhere")
        self.called = Called(hand=self.hand, where=where)
        plan = self._plan = plan_off(where[0], found, inventory)
        self.refuse_if("" if plan.nodes else f"no node of {where[0]} has a bmc in the inventory: switch them off there")
        self.refuse_if(against_off(plan, where[1], found, inventory))
        self.section("Plan", rehearsal=True)
        for node in plan.nodes:
            told = await self.step(
                f"The controller of {node} is its own", bmc.machine, MachineWish(node=node), waiting=f"Asking {node}"
            )
            self._nameless += [] if told.named else [node]
        for node in plan.by_hand:
            self.record.line(f"{node} has no bmc").end("warned", "switch it off at the rack", self.record.elapsed)
        return plan

    async def _differs(self) -> str:
        if self.judged is None:
            return "how the cluster is, is not known"
        winner, lost = self.called.where
        now = plan_off(winner, self.judged, self._inventory)
        return against_off(now, lost, self.judged, self._inventory) or self._plan.differs(now, self._off)

    async def _hand_over(self, plan: PowerPlan, inventory: Inventory) -> None:
        winner, lost = self.called.where
        there = tuple(node.name for node in inventory.site(lost).nodes)
        self.section(f"The quorum goes to {lost}", folds=False)
        for turn, node in enumerate(plan.nodes, start=1):
            await self._switch_off(f"{node} is off", node, turn)
            if turn == 1:
                await self.proven(
                    f"{lost} has the quorum",
                    "quorum there",
                    there,
                    waiting=f"Waiting until the witness votes for {lost}",
                    skip=f"the next node of {winner} is switched off although no site has the quorum",
                )
        # a machine that its watchdog resets may have looked switched off for a moment
        for turn, node in enumerate(plan.nodes, start=1):
            await self._switch_off(f"{node} is still off", node, turn)

    async def _switch_off(self, title: str, node: str, turn: int) -> None:
        approval = self.agreement.approval if self.agreement else None
        await self.step(
            title,
            bmc.switch,
            PowerWish(
                mode=Mode.APPLY, node=node, on=False, turn=turn, nameless=node in self._nameless, approval=approval
            ),
            given=self.noting(self._ordered, node),
            waiting=f"Powering off {node}",
        )
        self._off += [node] if node not in self._off else []

    async def landing(self) -> str:
        """Nothing is switched on again in a hurry: what is off is listed."""
        return self.unlanded or "No node was powered off."

    @property
    def unlanded(self) -> str:
        """What is known without a look."""
        off = f"Powered off and left off: {shortly(self._off, 10)}." if self._off else ""
        return " ".join(filter(None, (off, unconfirmed("off", self._ordered, self._off))))

    @property
    def closing(self) -> str:
        """What the page says at the end."""
        if not self._off:
            return ""
        return (
            f"{shortly(self._off, 10)} stay off until the link between the sites is repaired. Then switch them on one "
            "at a time; the incident watches the guests."
        )
