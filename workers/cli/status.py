"""What `quorate status` shows: the newest runs, and the steps of those that are running."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
)

from cluster.answers.model import Answer
from workers.catalogue import types
from workers.cli.answered import answered
from workers.cli.closing import Start
from workers.cli.console import PlainConsole
from workers.cli.follow import retries, shown_by, told_by
from workers.cli.freshness import known_cluster, lines
from workers.cli.hanging import hanging
from workers.cli.options import InventoryOption, JsonOption, out
from workers.cli.steps import step_data
from workers.cli.traced import trace_id
from workers.temporal.connect import connect
from workflows.attributes import STATE
from workflows.page import Sheet, told

NEWEST = 10
_SIGNS = {
    "completed": ("✓", "green"),
    "running": ("…", "yellow"),
    "paused": ("‖", "yellow"),
    "attention": ("?", "bold yellow"),
    "aborting": ("…", "yellow"),
    "canceled": ("■", "red"),
    "continued_as_new": ("·", "dim"),
}


async def show_status(
    console: PlainConsole, *, as_json: bool, cluster: str | None = None, inventory: Path | None = None
) -> None:
    """Print how fresh the newest look at the cluster is, then its newest runs, newest first; of one cluster or all."""
    client = await connect()
    which = f"({types()}) AND Cluster = '{cluster}'" if cluster else types()
    runs = [run async for run in client.list_workflows(which, limit=NEWEST)]
    open_runs = {run.run_id: await _look(client, run) for run in runs if _running(run)}
    if as_json:
        console.print_json(data=[_data(run, open_runs.get(run.run_id), await trace_id(run)) for run in runs])
        return
    for text in await lines(client, cluster):
        console.tell(text)
    if not runs:
        first = Start("deploy", inventory=str(inventory) if inventory else "").command("plan")
        console.print(f"no runs yet; the first one: {first}", markup=False, soft_wrap=True)
        return
    for run in runs:
        took = str((run.close_time or datetime.now(UTC)) - run.start_time).split(".")[0]
        aborted = run.typed_search_attributes.get(STATE) == "aborted"
        sign, style = ("■", "red") if aborted else _SIGNS.get(_state(run), ("✗", "red"))
        line = f"{sign} {run.id}  {run.workflow_type}  {_state(run)}  {run.start_time:%Y-%m-%d %H:%M:%S} UTC  {took}"
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
        look = open_runs.get(run.run_id, Open())
        for step in (step for section in look.sheet.sections for step in section.steps):
            console.tell(hanging(f"    {told(step, look.sheet.times)}", 6), highlight=False)
        for title, tried in look.retries.items():
            console.tell(hanging(f"    {title}: {tried}", 6, "yellow"), highlight=False)
        for one in answered(look.answer, reasons=False):
            console.tell(one.behind("    "), highlight=False)


@dataclass
class Open:
    """A run that has not ended: its page, and steps that are tried again; nothing when no worker answers."""

    sheet: Sheet = field(default_factory=lambda: Sheet(headline="", now=""))
    retries: dict[str, str] = field(default_factory=dict)
    answer: Answer | None = None


async def _look(client: Client, run: WorkflowExecution) -> Open:
    handle = client.get_workflow_handle(run.id, run_id=run.run_id)
    sheet = await shown_by(handle) or Sheet(headline="", now="")
    answer = await told_by(handle, "advice", Answer) if sheet.sections else None
    return Open(sheet, retries(await handle.describe()), answer)


def _running(run: WorkflowExecution) -> bool:
    return run.status == WorkflowExecutionStatus.RUNNING


def _state(run: WorkflowExecution) -> str:
    """Temporal's word for a run that has ended, ours for one that goes on: running, paused, attention, aborting."""
    if _running(run):
        return run.typed_search_attributes.get(STATE) or "running"
    return run.status.name.lower() if run.status else "unknown"


def _data(run: WorkflowExecution, look: Open | None, trace: str) -> dict[str, Any]:
    return {
        "id": run.id,
        "run_id": run.run_id,
        "runbook": run.workflow_type,
        "trace": trace,
        "state": _state(run),
        "started": run.start_time.isoformat(),
        "ended": run.close_time.isoformat() if run.close_time else None,
        "steps": [step_data(step, look.sheet.times) for one in look.sheet.sections for step in one.steps]
        if look
        else [],
        "retries": (look or Open()).retries,
        "answer": look.answer.model_dump(mode="json") if look and look.answer else None,
    }


def status(inventory: InventoryOption = None, as_json: JsonOption = False) -> None:
    """Show how fresh the newest look at the cluster is, and the newest runs.

    Of runs that are running the steps are shown, and what they wait for.

    Example: quorate status
    """
    asyncio.run(show_status(out, as_json=as_json, cluster=known_cluster(inventory), inventory=inventory))


COMMANDS = (status,)
