"""A run's record made from Temporal's histories as they are now, whether a keeper has one or not."""

from dataclasses import dataclass, field

from temporalio.client import Client, WorkflowExecution, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from cluster.audit.line import Line, chained
from workers.audit.history import Execution


@dataclass
class Remade:
    """The lines of a run, tied to each other, and its executions, the oldest first. `first` is the id of the first."""

    first: str
    executions: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


async def described(client: Client, run: str) -> WorkflowExecution | None:
    """The newest execution of that id; None where Temporal has none."""
    handle: WorkflowHandle[object, object] = client.get_workflow_handle(run)
    try:
        return await handle.describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


async def remade(client: Client, run: str, newest: str) -> Remade:
    """All executions of a run up to `newest`, as far back as Temporal keeps their histories."""
    made = Remade(newest)
    parts: list[list[Line]] = []
    execution = newest
    while execution:
        reader = Execution(run, execution)
        try:
            history = await client.get_workflow_handle(run, run_id=execution).fetch_history()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                break
            raise
        parts.insert(0, [line for event in history.events for line in reader.lines(event)])
        made.executions.insert(0, execution)
        made.first = reader.first
        execution = str(parts[0][0].data.get("goes_on_from", "")) if parts[0] else ""
    made.lines = list(chained(line for part in parts for line in part))
    return made
