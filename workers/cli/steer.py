"""Say something to a run that is going on: find it, send the Update, tell the answer."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workers.cli.incident.runs import of_place
from workers.errors import Unusable

# A worker takes the message within this time, or there is none.
ACCEPTED_WITHIN = timedelta(seconds=10)


class Refused(Exception):
    """The run did not accept the message; the text says why and what to send instead."""


class Later(Unusable):
    """The message waits at the server: nobody has taken it yet, and a worker that starts will."""

    status = 4

    def __init__(self, run: str, what: str) -> None:
        super().__init__(
            f"no worker takes messages for {run}: {what} waits at the server and is taken when a worker starts",
            "start one with `quorate worker` or `quorate up`; do not say it again",
        )


async def found(client: Client, run: str) -> WorkflowHandle[Any, Any]:
    """The run of that id. The fixed id of a procedure may be a claim: then the run that holds it is meant."""
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(run)
    try:
        description = await handle.describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        if (incident := await of_place(client, run)) is None:
            raise Unusable(f"there is no run {run!r}", "`quorate status` lists the newest runs") from None
        handle, description = incident, await incident.describe()
    if description.status != WorkflowExecutionStatus.RUNNING:
        state = description.status.name.lower() if description.status else "unknown"
        raise Unusable(f"{run} is not running: it is {state}", "`quorate status` lists the newest runs")
    if description.workflow_type == "Claim" and description.parent_id:
        return client.get_workflow_handle(description.parent_id)
    return handle


async def tell(client: Client, run: str, update: str, message: BaseModel) -> str:
    """Send the message; what the run answered. Refused when it does not accept it."""
    handle = await found(client, run)
    try:
        sent = await handle.start_update(
            update,
            message.model_dump(mode="json", exclude_none=True),
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
            rpc_timeout=ACCEPTED_WITHIN,
        )
        return str(await sent.result())
    except WorkflowUpdateFailedError as error:
        raise Refused(error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise Later(run, update) from None
