"""ClusterLedger: one entity per cluster that remembers what was turned off, and turns it on when that is safe.

It never ends by itself and keeps all it knows in its own state. Runs talk to it through the activities of
`activities.records.ledger`; people read its page, or `quorate switches`. It compares itself with the world whenever a
run gives something back and every ten minutes while anything is kept: a run that was terminated holds nothing.
"""

import asyncio
from datetime import timedelta

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster import ledger
    from cluster.audit.head import Anchor
    from cluster.contracts import records
    from cluster.ledger import Book, Happened, Holder, Present, World
    from cluster.ledger_calls import (
        BookFinding,
        Forgetting,
        GivenBack,
        GivingBack,
        LedgerRequest,
        LookWish,
        Noting,
        Recording,
        RestoreWish,
        Taking,
    )
    from cluster.plan import Mark
    from cluster.units import counted, shortly
    from workflows import attributes
    from workflows.answers import ask
    from workflows.failures import reason
    from workflows.lasting import is_long
    from workflows.ledger_page import render_ledger
    from workflows.steps import HEARTBEAT

# Of the cluster's own time, between two comparisons while anything is kept.
EVERY = timedelta(minutes=10)
LOOKED_WITHIN, RESTORED_WITHIN = timedelta(minutes=1), timedelta(minutes=2)


@workflow.defn(name="ClusterLedger")
class ClusterLedger:
    """The ledger of one cluster."""

    @workflow.init
    def __init__(self, request: LedgerRequest) -> None:
        self._book = (request.book or Book()).model_copy(update={"cluster": request.cluster})
        self._speed = request.speed
        self._due = not self._book.idle
        self._restoring = False
        self._turn = asyncio.Lock()

    @workflow.run
    async def run(self, request: LedgerRequest) -> None:
        """For as long as there is the cluster."""
        workflow.upsert_search_attributes([attributes.CLUSTER.value_set(request.cluster)])
        self._tell()
        while True:
            try:
                await workflow.wait_condition(lambda: self._due or is_long(), timeout=self._pause)
                compare = self._due
            except TimeoutError:
                compare = True
            if compare:
                self._due = False
                await self._compared()
            if is_long():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(LedgerRequest(cluster=request.cluster, book=self._book, speed=self._speed))

    @property
    def _pause(self) -> timedelta | None:
        return None if self._book.idle else EVERY / self._speed

    # --- what it is told ---------------------------------------------------------------------------------------

    @workflow.update(description="A run is about to disable switches")
    async def take(self, asked: Taking) -> BookFinding:
        """Known before the first of them is touched; waits while others are being turned on."""
        await workflow.wait_condition(lambda: not self._restoring)
        holder = Holder(**asked.by.model_dump(), why=asked.why, since=workflow.now())
        self._book = ledger.take(self._book, holder, asked.switches)
        self._tell()
        held = ledger.held_by(self._book, asked.by.run_id)
        said = f"recorded before they are disabled: {shortly(str(entry.switch) for entry in held)}"
        return BookFinding(finding=said if held else "none was found that would be disabled", book=self._book)

    @workflow.update(description="A run no longer needs its switches disabled")
    async def give_back(self, asked: GivingBack) -> GivenBack:
        """What may go back goes back now; the rest is listed with the reason, and tried again."""
        held = [
            entry for entry in ledger.held_by(self._book, asked.by.run_id)
            if asked.names is None or entry.switch.name in asked.names
        ]  # fmt: skip
        self._book = ledger.give_back(self._book, asked.by.run_id, asked.names)
        if asked.leaves:
            self._book = ledger.left(self._book, asked.by.run_id)
        if held:
            await self._compared()
        off = {entry.key: entry for entry in self._book.switches}
        outstanding = {str(off[one.key].switch): self._why(off[one.key].held_back) for one in held if one.key in off}
        back = tuple(one.switch for one in held if one.key not in off)
        said = f"{counted(len(back), 'switch is', 'switches are')} restored" if held else "none was disabled"
        if outstanding:
            said += f", {len(outstanding)} still disabled: " + shortly((f"{k}: {v}" for k, v in outstanding.items()), 3)
        mark: Mark = "warned" if outstanding else "done" if held else "unneeded"
        return GivenBack(finding=said, mark=mark, changed=bool(back), restored=back, outstanding=outstanding)

    @workflow.update(description="Homes of guests, or guests that are at home again")
    async def record(self, asked: Recording) -> BookFinding:
        """The first home of a guest stands until it is there again, and whose rest it is until the node is released."""
        book = ledger.record_homes(self._book, asked.by, asked.homes, asked.recovered, workflow.now())
        book = ledger.record_rests(book, asked.by, asked.rested, asked.emptied, workflow.now())
        self._book = ledger.at_home(book, asked.at_home)
        self._due = self._due or bool(asked.at_home)
        self._tell()
        return BookFinding(finding=f"{counted(len(self._book.homes), 'home')} on record", book=self._book)

    @workflow.update(description="A site is lost or released; a run begins or ends")
    async def note(self, asked: Noting) -> BookFinding:
        """Facts that decide whether a switch may go back."""
        by, now = asked.by, workflow.now()
        if asked.was:
            self._book = ledger.continued(self._book, asked.was, by)
        if asked.kind:
            run = Present(**by.model_dump(), kind=asked.kind, site=asked.site, mode=asked.mode, since=now)
            self._book = ledger.present(self._book, run)
        if asked.lost:
            self._book = ledger.site_lost(self._book, by, asked.lost, now)
        if asked.released:
            self._book = ledger.site_released(self._book, asked.released)
        if asked.leaves:
            self._book = ledger.left(self._book, by.run_id)
        self._due = self._due or bool(asked.released or asked.leaves)
        self._tell()
        return BookFinding(finding="noted", book=self._book)

    @workflow.update(description="Compare with the cluster now, and restore the switches that may be restored")
    async def compare(self) -> BookFinding:
        """What `quorate switches --restore` asks for."""
        await self._compared()
        return BookFinding(finding=self._book.trouble or "compared with the cluster", book=self._book)

    @workflow.update(description="Take a switch or a home out of the ledger, with a name and a reason")
    async def forget(self, asked: Forgetting) -> BookFinding:
        """A person's word: nothing is changed in the cluster."""
        before = self._book
        if asked.home:
            self._book = ledger.at_home(before, [asked.name])
        else:
            kept = tuple(entry for entry in before.switches if entry.switch.name != asked.name)
            self._book = before.model_copy(update={"switches": kept})
        what = "its home" if asked.home else "the switch"
        said = Happened(
            at=workflow.now(), text=f"{asked.name}: {what} was removed from the ledger by {asked.by}: {asked.why}"
        )
        self._book = ledger.happened(self._book, [said])
        self._due = True
        self._tell()
        return BookFinding(finding=said.text, book=self._book)

    @forget.validator
    def _known(self, asked: Forgetting) -> None:
        names = list(self._book.homes) if asked.home else [entry.switch.name for entry in self._book.switches]
        if asked.name not in names:
            what = "home on record" if asked.home else "disabled switch"
            raise ApplicationError(f"{asked.name}: there is no such {what}; known: {shortly(names) or 'none'}")

    @workflow.signal(description="The newest head of a chain of audit records: kept here, outside their folder")
    def audited(self, head: Anchor) -> None:
        """What was told stays; a chain that is cut off or written anew does not have it any more."""
        known = self._book.audited.get(head.signer)
        if known is None or known.number < head.number:
            self._book = self._book.model_copy(update={"audited": {**self._book.audited, head.signer: head}})

    @workflow.query(description="All that the ledger knows")
    def book(self) -> Book:
        """As data."""
        return self._book

    @workflow.query(description="The page of this ledger, as Markdown")
    def page(self) -> str:
        """The page as it stands."""
        return render_ledger(self._book)

    # --- what it does by itself --------------------------------------------------------------------------------

    async def _compared(self) -> None:
        """Look, drop what is over, turn on what may be turned on. One at a time; a failure is told and tried again."""
        async with self._turn:
            try:
                world = await self._world()
                self._learn(world)
                await self._restored(world)
                trouble = ""
            except ActivityError as error:
                trouble = ": ".join(reason(error))
            except ValidationError:
                trouble = "a worker of another version answered"
            self._book = self._book.model_copy(update={"trouble": trouble, "looked": workflow.now()})
            self._tell()

    async def _world(self) -> World:
        return await ask(
            records.compare,
            LookWish(book=self._book),
            summary="state of the cluster",
            start_to_close_timeout=LOOKED_WITHIN,
            schedule_to_close_timeout=LOOKED_WITHIN,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=10)),
        )

    def _learn(self, world: World) -> None:
        """Runs that are over hold nothing; guests that are at home and nodes that take guests need no record."""
        self._book = ledger.without_ended(self._book, world)
        self._book = ledger.at_home(self._book, ledger.settled_homes(self._book, world))
        self._book = ledger.released(self._book, ledger.rests_no_more(self._book, world))
        why = {ledger.key_text(*one.key): ledger.may_restore(one, self._book, world) for one in self._book.switches}
        self._book = ledger.listed(self._book, why)

    async def _restored(self, world: World) -> None:
        due = tuple(
            ledger.key_text(*one.key) for one in self._book.switches if not ledger.may_restore(one, self._book, world)
        )
        if not due:
            return
        self._restoring = True
        try:
            found = await ask(
                records.restore,
                RestoreWish(book=self._book, keys=due),
                summary=f"restore {shortly(due)}"[:100],
                start_to_close_timeout=RESTORED_WITHIN,
                schedule_to_close_timeout=RESTORED_WITHIN,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=10)),
            )
        finally:
            self._restoring = False
        self._book = ledger.restored(self._book, found.settled, workflow.now())
        self._book = ledger.listed(self._book, found.held)

    def _why(self, held_back: str) -> str:
        return held_back or self._book.trouble or "not compared with the cluster yet"

    def _tell(self) -> None:
        workflow.set_current_details(self.page())
