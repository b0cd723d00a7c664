"""Who else is at work on the cluster, and whether an incident is open: asked before a run changes anything.

Three sources are read, each of which knows what the others may not: the ledger (runs that said so themselves),
Temporal's list of running incidents, and the watch's verdict, which stands before its incident is open. Where one of
them cannot be read, or the watch has not looked for longer than its rounds, nothing may be changed: silence is no
permission. A cluster that nobody watches has no verdict; what a run signs for is checked by its own conditions then.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.attempt import look_again, paced
from activities.errors import Unreachable
from activities.records.ledger import LedgerBook
from activities.serving import serves
from cluster.contracts import records, watch
from cluster.inventory import Inventory
from cluster.ledger import INCIDENTS, Book
from cluster.ledger_calls import BookWish, PresentWish
from cluster.memory import rounds
from cluster.together import CHANGING, UNSEEN, Beside, TogetherFinding, TogetherWish, judged, standing, unseen
from cluster.watching import watch_id

# Between two looks, in seconds of the cluster's time.
EVERY = 10.0
# A watch that is at work answers at once, or is busy with a task of some seconds.
ASKED = timedelta(seconds=3)
# A worker that takes over needs some seconds before the verdict is of now again. Seconds of our time: for a look, and
# for a change, which a person would have to answer for otherwise.
PATIENT, MORE_PATIENT, AGAIN_IN = 3.0, 25.0, 0.5
# Steps that run side by side ask at the same moment: one look serves them. Seconds of our time.
FRESH = 1.0
HELD = "Held"


class Interlock:
    """Activities and checks on what else is at work on the one cluster of this worker.

    `speed` is how much faster than the wall a rehearsal's time runs.
    """

    def __init__(self, inventory: Inventory, book: LedgerBook, speed: float = 1.0) -> None:
        self._cluster, self._speed, self._book = inventory.name, speed, book
        self._inventory = inventory.digest
        self._rounds = rounds(inventory, speed)
        self._looking = asyncio.Lock()
        self._incidents: tuple[float, tuple[Beside, ...]] | None = None

    @serves(records.together)
    async def look(self, wish: TogetherWish) -> TogetherFinding:
        """Whether the run that asks may go on beside all others; where `known` is given, once that has changed."""
        began = time.monotonic()
        kind, run_id = str(activity.info().workflow_type), str(activity.info().workflow_run_id)
        while True:
            found = await self._found(kind, run_id, wish)
            spent = (time.monotonic() - began) * self._speed
            if wish.known is None or wish.known != found.holds or spent >= wish.until:
                return found
            await look_again(paced(EVERY, self._speed), found.finding)

    async def before_a_change(self, client: Client, kind: str) -> None:
        """Held, with the reason, when a run of that type may change nothing now; asked before every attempt."""
        if kind in INCIDENTS:
            return
        async with self._looking:
            if self._incidents is None or time.monotonic() - self._incidents[0] > FRESH:
                self._incidents = (time.monotonic(), await self.open_incidents(client, MORE_PATIENT))
            incidents = self._incidents[1]
        if holds := judged(kind, incidents).holds:
            raise ApplicationError(
                f"{holds}. Nothing was begun; answer retry when it is over, or abort", type=HELD, non_retryable=True
            )

    # --- what it stands on -------------------------------------------------------------------------------------

    async def _found(self, kind: str, run_id: str, wish: TogetherWish) -> TogetherFinding:
        client = activity.client()
        book = await self._entered(wish)
        runs = [run for run in _before(book, run_id) if await _is_running(client, run)]
        found = judged(kind, (*runs, *await self.open_incidents(client)))
        return found.model_copy(update={"inventory": self._inventory})

    async def _entered(self, wish: TogetherWish) -> Book:
        """The ledger, with this run in it if it has just begun."""
        if wish.enters:
            present = PresentWish(cluster=self._cluster, site=wish.site, mode=wish.mode)
            return (await self._book.present(present)).book
        return (await self._book.read(BookWish(cluster=self._cluster))).book

    async def open_incidents(self, client: Client, patience: float = PATIENT) -> tuple[Beside, ...]:
        """Incidents that are open, and a verdict of the watch that has none yet, or why that verdict is not known."""
        kinds = ", ".join(f"'{kind}'" for kind in INCIDENTS)
        query = f"WorkflowType IN ({kinds}) AND ExecutionStatus = 'Running' AND Cluster = '{self._cluster}'"
        try:
            state, blind = await self._verdict(client, patience)
            listed = [
                Beside(kind=one.workflow_type, run=one.id, run_id=one.run_id, about=_about(one.search_attributes))
                async for one in client.list_workflows(query)
            ]
            listed += [one for one in _opened(state) if one.run not in {known.run for known in listed}]
            found = [one for one in listed if await _is_running(client, one)]
        except RPCError as error:
            raise Unreachable(f"Temporal does not report whether an incident is open: {error.message}") from None
        verdict = standing(state.get("verdict") or {}, found)
        return tuple(one for one in (*found, verdict, blind) if one is not None)

    async def _verdict(self, client: Client, patience: float) -> tuple[Mapping[str, Any], Beside | None]:
        """What the watch knows, and why that is not of now; it is given some time to be."""
        began = time.monotonic()
        while True:
            state, blind = await self._watch(client)
            if blind is None or time.monotonic() - began > patience:
                return state, blind
            await asyncio.sleep(AGAIN_IN)

    async def _watch(self, client: Client) -> tuple[Mapping[str, Any], Beside | None]:
        """One look at the watch; nothing where nobody watches."""
        name = watch_id(self._cluster)
        handle = client.get_workflow_handle(name)
        try:
            found = await handle.describe()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return {}, None
            raise
        if found.status != WorkflowExecutionStatus.RUNNING:
            return {}, None
        try:
            state = await handle.query("state", rpc_timeout=ASKED)
        except (RPCError, WorkflowQueryFailedError) as error:
            return {}, Beside(kind=UNSEEN, about=(f"{name} does not report its verdict ({_plain(error)})",))
        state = state if isinstance(state, dict) else {}
        looked = await _looked(client, found, state)
        verdict = state.get("verdict")
        return state, unseen(name, verdict if isinstance(verdict, dict) else None, looked, _now(), self._rounds)


def _now() -> datetime:
    return datetime.now(UTC)


def _plain(error: Exception) -> str:
    late = isinstance(error, RPCError) and error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
    return "its worker is busy or gone" if late else str(error)[:200]


async def _looked(client: Client, found: WorkflowExecutionDescription, state: Mapping[str, Any]) -> datetime | None:
    """The newest look of a watch: what it has told, or what the look that goes on tells with its heartbeat."""
    told = [_time(state.get("at"))]
    for one in found.raw_description.pending_activities:
        if watch.look.is_called(one.activity_type.name):
            details = await client.data_converter.decode(one.heartbeat_details.payloads[:1])
            told += [_time(beat.get("looked_at")) for beat in details if isinstance(beat, dict)]
    return max(filter(None, told), default=None)


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _before(book: Book, run_id: str) -> list[Beside]:
    """Runs that were at work before this one; they change something, and are no incidents."""
    found = []
    for one in book.present:
        if one.run_id == run_id:
            break
        if one.kind in CHANGING and one.mode == "apply":
            found.append(Beside(kind=one.kind, run=one.run, run_id=one.run_id, since=one.since))
    return found


def _opened(state: Mapping[str, Any]) -> list[Beside]:
    """The incidents that the watch says are open."""
    return [
        Beside(kind=str(one["kind"]), run=str(one["run"]), about=tuple(filter(None, str(one.get("key")).split(" + "))))
        for one in (*(state.get("incidents") or ()), state.get("open"))
        if isinstance(one, dict) and one.get("run") and one.get("kind") in INCIDENTS
    ]


def _about(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    told = attributes.get("Verdict") or ()
    return tuple(map(str, told)) if isinstance(told, list | tuple) else (str(told),)


async def _is_running(client: Client, one: Beside) -> bool:
    """Temporal's list is a little behind; its own word on a run is not."""
    try:
        found = await client.get_workflow_handle(one.run, run_id=one.run_id or None).describe()
        if found.status == WorkflowExecutionStatus.CONTINUED_AS_NEW:  # it goes on under the same id
            found = await client.get_workflow_handle(one.run).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return found.status == WorkflowExecutionStatus.RUNNING
