"""What an earlier run has said at its end, looked up in Temporal's own record of it.

Homes and switches are the ledger's (`activities.records.ledger`), which outlives every run; this is for a run
that a person names, and for what only its report holds.
"""

from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.errors import NotFound, NotYet
from activities.serving import serves
from cluster.contracts import records
from cluster.failback import LossFound, LossRecord, LossRef
from cluster.traces import trace_of
from cluster.units import counted


class Losses:
    """Activities on the record of incidents."""

    @serves(records.find_loss)
    async def find(self, loss: LossRef) -> LossFound:
        """Homes and switches of that incident, or of the last one of the site that has ended.

        NotFound when there is none; NotYet while it is still open: it goes on until its site has returned.
        """
        client = activity.client()
        run = loss.run or await _last(client, loss)
        handle = client.get_workflow_handle(run)
        try:
            described = await handle.describe()
        except RPCError:
            raise NotFound(f"incident: no run {run!r} is known; `quorate incident list` shows what there is") from None
        trace = trace_of(described.raw_info.first_run_id or described.run_id)
        if described.status == WorkflowExecutionStatus.RUNNING:
            raise NotYet(f"{run} is still open: it ends by itself when {loss.site} has returned and is listed")
        if described.status != WorkflowExecutionStatus.COMPLETED:
            raise NotFound(
                f"{run} did not end normally, so its homes are not known: give them as `homes`, "
                'for example {"vm:300": "pxmx01-01"}'
            )
        result = await handle.result()
        try:
            record = LossRecord.model_validate(
                {**(result if isinstance(result, dict) else {}), "run": run, "trace": trace}
            )
        except ValidationError:
            raise NotFound(f"{run} is no incident that has recorded homes: give them as `homes`") from None
        if record.site != loss.site:
            raise NotFound(f"{run} is about {record.site}, not about {loss.site}")
        said = f"{run}: {counted(len(record.homes), 'guest has its', 'guests have their')} home at {record.site}"
        return LossFound(
            finding=f"{said}, {counted(len(record.off), 'switch is', 'switches are')} still off", record=record
        )


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
