"""The way home, for any runbook that brings guests back to a site: hold, plan, ask, move, set back."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import ClassVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.inventory import ClusterName, InventoryReader
    from activities.losses import Losses
    from activities.maintenance import Maintenance
    from activities.migration import Migration
    from activities.placement import Placements
    from cluster.approval import Approval, Veto
    from cluster.evacuation import MaintenanceWish
    from cluster.failback import HomePlan, LossRecord, LossRef, Move, MoveWish, plan_home
    from cluster.guests import numbers
    from cluster.placement import PlacementWish
    from cluster.plan import Mode
    from cluster.units import counted, seconds
    from runbooks.homecoming import FailbackReport, FailbackRequest, Homes, Moved
    from runbooks.quarantine import Quarantine
    from runbooks.site_work import site_nodes
    from runbooks.switches import Switches
    from workflows.runbook import Runbook

# A migration of a big guest over a slow link; HA itself sets no limit.
MOVED_WITHIN = timedelta(hours=2)


class WayHome:
    """One site's guests on their way home, as part of a run. `resting`: its nodes are in maintenance at first."""

    def __init__(self, run: Runbook, homes: Homes, *, resting: bool = False) -> None:
        self._run, self._homes, self._resting = run, homes, resting
        self._policy = homes.inventory.failback
        self._quarantine = Quarantine(run, homes.site, resting=resting)
        self._plan = HomePlan(moves=(), staying={})
        self._approval: Approval | None = None
        self._switches = Switches(run)
        self._moved: dict[str, Moved] = {}
        self._left: dict[str, str] = {}  # not moved by a person's answer
        self._vetoes: list[str] = []

    # --- the procedure -----------------------------------------------------------------------------------------

    async def rehearsed(self, request: FailbackRequest) -> None:
        """Quarantine and plan as they are now."""
        self._vetoes += [f"safety: {title}" for title in await self._quarantine.listed()]
        self._plan = await self._planned()
        await self._run.agreed(request, self._plan.intents)

    async def gone(self, request: FailbackRequest) -> None:
        """Until everybody who can go home is there, however often something stands in the way."""
        first = True
        while first or not await self._done():
            await self._quarantine.held(self._policy.soak)
            self._plan = await self._planned()
            if first:
                await self._run.agreed(request, self._plan.intents)
            if not self._plan.moves and not self._plan.released:
                break
            await self._agreed()
            first = False
        await self._set_back()

    async def _done(self) -> bool:
        """Carry the plan out; false when something has come up and all is to be looked at anew."""
        await self._freeze()
        await self._release()
        self._run.section(f"Guests go home to {self._homes.site}", folds=False)
        turns = {move.sid: turn for turn, move in enumerate(self._plan.moves, start=1)}
        for batch in _batches(self._plan.moves, self._policy.together):
            if why := await self._not_now():
                self._vetoes.append(why)
                self._run.record.line("Stopped before the next guest").end("warned", why, self._run.record.elapsed)
                return False
            await self._run.together(*(self._move(move, turns[move.sid]) for move in batch))
        return True

    async def _planned(self) -> HomePlan:
        """Who goes and who stays, as things are now; a line for each."""
        self._run.section("Plan", rehearsal=True)
        plan = await self._found()
        now = self._run.record.elapsed
        for node in plan.released:
            self._run.record.line(f"{node} is released").end("done", "out of maintenance, planned", now)
        for turn, move in enumerate(plan.moves, start=1):
            self._run.record.line(f"{turn}. {move.sid} {move.name}".rstrip()).end(
                "done", f"goes home from {move.source} to {move.home}", now
            )
        for sid, why in plan.staying.items():
            self._run.record.line(f"{sid} stays").end("warned", why, now)
        return plan

    async def _found(self) -> HomePlan:
        homes = {sid: home for sid, home in self._homes.record.homes.items() if sid not in self._left}
        placement = await self._run.step("Guests are found", Placements.placement, PlacementWish(guests=tuple(homes)))
        first = tuple(sid for vmid in self._policy.first for sid in homes if vmid in numbers((sid,)))
        recovered = {**self._homes.record.recovered, **{sid: moved.home for sid, moved in self._moved.items()}}
        ours = site_nodes(self._homes.inventory, self._homes.site).nodes
        released = tuple(node for node in ours if self._resting and node in placement.resting)
        awake = {node: placement.resting[node] for node in released}
        placement = placement.model_copy(update={"nodes": placement.nodes | awake})
        plan = plan_home(homes, recovered, placement, first=first)
        return plan.model_copy(update={"released": released})

    async def _agreed(self) -> None:
        """People say yes to this very plan, unless they have done so already."""
        plan, conditions = self._plan, self._conditions()
        if self._approval is not None:
            why = await self._run.still_approved(self._approval, plan.intents, conditions, self._comfort())
            if not why:
                return
            self._vetoes.append(why)
        self._vetoes += map(str, self._comfort())
        self._approval = await self._run.gate(
            f"Bring {counted(len(plan.moves), 'guest')} home to {self._homes.site}",
            plan.intents,
            self._homes.inventory.approvals,
            conditions=conditions,
            vetoes=self._comfort(),
            risk=f"{plan.moves[0].sid if plan.moves else 'Nobody'} goes first; each guest is moved live and proven, "
            "the next one waits for that. "
            f"A failing {self._homes.site} would be another loss: about 3 minutes without these guests.",
        )

    def _conditions(self) -> tuple[str, ...]:
        """What is read again before each move, in words that do not change from look to look."""
        soak = seconds(self._policy.soak)
        return (f"the quarantine of {self._homes.site} has held for {soak}", "it holds before each move")

    def _comfort(self) -> tuple[Veto, ...]:
        """What speaks against a homecoming of some without the others; people may waive it by name."""
        return tuple(
            Veto(name=f"stays-{sid.replace(':', '-')}", text=f"{sid} does not come along: {why}", safety=False)
            for sid, why in self._plan.staying.items()
        )

    async def _freeze(self) -> None:
        """What would move the guests by itself meanwhile, first of all ``failback 1``, which undoes moves by hand."""
        if not self._plan.switches:
            return
        await self._switches.freeze(Mode.APPLY, self._homes.inventory.name, self._plan.switches)

    async def _release(self) -> None:
        """Out of maintenance, before the first guest and after people have agreed: it can itself move guests."""
        others = site_nodes(self._homes.inventory, self._homes.site).others
        if self._plan.released:
            self._run.section(f"{self._homes.site} is released")
        for turn, node in enumerate(self._plan.released, start=1):
            await self._run.step(
                f"{node} takes guests again",
                Maintenance.maintenance,
                MaintenanceWish(mode=Mode.APPLY, node=node, on=False, turn=turn, via=others, approval=self._approval),
            )

    async def _not_now(self) -> str:
        """Why the next guest may not move: a precondition that fails, or an approval that does not stand any more."""
        if failing := await self._quarantine.looked():
            return f"safety: {', '.join(failing)}"
        if self._approval is None:
            return "nobody has approved it"
        left, now = self._plan.without(self._moved), await self._found()
        if changed := [move for move in (*now.moves, *left.moves) if (move in now.moves) != (move in left.moves)]:
            return f"the plan has changed: {', '.join(dict.fromkeys(move.sid for move in changed))}"
        return await self._run.still_approved(self._approval, self._plan.intents, self._conditions(), self._comfort())

    async def _move(self, move: Move, turn: int) -> None:
        homes = self._homes
        found = await self._run.step(
            f"{move.sid} runs at home on {move.home}",
            Migration.bring_home,
            MoveWish(
                mode=Mode.APPLY,
                move=move,
                turn=turn,
                approval=self._approval,
                nodes=homes.nodes,
                vg=homes.inventory.storage.vg,
                volume=homes.inventory.volume_name,
                arrays=homes.arrays,
                lun=homes.lun,
            ),
            within=MOVED_WITHIN,
            attempt=MOVED_WITHIN,
            skip="the guest stays where it is",
        )
        if found is None:
            self._left[move.sid] = "left where it is by a person's answer"
            return
        self._moved[move.sid] = Moved(
            sid=move.sid, source=move.source, home=move.home, seconds=found.seconds, downtime=found.downtime
        )

    # --- the end -----------------------------------------------------------------------------------------------

    async def _set_back(self) -> None:
        self._run.section("Set back")
        if not self._switches.off:
            self._run.record.line("Switches").end("done", "nothing was frozen", self._run.record.elapsed)
            return
        await self._switches.set_back(Mode.APPLY, self._homes.record.homes)

    async def landed(self) -> str:
        """The condition in which an abort leaves things."""
        home = f"At home: {', '.join(self._moved)}." if self._moved else "No guest was moved."
        if not self._switches.off or self._approval is None:
            kept = f" Still off: {', '.join(map(str, self._switches.off))}." if self._switches.off else ""
            return f"{home}{kept}"
        await self._set_back()
        left = f" Outstanding: {', '.join(self._switches.outstanding)}." if self._switches.outstanding else ""
        return f"{home} {counted(len(self._switches.restored), 'switch is', 'switches are')} set back.{left}"

    @property
    def closing(self) -> str:
        """What the page says of an end that is well."""
        staying = {**self._plan.staying, **self._left}
        stays = f"; {counted(len(staying), 'stays', 'stay')}: {', '.join(staying)}" if staying else ""
        came = counted(len(self._moved), "guest is", "guests are")
        left = counted(len(self._switches.outstanding), "switch", "switches")
        return f"{came} at home{stays}; {left} outstanding."

    def report(self, request: FailbackRequest) -> FailbackReport:
        """All of it."""
        return self._run.report(
            FailbackReport,
            mode=request.mode,
            planned=self._plan.intents,
            site=self._homes.site,
            incident=self._homes.record.run,
            moved=tuple(self._moved.values()),
            staying={**self._plan.staying, **self._left},
            vetoes=tuple(dict.fromkeys(self._vetoes)),
            approval=self._approval,
            restored=self._switches.restored,
            outstanding=self._switches.outstanding,
        )


class Homeward(Runbook):
    """What runbooks that bring guests home have in common. `after`: which runs may have emptied the site."""

    after: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__()
        self._way: WayHome | None = None

    async def _record(self, request: FailbackRequest) -> LossRecord:
        """Homes and switches that are still off: as given, or as the run that has emptied the site has left them."""
        site = str(request.site)
        if request.homes is not None:
            self.record.line("Homes are given").end("done", counted(len(request.homes), "guest"), self.record.elapsed)
            return LossRecord(run="", site=site, homes=request.homes)
        ref = LossRef(site=site, run=request.incident, kinds=self.after)
        return (await self.step("Incident is read", Losses.find, ref)).record

    async def _gone_home(self, request: FailbackRequest, headline: str, *, resting: bool = False) -> FailbackReport:
        """The whole procedure; mode `plan` lists quarantine and plan, and ends there."""
        async with self.conclusion():
            which = ClusterName(cluster=request.cluster)
            inventory = (await self.step("Inventory is read", InventoryReader.read, which, parks=False)).inventory
            if wrong := request.wrong_homes(inventory):
                raise ApplicationError(wrong, type="Rejected", non_retryable=True)
            site = str(request.site)
            hooks = inventory.hooks if request.mode is Mode.APPLY else ()
            await self.begin(f"{headline.format(site)} ({request.mode})", inventory.name, hooks)
            homes = Homes(inventory=inventory, site=site, record=await self._record(request))
            way = self._way = WayHome(self, homes, resting=resting)
            await (way.rehearsed(request) if request.mode is Mode.PLAN else way.gone(request))
        return way.report(request)

    async def landing(self) -> str:
        """What was frozen is set back where that moves nobody."""
        return await self._way.landed() if self._way else ""

    @property
    def closing(self) -> str:
        """What the page says at the end."""
        return self._way.closing if self._way else ""


def _batches(moves: tuple[Move, ...], together: int) -> Iterator[Iterable[Move]]:
    """One guest first, the canary; then so many at a time."""
    yield moves[:1]
    for start in range(1, len(moves), together):
        yield moves[start : start + together]
