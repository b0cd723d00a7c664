"""A site is emptied: plan, conditions, each guest to its place, node after node, and the wait for the dark."""

from datetime import timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.dark import Dark
    from activities.ledger import LedgerBook
    from activities.maintenance import Maintenance
    from activities.migration import Migration
    from activities.placement import Placements
    from cluster.evacuation import DarkFinding, DarkWish, Evacuation, MaintenanceWish, MasterWish, plan_evacuation
    from cluster.failback import LossRecord
    from cluster.inventory import Inventory
    from cluster.ledger_calls import HomesWish
    from cluster.move import Move, MoveWish, SettledWish
    from cluster.placement import Placement, PlacementWish
    from cluster.plan import Mode
    from cluster.units import counted, shortly
    from runbooks.homecoming import Homes, Moved
    from runbooks.quarantine import MOVING, Quarantine
    from runbooks.site_work import site_nodes
    from runbooks.switches import Switches
    from runbooks.way_home import MOVED_WITHIN, SETTLED_WITHIN
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
        self._there = Homes(
            inventory=inventory, site=self.survivor, record=LossRecord(run="", site=self.survivor, homes={})
        )
        self._quarantine = Quarantine(run, self.survivor, resting=True)
        self._switches = Switches(run)
        self._agreement: Agreement | None = None
        self.plan: Evacuation | None = None
        self.moved: dict[str, Moved] = {}
        self._moving: dict[str, Move] = {}
        self._left: dict[str, str] = {}
        self.master = ""
        self._against: tuple[str, ...] = ()

    # --- before people are asked -------------------------------------------------------------------------------

    async def planned(self) -> Evacuation:
        """See that the other site is well, and say what is to be done, a line for each thing that is worth one."""
        run = self._run
        await self._quarantine.held(timedelta())
        run.section("Plan", rehearsal=True)
        placement = await run.step(
            "Guests are found", Placements.placement, PlacementWish(guests=()), waiting="Looking for the guests"
        )
        view = await run.step("HA's master is known", Maintenance.view, self.at, waiting="Asking for HA's master")
        plan = self.plan = self._planned(placement, view.master)
        now = run.record.elapsed
        for veto in plan.vetoes:
            run.record.line(f"Veto {veto.name}").end("warned", veto.text, now)
        for node in plan.rested:
            line = run.record.line(f"{node} was in maintenance before")
            line.end("done", "it stays so, also when the site returns", now)
        for sid, node in plan.stopped.items():
            line = run.record.line(f"{sid} is stopped")
            line.end("done", f"HA leaves it on {node}: nothing is moved or waited for", now)
        for number, node in enumerate(plan.order, start=1):
            moves = plan.of(node)
            live = [move.sid for _, move in moves if move.guest.live]
            restarted = [move.sid for _, move in moves if not move.guest.live]
            said = [f"{counted(len(live), 'guest')} live ({shortly(live)})"] if live else []
            if restarted:
                said.append(f"Moved away: {shortly(self.moved, 10)}; `return-site` brings them home, by the ledger.")
        await self._switches.set_back(Mode.APPLY)
        if off := self._switches.outstanding:
            said.append(f"Still off, and in the ledger: {shortly(off, 10)}.")
        return " ".join(said)

    @property
    def unlanded(self) -> str:
        """What is known to be left over when the landing could not look."""
        made = [change for change in self._run.record.changes if change.what == "enable maintenance"]
        resting = f"Put into maintenance: {', '.join(one.target for one in made)}." if made else ""
        off = f"Still off, and in the ledger: {shortly(map(str, self._switches.off))}." if self._switches.off else ""
        return " ".join(filter(None, (self.beyond, resting, off)))

    async def given_back(self) -> None:
        """The switches are the ledger's from now on: none goes back while guests are away from home."""
        self._run.section("Set back")
        await self._switches.set_back(Mode.APPLY)

    @property
    def outstanding(self) -> dict[str, str]:
        """Switches that stay off until the guests are at home."""
        return self._switches.outstanding
