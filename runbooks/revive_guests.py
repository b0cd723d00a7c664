"""Guests that HA has given up are started again by HA, when the cause is fixed: disabled, then started, one at a time.

A guest whose volume any other node may hold is held back, and one that is locked; nothing is unlocked or forced.
"""

from datetime import timedelta
from typing import ClassVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.breakglass.called import Called, Hand
    from cluster.breakglass.reviving import GivenUpWish, RevivePlan, ReviveWish, plan_reviving
    from cluster.contracts import ha, proxmox
    from cluster.contracts.proxmox import RIGHTS, RightsWish
    from cluster.inventory import Inventory
    from cluster.plan import Mode
    from cluster.units import counted, shortly
    from runbooks.breaking.asked import BreakGlassReport, ReviveRequest
    from runbooks.breaking.course import BreakGlass
    from workflows.catalogue import About

# One guest: HA stops what is left of it, and starts it.
REVIVED_WITHIN = timedelta(minutes=10)


@workflow.defn(name="ReviveGuests")
class ReviveGuests(BreakGlass):
    """Judge, plan, two people, guest after guest, proof."""

    about = About(
        name="revive-guests",
        what="Break-glass: has HA start the guests again that it has given up (state error), one after the other, once "
        "it is proven that no other node holds their volumes",
        when="when the cause is fixed for which HA has given up guests: storage, lock, configuration",
        asks="for approvals of two people (`quorate approve`), and what to do when HA gives a guest up again",
        landing="Guests that run stay so; one that was just disabled is named with the command that has HA start it",
        example={"by": "ana", "why": "disks back", "mode": "apply"},
        request=ReviveRequest,
        emergency=True,
    )
    hand: ClassVar[Hand] = "revive-guests"

    def __init__(self) -> None:
        super().__init__()
        self._plan = RevivePlan(guests=(), held={})
        self._running: dict[str, str] = {}
        self._begun: list[str] = []
        self._left: dict[str, str] = {}

    @workflow.run
    async def run(self, request: ReviveRequest | None = None) -> BreakGlassReport:
        """Mode `plan` ends with the plan."""
        request = request or ReviveRequest()
        headline = "Start the guests of {cluster} again that HA has given up"
        async with self.opens(request, headline, refused=request.wrong_guests) as inventory:
            self._inventory, self._only = inventory, request.guests
            await self.must_be_called_for(inventory)
            wish = RightsWish(runbook=self.about.name, must=True)  # only now: a cluster without quorum may not answer
            await self.step(RIGHTS, proxmox.rights, wish, waiting="Asking what the token may do")
            plan = await self._planned()
            await self.require_two(
                request,
                inventory,
                f"Have HA start {counted(len(plan.guests), 'guest')} again",
                plan.intents,
                risk="HA gives a guest up again when the cause is not fixed",
                differs=self._differs,
                vetoes=plan.vetoes,
            )
            if request.mode is Mode.APPLY:
                await self._revive(plan)
        return self.reported(request, plan.intents, plan.held | self._left)

    @property
    def _asks(self) -> GivenUpWish:
        inventory: Inventory = self._inventory
        return GivenUpWish(vg=inventory.groups, nodes=tuple(node.name for node in inventory.site_nodes))

    async def _planned(self) -> RevivePlan:
        self.section("Plan", rehearsal=True)
        found = await self.step("Guests in error are found", ha.given_up, self._asks, waiting="Looking at the guests")
        plan = self._plan = plan_reviving(found.guests, self._only)
        self.called = Called(hand=self.hand, nodes=tuple(sorted({one.node for one in plan.guests})))
        for turn, one in enumerate(plan.guests, start=1):
            runs = "; it runs, so HA stops it first" if one.running else ""
            self.record.line(f"{turn}. {one.sid} {one.name}".rstrip()).end(
                "warned" if one.running else "done", f"HA starts it on {one.node}{runs}", self.record.elapsed
            )
        for sid, why in plan.held.items():
            self.record.line(f"{sid} is held back").end("warned", why, self.record.elapsed)
        return plan

    async def _differs(self) -> str:
        found = await self.learn(ha.given_up, self._asks)
        return self._plan.differs(plan_reviving(found.guests, self._only), {*self._running, *self._begun, *self._left})

    async def _revive(self, plan: RevivePlan) -> None:
        inventory, approval = self._inventory, self.agreement.approval if self.agreement else None
        nodes = tuple(node.name for node in inventory.site_nodes)
        self.section("Guests are started again", folds=False)
        for turn, one in enumerate(plan.guests, start=1):
            found = await self.step(
                f"{one.sid} runs again",
                ha.revive,
                ReviveWish(
                    mode=Mode.APPLY,
                    sid=one.sid,
                    node=one.node,
                    turn=turn,
                    vg=inventory.groups,
                    nodes=nodes,
                    approval=approval,
                ),
                within=REVIVED_WITHIN,
                attempt=REVIVED_WITHIN,
                skip="the guest is left as it is: look at its requested state",
                given=self.noting(self._begun, one.sid),
                waiting=f"Having HA start {one.sid} on {one.node}",
            )
            if found is None:
                self._left[one.sid] = "left as it is: the answer was skip"
            else:
                self._running[one.sid] = found.node

    async def landing(self) -> str:
        """HA goes on with what was begun; a guest that is disabled is named with the way out."""
        return self.unlanded or "No guest was touched."

    @property
    def unlanded(self) -> str:
        """What is left over as far as the run knows."""
        going = [sid for sid in self._begun if sid not in self._running]
        runs = f"Running again: {shortly(self._running, 10)}." if self._running else ""
        left = (
            f"Begun and not proven: {shortly(going, 10)}; where HA calls it stopped and `lvs` shows its volume open on "
            f"no node: `ha-manager set {going[0]} --state started`."
            if going
            else ""
        )
        return " ".join(filter(None, (runs, left)))
