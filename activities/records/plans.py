"""Plans that earlier runs made, looked up in Temporal's own record of them."""

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus

from activities.serving import serves
from cluster.contracts import records
from cluster.plan import Intent, PlanFound, PlanRef
from cluster.units import counted


class Plans:
    """Activities on the record of runs."""

    @serves(records.find_plan)
    async def find(self, plan: PlanRef) -> PlanFound:
        """What the plan of that digest meant to do: the result of a run that made it. For showing, never to decide."""
        client = activity.client()
        wanted = plan.digest.replace("'", "")
        async for run in client.list_workflows(f"Plan = '{wanted}'", limit=20):
            if run.status != WorkflowExecutionStatus.COMPLETED:
                continue
            result = await client.get_workflow_handle(run.id, run_id=run.run_id).result()
            if isinstance(result, dict) and result.get("digest") == plan.digest:
                intents = tuple(Intent.model_validate(item) for item in result.get("planned", ()))
                return PlanFound(finding=f"{counted(len(intents), 'change')} planned by {run.id}", intents=intents)
        return PlanFound(finding="no run is known that made it")
