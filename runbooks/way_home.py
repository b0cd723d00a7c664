"""The way home, for any runbook that brings guests back to a site: hold, plan, ask, move, set back."""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Approval, Veto
    from cluster.contracts import ha, records
    from cluster.evacuation import MaintenanceWish
    from cluster.failback import HomePlan, plan_home
    from cluster.guests import numbers
    from cluster.ledger import Book, moves_by_itself
    from cluster.ledger_calls import AtHomeWish, GiveBackWish, HomesWish, LookWish, NoteWish
    from cluster.move import Move
    from cluster.placement import PlacementWish
    from cluster.plan import Mode
    from cluster.units import counted, seconds, shortly, still_disabled
    from runbooks.homecoming import FailbackReport, FailbackRequest, Homes
    from runbooks.moves import Moves
    from runbooks.quarantine import MOVING, Quarantine
    from runbooks.site_work import site_nodes
    from runbooks.switches import Switches
    from workflows.conditions import Agreement, Condition
    from workflows.runbook import Runbook


class WayHome:
    """One site's guests on their way home, as part of a run. `resting`: its nodes are in maintenance at first."""

    def __init__(self, run: Runbook, homes: Homes, *, resting: bool = False) -> None:
        self._run, self._homes, self._resting = run, homes, resting
        self._policy = homes.inventory.failback
        keeps = tuple(node.name for node in homes.inventory.site(homes.site).nodes if homes.record.keeps(node.name))
        self._quarantine = Quarantine(run, homes.site, resting=resting, rested=keeps)
        self._plan = HomePlan(moves=(), staying={})
        self._agreement: Agreement | None = None
        self._switches = Switches(run)
        self._moves = Moves(run, homes.inventory, homes.site, self.why_not)
        self._vetoes: list[str] = []
        self._rehearsed = False
        self._looked = False
        self.at_home = False  # everybody who can go home is there

    # --- the procedure -----------------------------------------------------------------------------------------

    async def rehearse(self, request: FailbackRequest) -> None:
        """Quarantine and plan as they are now."""
        self._rehearsed = True
        self._vetoes += [f"safety: {title}" for title in await self._quarantine.listed()]
        self._plan = await self._planned()
        await self._run.require_agreement(request, self._plan.intents)

    async def hold_quarantine(self) -> None:
        """Until nothing has spoken against the site for the soak time, and no incident is open."""
        await self._run.clear()
        await self._quarantine.hold(self._policy.soak)
        await self._note_released()

    async def plan_moves(self, request: FailbackRequest) -> HomePlan:
        """Who goes home, as things are now. ApplicationError when the request was for another plan."""
        self._plan = await self._planned()
        self._switches.planned_anew(self._plan.switches)
        if not self._looked:
            await self._run.require_agreement(request, self._plan.intents)
        self._looked = True
        return self._plan

    async def move_guests(self) -> None:
        """One guest first, then the others; it ends early when something has come up and all is looked at anew."""
        self._run.section(f"Guests go home to {self._homes.site}", folds=False)
        turns = {move.sid: turn for turn, move in enumerate(self._plan.moves, start=1)}
        for batch in _batches(self._plan.moves, self._policy.together):
            if await self.stopped():
                return
            await self._run.together(*(self._move(move, turns[move.sid]) for move in batch))
        self.at_home = True

    async def stopped(self) -> bool:
        """Something that people agreed to does not hold any more: told, and nothing is begun."""
        why = await self.why_not()
        if why:
            self._vetoes.append(why)
            self._run.record.line("Stopped before the next guest").end("warned", why, self._run.record.elapsed)
        return bool(why)

    async def why_not(self) -> str:
        """Why nothing more may be begun: every condition that was signed, asked before each attempt of each change."""
        return await self._agreement.why_not() if self._agreement else "it has no valid approval"

    async def _planned(self) -> HomePlan:
        """Who goes and who stays, as things are now; a line for each."""
        run = self._run
        run.section("Plan", rehearsal=True)
        wish = PlacementWish(guests=tuple(self._homes.record.homes))
        await run.step("Guests are found", ha.placement, wish, waiting="Looking for the guests")
        plan, now = await self._found(), run.record.elapsed
        for node in plan.released:
            run.record.line(f"{node} is released").end("done", "out of maintenance, planned", now)
        for node in plan.resting:
            run.record.line(f"{node} stays in maintenance").end("done", self._why_resting(node), now)
        for turn, move in enumerate(plan.moves, start=1):
            how = "" if move.guest.live else ", with a restart"
            run.record.line(f"{turn}. {move.sid} {move.name}".rstrip()).end(
                "done", f"goes home from {move.source} to {move.home}{how}", now
            )
        for sid, why in plan.staying.items():
            run.record.line(f"{sid} stays").end("warned", why, now)
        if not self._homes.record.homes:
            await self._say_who_is_away(now)
        return plan

    def _why_resting(self, node: str) -> str:
        if self._resting and node in self._homes.record.rested:
            return "it was in maintenance before the site was emptied"
        return "not put there by Quorate: no guest goes to it"

    async def _say_who_is_away(self, now: timedelta) -> None:
        """No home is on record: whoever might be meant is named, and how to say where they belong."""
        placement = await self._run.learn(ha.placement, PlacementWish(guests=()))
        ours = site_nodes(self._homes.inventory, self._homes.site).nodes
        away = [f"{sid} on {one.node}" for sid, one in sorted(placement.services.items()) if one.node not in ours]
        said = (
            f"HA guests elsewhere: {shortly(away)}; give them as `homes` if they belong here"
            if away
            else "none is away"
        )
        self._run.record.line(f"No homes are recorded for {self._homes.site}").end("warned", said, now)

    async def _found(self) -> HomePlan:
        homes = {sid: home for sid, home in self._homes.record.homes.items() if sid not in self._moves.left}
        placement = await self._run.learn(ha.placement, PlacementWish(guests=tuple(homes)))
        first = tuple(sid for vmid in self._policy.first for sid in homes if vmid in numbers((sid,)))
        recovered = {**self._homes.record.recovered, **{sid: moved.home for sid, moved in self._moves.moved.items()}}
        ours = site_nodes(self._homes.inventory, self._homes.site).nodes
        resting = [node for node in ours if node in placement.resting]
        released = tuple(node for node in resting if self._resting and not self._homes.record.keeps(node))
        awake = {node: placement.resting[node] for node in released}
        plan = plan_home(homes, recovered, placement.model_copy(update={"nodes": placement.nodes | awake}), first=first)
        drawn = await self._drawn(released) if released else {}
        off = (*plan.switches, *self._switches.kept)  # what was turned off for this and is on again goes off again
        switches = tuple(one for one in placement.switches if one in off or one.name in drawn)
        stay = tuple(node for node in resting if node not in released)
        return plan.model_copy(update={"released": released, "resting": stay, "switches": switches})

    async def _drawn(self, released: tuple[str, ...]) -> dict[str, str]:
        """Guests that HA would move by itself once these nodes are released: it remembers where it took them from."""
        wish = LookWish(book=Book(cluster=self._homes.inventory.name), must=True)
        world = await self._run.learn(records.compare, wish)
        return moves_by_itself(world, released)

    async def require_approval(self) -> None:
        """People say yes to this very plan, unless they have done so already."""
        plan, before = self._plan, self._agreement
        self._agreement = Agreement(self._run.gates, plan.intents, self._conditions(), self._comfort())
        if before is not None and before.approval is not None:
            self._agreement.approval = before.approval
            if not (why := await self._agreement.why_not()):
                return
            self._agreement.approval = None
            self._vetoes.append(why)
        self._vetoes += map(str, self._comfort())
        restarts = [move.sid for move in plan.moves if not move.guest.live]
        how = f"HA restarts {', '.join(restarts)}: down meanwhile. " if restarts else ""
        await self._agreement.reached(
            f"Bring {counted(len(plan.moves), 'guest')} home to {self._homes.site}",
            self._homes.inventory.approvals,
            f"{plan.moves[0].sid if plan.moves else 'No guest'} goes first; each guest is moved live and proven, "
            f"the next one waits for that. {how}"
            f"A failing {self._homes.site} would be another loss: about 3 minutes without these guests.",
        )

    def _conditions(self) -> tuple[Condition, ...]:
        """What is asked again before each attempt of each change; their texts do not change from look to look."""
        site, soak = self._homes.site, seconds(self._policy.soak)
        held = f"the quarantine of {site} has held for {soak} and holds before each change"
        planned = "guests, their homes and automatic moves are as planned before each change"
        return (Condition("quarantine", held, self._unwell), Condition("plan", planned, self._differs))

    async def _unwell(self) -> str:
        return await self._quarantine.failing(MOVING if self._moves.moving else ())

    async def _differs(self) -> str:
        return self._plan.differs(await self._found(), self._moves.done, self._switches.kept)

    def _comfort(self) -> tuple[Veto, ...]:
        """What speaks against a homecoming of some without the others; people may waive it by name."""
        return tuple(
            Veto(name=f"stays-{sid.replace(':', '-')}", text=f"{sid} stays behind: {why}", safety=False)
            for sid, why in self._plan.staying.items()
        )

    @property
    def _approval(self) -> Approval | None:
        return self._agreement.approval if self._agreement else None

    async def disable_automatic_moves(self) -> None:
        """What would move the guests by itself meanwhile, first of all ``failback 1``, which undoes moves by hand.

        Where they belong is on record before that, also when a person has said so.
        """
        homes = {move.sid: move.home for move in self._plan.moves}
        wish = HomesWish(cluster=self._homes.inventory.name, homes=homes)
        await self._run.step("Homes are recorded in the ledger", records.record_homes, wish, waiting="Recording homes")
        await self._switches.freeze(
            Mode.APPLY,
            self._homes.inventory.name,
            self._plan.switches,
            approval=self._approval,
            given=self.why_not,
        )

    async def release_nodes(self) -> None:
        """Out of maintenance, before the first guest and after people have agreed: it can itself move guests."""
        others = site_nodes(self._homes.inventory, self._homes.site).others
        if self._plan.released:
            self._run.section(f"{self._homes.site} is released")
        for turn, node in enumerate(self._plan.released, start=1):
            await self._run.step(
                f"{node} takes guests again",
                ha.maintenance,
                MaintenanceWish(mode=Mode.APPLY, node=node, on=False, turn=turn, via=others, approval=self._approval),
                given=self.why_not,
                waiting=f"Waiting until {node} takes guests again",
            )

    async def _move(self, move: Move, turn: int) -> None:
        title = f"{move.sid} runs at home on {move.home}"
        if await self._moves.one(title, move, turn, self._approval, skip="the guest stays where it is"):
            await self._note_home(move.sid)

    async def _note_released(self) -> None:
        """The ledger sets nothing back before a lost site has been through its quarantine."""
        site, cluster = self._homes.site, self._homes.inventory.name
        title, waiting = f"{site} is noted as through its quarantine", "Recording the quarantine in the ledger"
        skip = "what an incident has disabled stays off until another failback has held the quarantine"
        wish = NoteWish(cluster=cluster, released=site)
        await self._run.step(title, records.note, wish, skip=skip, waiting=waiting)

    async def _note_home(self, *sids: str) -> None:
        """The ledger needs no record of them any more; what it is not told it finds out by itself."""
        with contextlib.suppress(ActivityError):
            await self._run.learn(records.at_home, AtHomeWish(cluster=self._homes.inventory.name, sids=sids))

    # --- the end -----------------------------------------------------------------------------------------------

    async def restore_automatic_moves(self) -> None:
        """As the ledger judges; what does not go back is listed there."""
        self._run.section("Restore automatic moves")
        if self._switches.off:
            await self._switches.set_back(Mode.APPLY)
            return
        self._run.record.line("Switches").end("done", "none was disabled", self._run.record.elapsed)
        with contextlib.suppress(ActivityError):  # it holds none off; the ledger notices its end by itself
            await self._run.learn(records.give_back, GiveBackWish(cluster=self._homes.inventory.name))

    @property
    def beyond(self) -> str:
        """What goes on at HA although nothing more is begun here."""
        return self._moves.beyond

    async def land(self) -> str:
        """The condition in which an abort leaves things: what HA still moves comes to its end before it is told."""
        # a plan that was agreed to before may have turned switches off and released nodes
        if self._approval is None and not (self._moves.moved or self._switches.off or self._released()):
            return "No guest was moved."
        moved, ended = self._moves.moved, await self._moves.ended()
        if self._moves.arrived:
            await self._note_home(*self._moves.arrived)
        home = [f"At home: {', '.join(moved)}."] if moved or not ended else []
        home = home if moved or ended else ["No guest was moved."]
        await self.restore_automatic_moves()
        left = [f"Outstanding: {', '.join(self._switches.outstanding)}."] if self._switches.outstanding else []
        nodes = self._released()
        released = [f"Released from maintenance: {', '.join(nodes)}."] if nodes else []
        back = f"{counted(len(self._switches.restored), 'switch is', 'switches are')} restored."
        return " ".join([*home, *ended, *released, back, *left])

    def _released(self) -> list[str]:
        """Nodes that this run has taken out of maintenance, under whichever of its plans."""
        made = self._run.record.changes
        return list(dict.fromkeys(change.target for change in made if change.what == "disable maintenance"))

    @property
    def unlanded(self) -> str:
        """What is known to be left over when the landing could not look."""
        off = (
            f"Still disabled, and in the ledger: {', '.join(map(str, self._switches.off))}."
            if self._switches.off
            else ""
        )
        return f"{self.beyond} {off}".strip()

    @property
    def closing(self) -> str:
        """What the page says of an end that is well."""
        if not self._homes.record.homes:
            return f"No homes are recorded for {self._homes.site}: no guest was moved."
        if self._rehearsed and self._plan.intents:
            return ""  # what is planned is said for every runbook alike
        staying = {**self._plan.staying, **self._moves.left}
        if self._rehearsed:
            held = "; ".join(f"{sid} {why}" for sid, why in staying.items())
            count = counted(len(staying), "guest stays", "guests stay")
            return (
                f"No change is possible now: {count}: {held}." if held else "No changes needed: all guests are at home."
            )
        stays = f"; {counted(len(staying), 'stays', 'stay')}: {', '.join(staying)}" if staying else ""
        came = counted(len(self._moves.moved), "guest is", "guests are")
        return f"{came} at home{stays}; {still_disabled(self._switches.outstanding)}."

    def report(self, request: FailbackRequest) -> FailbackReport:
        """All of it."""
        return self._run.report(
            FailbackReport,
            mode=request.mode,
            planned=self._plan.intents,
            site=self._homes.site,
            incident=self._homes.record.run,
            homes=self._homes.record.homes,
            moved=tuple(self._moves.moved.values()),
            staying={**self._plan.staying, **self._moves.left},
            vetoes=tuple(dict.fromkeys(self._vetoes)),
            approval=self._approval,
            restored=self._switches.restored,
            outstanding=self._switches.outstanding,
        )


def _batches(moves: tuple[Move, ...], together: int) -> Iterator[Iterable[Move]]:
    """One guest first, the canary; then so many at a time."""
    yield moves[:1]
    for start in range(1, len(moves), together):
        yield moves[start : start + together]
