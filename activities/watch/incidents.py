"""Which incidents Temporal has: those that are open, how one has ended, whether anybody watches. Reads only."""

import asyncio
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import NotFound
from activities.serving import serves
from cluster.contracts import watch
from cluster.incidents import FOLDER, Ended, Followed, FollowWish, Stock, StockWish
from cluster.inventory import Inventory
from cluster.plan import Finding
from cluster.units import counted
from cluster.watching import Open, watch_id

# Seconds between two looks: each asks Temporal once a run.
EVERY = 2.0
# A watch that continues as new, or is started again at once, was never away.
MISSED = 3


class Incidents:
    """Activities on the runs of incidents."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    @serves(watch.open_incidents)
    async def open(self, wish: StockWish) -> Stock:
        """Incidents that are open, also those that nobody here has opened; NotFound for another cluster."""
        name = self._inventory.name
        if wish.cluster not in (None, name):
            raise NotFound(f"cluster {wish.cluster!r} is unknown here: this worker serves {name!r}")
        kinds = ", ".join(f"'{kind}'" for kind in FOLDER)
        query = f"WorkflowType IN ({kinds}) AND ExecutionStatus = 'Running' AND Cluster = '{name}'"
        found = tuple([await _opened(run) async for run in activity.client().list_workflows(query)])
        site_of = {node.name: place.name for place in self._inventory.places for node in place.nodes}
        return Stock(
            finding=f"{counted(len(found), 'incident is', 'incidents are')} open",
            cluster=name,
            open=found,
            site_of=site_of,
        )

    @serves(watch.follow)
    async def follow(self, wish: FollowWish) -> Followed:
        """Wait until one of them has ended."""
        client = activity.client()
        while True:
            ended = [one for run in wish.runs if (one := await _ended(client, run)) is not None]
            if ended:
                said = "; ".join(f"{one.run} is {one.status}" for one in ended)
                return Followed(finding=said, ended=tuple(ended))
            activity.heartbeat(f"{len(wish.runs)} are open")
            await asyncio.sleep(EVERY)

    @serves(watch.unwatched)
    async def unwatched(self, _: StockWish) -> Finding:
        """Wait until no watch of the cluster runs."""
        handle, missed = activity.client().get_workflow_handle(watch_id(self._inventory.name)), 0
        while missed < MISSED:
            missed = 0 if await _runs(handle) else missed + 1
            activity.heartbeat("it is watched" if not missed else "no watch runs")
            await asyncio.sleep(EVERY if missed < MISSED else 0)
        return Finding(finding=f"no watch of {self._inventory.name} runs")


async def _opened(run: WorkflowExecution) -> Open:
    """What it is about, as the run itself has written it down."""
    memo = await run.memo()
    return Open(run=run.id, key="", kind=run.workflow_type, where=tuple(memo.get("where") or ()))


async def _ended(client: Client, run: str) -> Ended | None:
    """How it has ended; None while it runs, or while Temporal does not say."""
    handle = client.get_workflow_handle(run)
    try:
        status = (await handle.describe()).status
    except RPCError as error:
        return Ended(run=run, status="unknown") if error.status == RPCStatusCode.NOT_FOUND else None
    if status in (None, WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW):
        return None
    why = ""
    if status == WorkflowExecutionStatus.FAILED:
        try:
            await handle.result()
        except WorkflowFailureError as error:
            cause = error.cause
            why = f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else str(cause)
    return Ended(run=run, status=status.name.lower().replace("_", " "), why=why)


async def _runs(handle: Any) -> bool:
    """Whether it runs; silence of Temporal proves nothing."""
    try:
        return bool((await handle.describe()).status == WorkflowExecutionStatus.RUNNING)
    except RPCError as error:
        return error.status != RPCStatusCode.NOT_FOUND
