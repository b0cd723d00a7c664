"""What `quorate status` shows: the newest runs, and the steps of those that are running."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from workers.connect import connect
from workers.follow import PATIENCE
from workflows.page import Section, story

NEWEST = 10
_SIGNS = {"completed": ("✓", "green"), "running": ("…", "yellow")}
OURS = "WorkflowType = 'DeployStretchedCluster'"


async def show_status(console: Console, *, as_json: bool) -> None:
    """Print the newest runs, newest first."""
    client = await connect()
    runs = [run async for run in client.list_workflows(OURS, limit=NEWEST)]
    open_steps = {run.run_id: await _steps(client, run) for run in runs if _running(run)}
    if as_json:
        console.print_json(data=[_data(run, open_steps.get(run.run_id)) for run in runs])
        return
    if not runs:
        console.print("no runs yet; start one with `quorate run deploy --plan`")
        return
    for run in runs:
        took = str((run.close_time or datetime.now(UTC)) - run.start_time).split(".")[0]
        sign, style = _SIGNS.get(_state(run), ("✗", "red"))
        line = f"{sign} {run.id}  {run.workflow_type}  {_state(run)}  {run.start_time:%Y-%m-%d %H:%M:%S} UTC  {took}"
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
        for step in story(open_steps.get(run.run_id) or []):
            console.print(f"    {step}", markup=False, highlight=False, soft_wrap=True)


async def _steps(client: Client, run: WorkflowExecution) -> list[Section]:
    """The steps of a running run; none when no worker answers."""
    handle = client.get_workflow_handle(run.id, run_id=run.run_id)
    try:
        sections: list[Section] = await handle.query("steps", result_type=list[Section], rpc_timeout=PATIENCE)
        return sections
    except RPCError:
        return []


def _running(run: WorkflowExecution) -> bool:
    return run.status == WorkflowExecutionStatus.RUNNING


def _state(run: WorkflowExecution) -> str:
    return run.status.name.lower() if run.status else "unknown"


def _data(run: WorkflowExecution, sections: list[Section] | None) -> dict[str, Any]:
    return {
        "id": run.id,
        "run_id": run.run_id,
        "runbook": run.workflow_type,
        "state": _state(run),
        "started": run.start_time.isoformat(),
        "ended": run.close_time.isoformat() if run.close_time else None,
        "steps": [step.model_dump(mode="json") for section in sections or [] for step in section.steps],
    }
