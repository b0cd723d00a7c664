"""The cluster's ledger, as runs talk to it.

A workflow cannot send an Update to another one, so every word goes through an activity. Each is safe to be tried
again: the Update bears the id of the step, and what it says is the same the second time.
"""

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from temporalio import activity
from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.attempt import stop_here
from activities.errors import Rejected, Unreachable
from activities.serving import serves
from cluster.contracts import records
from cluster.inventory import Inventory
from cluster.ledger import Book, RunRef, ledger_id
from cluster.ledger_calls import (
    AtHomeWish,
    BookFinding,
    BookWish,
    GiveBackWish,
    GivenBack,
    GivingBack,
    HomesFinding,
    HomesWish,
    LedgerRequest,
    NoteWish,
    Noting,
    PresentWish,
    Recording,
    SiteWish,
    TakeWish,
    Taking,
)
from cluster.nouns import Value
from cluster.traces import trace_of
from cluster.units import counted, shortly

if TYPE_CHECKING:
    pass

LEDGER = "ClusterLedger"
# A give-back waits for a comparison with the cluster; everything else is answered at once.
ANSWERS_WITHIN, COMPARED_WITHIN = timedelta(seconds=20), timedelta(seconds=80)
SILENT = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)

Answer = TypeVar("Answer", bound=Value | BookFinding | GivenBack)


class LedgerBook:
    """Activities on the ledger of one cluster. `speed` is how much faster than the wall a rehearsal's time runs."""

    def __init__(self, inventory: Inventory, speed: float = 1.0) -> None:
        self._inventory, self._speed = inventory, speed

    # --- what runs say -----------------------------------------------------------------------------------------

    @serves(records.take)
    async def take(self, wish: TakeWish) -> BookFinding:
        """The run holds these switches, and all that are off already; asked before the first of them is touched."""
        return await self._said("take", Taking(by=_me(), why=wish.why, switches=wish.switches), BookFinding)

    @serves(records.give_back)
    async def give_back(self, wish: GiveBackWish) -> GivenBack:
        """The run holds them no more: each is back as it was, or listed with what holds it back."""
        asked = GivingBack(by=_me(), names=wish.names, leaves=wish.leaves)
        return await self._said("give_back", asked, GivenBack, COMPARED_WITHIN)

    @serves(records.record_homes)
    async def record_homes(self, wish: HomesWish) -> BookFinding:
        """Where guests belong, before they are moved; the first record of a guest that is away stands.

        With it, which nodes rest already and which the run is about to put into maintenance.
        """
        asked = Recording(
            by=_me(), homes=wish.homes, recovered=wish.recovered, rested=wish.rested, emptied=wish.emptied
        )
        return await self._said("record", asked, BookFinding)

    @serves(records.at_home)
    async def at_home(self, wish: AtHomeWish) -> BookFinding:
        """These guests were seen running where they belong."""
        return await self._said("record", Recording(by=_me(), at_home=wish.sids), BookFinding)

    @serves(records.note)
    async def note(self, wish: NoteWish) -> BookFinding:
        """A site is lost, or its quarantine has held."""
        return await self._said("note", Noting(by=_me(), lost=wish.lost, released=wish.released), BookFinding)

    @serves(records.present)
    async def present(self, wish: PresentWish) -> BookFinding:
        """The run is at work; the finding's book says which others are."""
        kind = activity.info().workflow_type or ""
        return await self._said(
            "note", Noting(by=_me(), kind=kind, site=wish.site, mode=wish.mode, was=wish.was), BookFinding
        )

    @serves(records.left)
    async def left(self, wish: BookWish) -> BookFinding:
        """The run is about to end: it counts as open no more."""
        return await self._said("note", Noting(by=_me(), leaves=True), BookFinding)

    @serves(records.ledger)
    async def read(self, wish: BookWish) -> BookFinding:
        """All that the ledger knows. Reads only."""
        book = await self._read()
        off = shortly(str(entry.switch) for entry in book.switches) or "nothing"
        return BookFinding(finding=f"disabled: {off}; {counted(len(book.homes), 'home')} on record", book=book)

    @serves(records.homes)
    async def homes(self, wish: SiteWish) -> HomesFinding:
        """Guests whose home is at that site, as recorded before they were moved away. Reads only."""
        nodes = {node.name for node in self._inventory.site(wish.site).nodes}
        book = await self._read()
        here = {sid: home for sid, home in book.homes.items() if home.node in nodes}
        rests = {node: rest.ours for node, rest in book.rests.items() if node in nodes}
        runs = tuple(dict.fromkeys(home.by.run for home in here.values()))
        return HomesFinding(
            finding=f"{counted(len(here), 'guest has its home', 'guests have their homes')} at {wish.site}",
            site=wish.site,
            homes={sid: home.node for sid, home in here.items()},
            recovered={sid: home.recovered for sid, home in here.items() if home.recovered},
            runs=runs,
            trace=await _trace(runs[-1]) if runs else "",
            rested=tuple(node for node, ours in rests.items() if not ours),
            emptied=tuple(node for node, ours in rests.items() if ours),
        )

    # --- how it is reached -------------------------------------------------------------------------------------

    async def _said(self, update: str, message: Any, kind: type[Answer], within: timedelta | None = None) -> Answer:
        """Send one Update, and start the ledger if there is none."""
        info = activity.info()
        name = ledger_id(self._inventory.name)
        started: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            LEDGER,
            LedgerRequest(cluster=self._inventory.name, book=await self._earlier(), speed=self._speed),
            id=name,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_queue=info.task_queue,
            static_summary=f"ledger of {self._inventory.name}",
        )
        try:
            answer: Answer = await activity.client().execute_update_with_start_workflow(
                update,
                message,
                start_workflow_operation=started,
                id=f"{info.workflow_run_id}/{info.activity_id}",
                result_type=kind,
                rpc_timeout=within or ANSWERS_WITHIN,
            )
        except WorkflowUpdateFailedError as error:
            raise Rejected(f"{name}: {error.cause}") from None
        except (RPCTimeoutOrCancelledError, RPCError) as error:
            with contextlib.suppress(RPCTimeoutOrCancelledError, RPCError):
                await started.workflow_handle()  # the same failure once more, which the SDK wants to be looked at
            stop_here()
            raise Unreachable(await self._silent(error)) from None
        return answer

    async def _silent(self, error: Exception) -> str:
        """Why the ledger does not answer, as far as Temporal knows."""
        name, ours = ledger_id(self._inventory.name), activity.info().task_queue
        with contextlib.suppress(RPCError):
            found = await self._found()
            if found is not None and found.task_queue != ours:
                return (
                    f"{name} does not answer: it is on the queue {found.task_queue}, and this worker takes {ours}; "
                    f"start a worker with QUORATE_TASK_QUEUE={found.task_queue}"
                )
        late = isinstance(error, RPCTimeoutOrCancelledError) or getattr(error, "status", None) in SILENT
        return f"{name} does not answer: its worker is busy or gone" if late else f"{name}: {error}"

    async def _earlier(self) -> Book | None:
        """What a ledger that was terminated has known; None where one runs, or none has ever been."""
        try:
            found = await self._found()
            if found is None or found.status == WorkflowExecutionStatus.RUNNING:
                return None
            closed = activity.client().get_workflow_handle(found.id, run_id=found.run_id)
            known: Book = await closed.query("book", result_type=Book, rpc_timeout=ANSWERS_WITHIN)
        except (RPCError, WorkflowQueryFailedError) as error:
            raise Unreachable(await self._silent(error)) from None
        return known

    async def _found(self) -> WorkflowExecutionDescription | None:
        """The ledger's newest run, open or closed; None when there has never been one."""
        try:
            found = await activity.client().get_workflow_handle(ledger_id(self._inventory.name)).describe()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return None
            raise
        return found if found.workflow_type == LEDGER else None

    async def _read(self) -> Book:
        try:
            found = await self._found()
            if found is None:
                return Book(cluster=self._inventory.name)
            handle = activity.client().get_workflow_handle(found.id)
            known: Book = await handle.query("book", result_type=Book, rpc_timeout=ANSWERS_WITHIN)
        except (RPCError, WorkflowQueryFailedError) as error:
            raise Unreachable(await self._silent(error)) from None
        return known


async def _trace(run: str) -> str:
    """The trace of the newest run of that id; empty when Temporal has it no more, or does not answer."""
    with contextlib.suppress(RPCError):
        described = await activity.client().get_workflow_handle(run).describe(rpc_timeout=ANSWERS_WITHIN)
        return trace_of(described.raw_info.first_run_id or described.run_id)
    return ""


def _me() -> RunRef:
    """The run that asks: the one whose step this is."""
    info = activity.info()
    return RunRef(run=info.workflow_id or "", run_id=info.workflow_run_id or "")
