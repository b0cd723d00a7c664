"""What an incident does itself: it confirms the loss, records it, and disables what moves guests by itself.

Beside the looking, which never waits for it.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.conditions import Kind
    from cluster.contracts import proxmox, records, watch
    from cluster.contracts.proxmox import RightsWish
    from cluster.ledger_calls import HomesWish, NoteWish, PresentWish
    from cluster.plan import Mode
    from cluster.watching import Opening, Suspected
    from runbooks.losing.carried import LossState
    from runbooks.loss import Loss
    from runbooks.switches import Switches
    from workflows.incident import Incident

RIGHTS = "Rights of the token"
CONFIRMED_WITHIN = timedelta(minutes=2)
# A verdict that is older than this was not of now: the worker was away, and everybody is asked anew.
FRESH = timedelta(minutes=1)
SKIP = "guests may move by themselves during the incident"


class Hands:
    """The changes of one incident, and what it leaves in the cluster's ledger."""

    def __init__(self, run: Incident, switches: Switches) -> None:
        self._run, self._switches = run, switches
        self._told: asyncio.Task[None] | None = None  # the ledger learns that another run goes on
        self._known_as = ""  # until then it knows this one
        self._waits_for_rights = False

    async def work(self, mode: Mode, loss: Loss, opening: Opening | None, kinds: tuple[Kind, ...]) -> None:
        """First what outlives this run, then the confirmation, then the switches."""
        await self._recorded(mode, loss)
        await self._run.continuing.part("confirmed", lambda: self._confirmed(loss, opening, kinds))
        await self._switches.freeze(mode, loss.inventory.name, skip=SKIP)
        self._freezes_when_allowed(mode, loss.inventory.name)

    async def _recorded(self, mode: Mode, loss: Loss) -> None:
        """In the cluster's ledger: that this incident is open, which site is lost, where its guests belong."""
        run, cluster = self._run, loss.inventory.name
        waiting = "Recording the loss in the ledger"
        skip = "other runs and the failback learn of it only while this run is on record"
        here = PresentWish(cluster=cluster, site=loss.site, mode=mode)
        await run.step("This incident is in the ledger", records.present, here, skip=skip, waiting=waiting)
        run.state.entered = True  # the ledger counts it as open: it is told when this run leaves
        if loss.whole:
            wish = NoteWish(cluster=cluster, lost=loss.site)
            await run.step(f"{loss.site} is noted as lost", records.note, wish, skip=skip, waiting=waiting)
        if loss.homes:
            homes, title = HomesWish(cluster=cluster, homes=loss.homes), "Homes are recorded in the ledger"
            await run.step(title, records.record_homes, homes, skip=skip, waiting=waiting)

    async def _confirmed(self, loss: Loss, opening: Opening | None, kinds: tuple[Kind, ...]) -> None:
        """By the watch that has opened this run; where that is long ago, or nobody watched, everybody is asked."""
        run = self._run
        title = f"Loss of {loss.site if loss.whole else ', '.join(loss.nodes)} is confirmed"
        if opening is not None and workflow.now() - opening.at < FRESH:
            run.record.line(title).end("done", opening.verdict.sentence, run.record.elapsed)
            return
        await run.step(
            title,
            watch.confirm,
            Suspected(kinds=kinds, where=loss.site if loss.whole else loss.nodes[0], memory=loss.memory),
            within=CONFIRMED_WITHIN,
            attempt=CONFIRMED_WITHIN,
            skip="the incident goes on although the loss is not confirmed",
            waiting="Waiting for every vantage point to answer",
        )

    async def release(self, loss: Loss) -> None:
        """The site has come back whole, and its quarantine holds: the ledger may set back what moves nobody."""
        title = f"{loss.site} is noted as back"
        await self._run.step(
            title,
            records.note,
            NoteWish(cluster=loss.inventory.name, released=loss.site),
            skip="the ledger keeps what was disabled until a failback has held the quarantine",
            waiting="Recording the return in the ledger",
        )
        self._run.steps.settles_anew(title)

    # --- what a missing right has left on ------------------------------------------------------------------------

    def _freezes_when_allowed(self, mode: Mode, cluster: str) -> None:
        wanted = self._switches.lacks_some and mode is Mode.APPLY and not self._waits_for_rights
        if wanted and workflow.patched("freezes-when-allowed"):
            self._waits_for_rights = True
            self._run.looks.beside(self._frozen_with_rights(mode, cluster))

    async def _frozen_with_rights(self, mode: Mode, cluster: str) -> None:
        """As soon as the token has a right that it lacked: what could not be seen or disabled before is asked again."""
        run, wish = self._run, RightsWish(runbook=self._run.about.name)
        lacks = (await run.looks.seen_by(RIGHTS, proxmox.rights, wish)).missing
        while lacks and self._switches.lacks_some:
            await run.looks.rest()
            left = (await run.looks.seen_by(RIGHTS, proxmox.rights, wish)).missing
            if set(left) < set(lacks) and self._switches.lacks_some:
                await self._switches.freeze(mode, cluster, skip=SKIP)
            lacks = left

    # --- it goes on in a new run -------------------------------------------------------------------------------

    @property
    def on_record(self) -> bool:
        """The ledger knows this run by its own id."""
        return self._told is None or self._told.done()

    @property
    def known_as(self) -> str:
        """The execution that the ledger knows: this one, or an earlier one until it has been told."""
        return workflow.info().run_id if self.on_record else self._known_as

    def resumes(self, mode: Mode, known: LossState) -> None:
        """The ledger counts what the earlier run has said as said by this one."""
        if known.entered:
            self._known_as = known.run_id
            self._told = asyncio.create_task(self._recorded_again(mode, known))
        self._freezes_when_allowed(mode, known.loss.inventory.name)

    async def _recorded_again(self, mode: Mode, known: LossState) -> None:
        wish = PresentWish(cluster=known.loss.inventory.name, site=known.loss.site, mode=mode, was=known.run_id)
        await self._run.looks.seen_by("This incident is in the ledger", records.present, wish)
