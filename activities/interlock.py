"""Who else is at work on the cluster, and whether an incident is open: asked before a run changes anything.

Three sources are read, each of which knows what the others may not: the ledger (runs that said so themselves),
Temporal's list of running incidents, and the watch's verdict, which stands before its incident is open. Where the list
cannot be read nothing may be changed: silence is no permission.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.attempt import look_again
from activities.errors import Unreachable
from activities.ledger import LedgerBook
from cluster.inventory import Inventory
from cluster.ledger import INCIDENTS, Book
from cluster.ledger_calls import BookWish, PresentWish
from cluster.together import CHANGING, Beside, TogetherFinding, TogetherWish, judged, standing
from cluster.watching import watch_id

# Between two looks, in seconds of the cluster's time.
EVERY = 10.0
# A watch that is at work answers at once. One whose worker is gone knows nothing that is of today.
ASKED = timedelta(seconds=3)
# Steps that run side by side ask at the same moment: one look serves them. Seconds of our time.
FRESH = 1.0
HELD = "Held"


class Interlock:
    """Activities and checks on what else is at work on the one cluster of this worker."""

    def __init__(self, inventory: Inventory, book: LedgerBook) -> None:
        self._cluster, self._speed, self._book = inventory.name, inventory.speed, book
        self._looking = asyncio.Lock()
        self._incidents: tuple[float, tuple[Beside, ...]] | None = None

    @activity.defn(name="together.look")
    async def look(self, wish: TogetherWish) -> TogetherFinding:
        """Whether the run that asks may go on beside all others; where `known` is given, once that has changed."""
        began = time.monotonic()
        kind, run_id = str(activity.info().workflow_type), str(activity.info().workflow_run_id)
        while True:
            found = await self._found(kind, run_id, wish)
            spent = (time.monotonic() - began) * self._speed
            if wish.known is None or wish.known != found.holds or spent >= wish.until:
                return found
            await look_again(EVERY / self._speed, found.finding)

    async def before_a_change(self, client: Client, kind: str) -> None:
        """Held, with the reason, when a run of that type may change nothing now; asked before every attempt."""
        if kind in INCIDENTS:
            return
        async with self._looking:
            if self._incidents is None or time.monotonic() - self._incidents[0] > FRESH:
                self._incidents = (time.monotonic(), await self.open_incidents(client))
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
        return judged(kind, (*runs, *await self.open_incidents(client)))

    async def _entered(self, wish: TogetherWish) -> Book:
        """The ledger, with this run in it if it has just begun."""
        if wish.enters:
            present = PresentWish(cluster=self._cluster, site=wish.site, mode=wish.mode)
            return (await self._book.present(present)).book
        return (await self._book.read(BookWish(cluster=self._cluster))).book

    async def open_incidents(self, client: Client) -> tuple[Beside, ...]:
        """Incidents that are open, and a verdict of the watch that has none yet."""
        kinds = ", ".join(f"'{kind}'" for kind in INCIDENTS)
        query = f"WorkflowType IN ({kinds}) AND ExecutionStatus = 'Running' AND Cluster = '{self._cluster}'"
        state = await self._watch(client)
        try:
            listed = [
                Beside(kind=one.workflow_type, run=one.id, run_id=one.run_id, about=_about(one.search_attributes))
                async for one in client.list_workflows(query)
            ]
            listed += [one for one in _opened(state) if one.run not in {known.run for known in listed}]
            found = [one for one in listed if await _is_running(client, one)]
        except RPCError as error:
            raise Unreachable(f"Temporal does not tell whether an incident is open: {error.message}") from None
        verdict = standing(state.get("verdict") or {}, found)
        return (*found, verdict) if verdict is not None else tuple(found)

    async def _watch(self, client: Client) -> Mapping[str, Any]:
        """What the watch knows; nothing where nobody watches, or its worker is gone."""
        try:
            handle = client.get_workflow_handle(watch_id(self._cluster))
            if (await handle.describe()).status != WorkflowExecutionStatus.RUNNING:
                return {}
            found = await handle.query("state", rpc_timeout=ASKED)
        except (RPCError, WorkflowQueryFailedError):
            return {}
        return found if isinstance(found, dict) else {}


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
