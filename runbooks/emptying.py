"""A site is emptied: plan, conditions, each guest to its place, node after node, and the wait for the dark."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import ha, records, watch
    from cluster.dark import plug
    from cluster.evacuation import (
        DarkFinding,
        DarkWish,
        Evacuation,
        MaintenanceWish,
        MasterWish,
        plan_evacuation,
    )
    from cluster.inventory import Inventory
    from cluster.ledger_calls import HomesWish
    from cluster.move import Move
    from cluster.placement import Placement, PlacementWish
    from cluster.plan import Mode
    from cluster.units import counted, shortly
    from runbooks.homecoming import Moved
    from runbooks.moves import Moves
    from runbooks.quarantine import MOVING, Quarantine
    from runbooks.site_work import site_nodes
    from runbooks.switches import Switches
    from workflows.answers import Undecodable
    from workflows.conditions import Agreement, Condition
    from workflows.failures import reason
    from workflows.page import Question
    from workflows.runbook import Runbook

EMPTIED_WITHIN = timedelta(hours=1)
DARK_WITHIN = timedelta(days=30)


class Emptying:
    """One site on its way into the dark, as part of a run."""

    def __init__(self, run: Runbook, inventory: Inventory, site: str) -> None:
        self._run, self._inventory = run, inventory
        self.at = site_nodes(inventory, site)
        self.survivor = inventory.other_site(site).name
        self._quarantine = Quarantine(run, self.survivor)
        self._switches = Switches(run)
        self._agreement: Agreement | None = None
        self.plan: Evacuation | None = None
        self._moves = Moves(run, inventory, self.survivor, self.why_not)
        self.master = ""
        self._against: tuple[str, ...] = ()

    # --- before people are asked -------------------------------------------------------------------------------

    async def plan_work(self) -> Evacuation:
        """See that the other site is well, and say what is to be done, a line for each thing that is worth one."""
        run = self._run
        await self._quarantine.hold(timedelta())
        run.section("Plan", rehearsal=True)
        placement = await run.step(
            "Guests are found", ha.placement, PlacementWish(guests=()), waiting="Looking for the guests"
        )
        view = await run.step("HA's master is known", ha.view, self.at, waiting="Asking for HA's master")
        plan = self.plan = self._planned(placement, view.master)
        now = run.record.elapsed
        for veto in plan.vetoes:
            run.record.line(f"Veto {veto.name}").end("warned", veto.text, now)
        for node in plan.rested:
            run.record.line(f"{node} was in maintenance before").end(
                "done", "it stays in maintenance, also when the site returns", now
            )
        for sid, node in plan.stopped.items():
            run.record.line(f"{sid} is stopped").end(
                "done", f"HA leaves it on {node}: nothing is moved or waited for", now
            )
        for number, node in enumerate(plan.order, start=1):
            moves = plan.of(node)
            live = [move.sid for _, move in moves if move.guest.live]
            restarted = [move.sid for _, move in moves if not move.guest.live]
            said = [f"{counted(len(live), 'guest')} live ({shortly(live)})"] if live else []
            said += (
                [f"{counted(len(restarted), 'container')} with a restart ({shortly(restarted)})"] if restarted else []
            )
            run.record.line(f"{number}. {node} is emptied").end("done", "; ".join(said) or "no guest runs there", now)
        return plan

    def _planned(self, placement: Placement, master: str) -> Evacuation:
        first = tuple(
            sid for vmid in self._inventory.failback.first for sid in placement.services if sid.endswith(f":{vmid}")
        )
        return plan_evacuation(self.at, placement, master, first=first)

    # --- what people agree to ----------------------------------------------------------------------------------

    async def require_approval(self, plan: Evacuation) -> Agreement:
        """Ask people for this plan under these conditions."""
        planned = f"the guests of {self.at.site}, their places and automatic moves are as planned"
        conditions = (
            Condition("survivor", f"{self.survivor} and the witness are well", self._unwell),
            Condition("plan", planned, self._differs),
        )
        agreement = self._agreement = Agreement(self._run.gates, plan.intents, conditions, plan.vetoes)
        restarted = [move.sid for move in plan.moves if not move.guest.live]
        how = f"HA restarts {shortly(restarted)}: down meanwhile. " if restarted else ""
        await agreement.reached(
            f"Empty {self.at.site}",
            self._inventory.approvals,
            f"{how}While {self.at.site} is dark, the loss of one more node or of the witness stops {self.survivor} too",
        )
        return agreement

    async def _unwell(self) -> str:
        return await self._quarantine.failing(MOVING if self._moves.moving else ())

    async def _differs(self) -> str:
        if self.plan is None:
            return "nothing is planned"
        placement: Placement = await self._run.learn(ha.placement, PlacementWish(guests=()))
        now = self._planned(placement, "")
        return self.plan.differs(now, placement, self._moves.done, self._switches.kept)

    async def why_not(self) -> str:
        """Why nothing more may be begun."""
        return await self._agreement.why_not() if self._agreement else "it has no valid approval"

    # --- the changes -------------------------------------------------------------------------------------------

    async def empty(self, plan: Evacuation, agreement: Agreement) -> None:
        """Switches off, the master away, then node after node: its guests, then the node itself; the proof last."""
        run, at, approval = self._run, self.at, agreement.approval
        run.section("Before the first guest", folds=False)
        homes = HomesWish(cluster=self._inventory.name, homes=plan.homes, rested=plan.rested, emptied=plan.order)
        await run.step("Homes are recorded in the ledger", records.record_homes, homes, waiting="Recording homes")
        await self._switches.freeze(
            Mode.APPLY, self._inventory.name, plan.switches, approval=approval, given=self.why_not
        )
        run.section(f"{at.site} is emptied", folds=False)
        leads = await run.step(
            f"HA's master is not at {at.site}",
            ha.move_master,
            MasterWish(mode=Mode.APPLY, at=at, approval=approval),
            skip="a new master takes two minutes when the site goes dark",
            given=self.why_not,
            waiting=f"Moving HA's master away from {at.site}",
        )
        self.master = leads.finding if leads else ""
        for turn, node in enumerate(plan.order, start=1):
            await self._emptied(node, plan)
            await run.step(
                f"{node} is in maintenance",
                ha.maintenance,
                MaintenanceWish(mode=Mode.APPLY, node=node, on=True, turn=turn, via=at.others, approval=approval),
                within=EMPTIED_WITHIN,
                attempt=EMPTIED_WITHIN,
                given=self.why_not,
                waiting=f"Waiting until {node} is in maintenance and empty",
            )
        await run.step(
            f"{at.site} is empty", ha.empty, at, given=self.why_not, waiting=f"Proving that {at.site} is empty"
        )

    async def _emptied(self, node: str, plan: Evacuation) -> None:
        moves, together = plan.of(node), self._inventory.failback.together
        for start in range(0, len(moves), together):
            await self._run.together(*(self._moved_away(move, turn) for turn, move in moves[start : start + together]))

    async def _moved_away(self, move: Move, turn: int) -> None:
        approval = self._agreement.approval if self._agreement else None
        skip = f"HA moves it by itself when {move.source} goes into maintenance"
        await self._moves.one(f"{move.sid} runs on {move.home}", move, turn, approval, skip=skip)

    # --- the dark ----------------------------------------------------------------------------------------------

    async def wait_for_dark(self) -> None:
        """Ask a person to switch the machines off, for as long as nothing speaks against it; wait until it is done."""
        run, at = self._run, self.at
        run.section(f"Until {at.site} is dark")
        line = run.record.line(f"{at.site} is dark, and no node was fenced", f"Waiting until {at.site} is dark")
        skip = "the work is done without switching the site off"
        known: tuple[str, ...] | None = None
        async with run.interlock.minding(lambda why: self._told(None, why)):
            while True:
                wish = DarkWish(at=at, survivor=self.survivor, known=known)
                try:
                    found = await run.learn(watch.dark, wish, within=DARK_WITHIN, attempt=DARK_WITHIN)
                except (ActivityError, Undecodable) as error:
                    run.state.stop_if_asked()
                    word, message = reason(error) if isinstance(error, ActivityError) else ("Undecodable", str(error))
                    if not await run.steps.answered(
                        line, Question(step=line.title, word=word, message=message, skip=skip)
                    ):
                        break
                    continue
                if not found.on:
                    line.found(found, run.record.elapsed)
                    break
                line.set("running", found.finding)
                self._told(found, None)
                known = found.key
        run.alarm("dark", "")

    def _told(self, found: DarkFinding | None, holds: str | None) -> None:
        """What the person with the plug reads first: as long as a node is on, it is not too late to stop."""
        if found is not None:
            self._against = found.against
            self._going = len(found.on) < len(self.at.nodes)
        if holds is not None:
            self._holds = holds
        self._run.alarm("dark", plug(self.at.site, going=self._going, against=self._against, holds=self._holds))

    _going, _holds = False, ""

    # --- every ending ------------------------------------------------------------------------------------------

    @property
    def beyond(self) -> str:
        """What goes on at HA although nothing more is begun here."""
        return self._moves.beyond

    @property
    def moved(self) -> dict[str, Moved]:
        """Guests that were moved away and proven."""
        return self._moves.moved

    async def land(self) -> str:
        """How things were left, by HA's own word: nodes in maintenance, moves that go on, switches, homes."""
        if self._agreement is None or self._agreement.approval is None:
            return "No guest was moved."
        said = [*await self._moves.ended()]
        view = await self._run.step("Nodes in maintenance are known", ha.view, self.at)
        resting = [node for node in self.at.nodes if view.states.get(node) == "maintenance"]
        said.append(f"In maintenance: {', '.join(resting)}." if resting else "No node is in maintenance.")
        if self.moved:
            said.append(
                f"Moved away: {shortly(self.moved, 10)}; homes are in the ledger: `return-site` brings them home."
            )
        await self._switches.set_back(Mode.APPLY)
        if off := self._switches.outstanding:
            said.append(f"Still disabled, and in the ledger: {shortly(off, 10)}.")
        return " ".join(said)

    @property
    def unlanded(self) -> str:
        """What is known to be left over when the landing could not look."""
        made = [change for change in self._run.record.changes if change.what == "enable maintenance"]
        resting = f"Put into maintenance: {', '.join(one.target for one in made)}." if made else ""
        off = (
            f"Still disabled, and in the ledger: {shortly(map(str, self._switches.off))}." if self._switches.off else ""
        )
        return " ".join(filter(None, (self.beyond, resting, off)))

    async def hand_over_switches(self) -> None:
        """The switches are the ledger's from now on: none goes back while guests are away from home."""
        self._run.section("Restore automatic moves")
        await self._switches.set_back(Mode.APPLY)

    @property
    def outstanding(self) -> dict[str, str]:
        """Switches that stay off until the guests are at home."""
        return self._switches.outstanding
