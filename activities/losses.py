"""What an earlier incident or evacuation has left for the way home: read from the cluster's ledger.

The ledger outlives runs and their retention. A run's own record counts only where it is named, or where the ledger
knows of no home at the site: then it may be older than the ledger.
"""

from typing import TYPE_CHECKING

from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.errors import NotFound, NotYet
from cluster.failback import LossFound, LossRecord, LossRef
from cluster.ledger_calls import HomesFinding, SiteWish
from cluster.recovery import Back
from cluster.units import counted

if TYPE_CHECKING:
    from activities.ledger import LedgerBook


class Losses:
    """Activities on what incidents have left."""

    def __init__(self, ledger: "LedgerBook") -> None:
        self._ledger = ledger

    @activity.defn(name="losses.find")
    async def find(self, loss: LossRef) -> LossFound:
        """Guests whose home is at the site, and where HA has brought them.

        NotFound when nothing is on record; NotYet while an incident of the site is open: it goes on until the site has
        returned.
        """
        if at_it := [one for one in await self._ledger.open_incidents() if one.site == loss.site]:
            raise NotYet(f"{at_it[0].run} is still open: it ends by itself when {loss.site} has returned and is listed")
        known = await self._ledger.homes(SiteWish(cluster="", site=loss.site))
        if known.homes and not loss.run:
            return _found(known, LossRecord(run=known.runs[0], site=loss.site, homes=known.homes))
        client = activity.client()
        earlier = await _recorded(client, loss.run or await _last(client, loss), loss)
        homes = {sid: node for sid, node in earlier.homes.items() if sid not in known.homes} | known.homes
        return _found(known, earlier.model_copy(update={"homes": homes}))


def _found(known: HomesFinding, record: LossRecord) -> LossFound:
    back = {one.sid: one for one in record.back}
    back |= {sid: Back(sid=sid, ok=True, node=node) for sid, node in known.recovered.items()}
    many = counted(len(record.homes), "guest has its", "guests have their")
    said = f"{record.run}: {many} home at {record.site}"
    return LossFound(finding=said, record=record.model_copy(update={"back": tuple(back.values())}))


async def _recorded(client: Client, run: str, loss: LossRef) -> LossRecord:
    """What that run has said at its end."""
    handle = client.get_workflow_handle(run)
    try:
        status = (await handle.describe()).status
    except RPCError:
        raise NotFound(f"incident: no run {run!r} is known; `quorate incident list` shows what there is") from None
    if status == WorkflowExecutionStatus.RUNNING:
        raise NotYet(f"{run} is still open: it ends by itself when {loss.site} has returned and is listed")
    if status != WorkflowExecutionStatus.COMPLETED:
        raise NotFound(
            f"{run} did not come to its end, and the ledger has no homes of it: give them as `homes`, "
            'for example {"vm:300": "pxmx01-01"}'
        )
    result = await handle.result()
    try:
        record = LossRecord.model_validate({**(result if isinstance(result, dict) else {}), "run": run})
    except ValidationError:
        raise NotFound(f"{run} is no incident that has recorded homes: give them as `homes`") from None
    if record.site != loss.site:
        raise NotFound(f"{run} is about {record.site}, not about {loss.site}")
    return record


async def _last(client: Client, loss: LossRef) -> str:
    """The newest run of these kinds that was about this site and came to its end."""
    kinds = ", ".join(f"'{kind}'" for kind in loss.kinds)
    async for run in client.list_workflows(f"WorkflowType IN ({kinds}) AND ExecutionStatus = 'Completed'", limit=50):
        result = await client.get_workflow_handle(run.id, run_id=run.run_id).result()
        if not isinstance(result, dict) or result.get("site") != loss.site:
            continue
        if run.workflow_type == "SiteLoss" or result.get("mode") == "apply":  # a planned evacuation has moved nobody
            return run.id
    raise NotFound(
        f"incident: no {' or '.join(loss.kinds)} of {loss.site} is on record: name the run as `incident`, "
        'or the guests\' homes as `homes`, for example {"vm:300": "pxmx01-01"}'
    )
