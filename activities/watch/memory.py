"""What the cluster's watch remembers, for those who judge by themselves: who was alive, what was there. Reads only."""

import contextlib
from datetime import timedelta

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import NotYet
from cluster.contracts import watch
from cluster.memory import Memory
from cluster.watching import Beat, WatchState, watch_id

# A watch whose worker lives answers at once.
ASKED = timedelta(seconds=3)


async def remembered(client: Client, cluster: str) -> Memory:
    """What it has told, and what the look that goes on tells with its beat; nothing where no watch is.

    Without a watch less is certain, and whoever judges says so: this is no reason to fail. NotYet when there is one and
    it does not tell: to forget what it knows would be to judge otherwise.
    """
    memory, handle = Memory(), client.get_workflow_handle(watch_id(cluster))
    try:
        found = await handle.describe()
        if found.status != WorkflowExecutionStatus.RUNNING:
            return memory
        for one in found.raw_description.pending_activities:
            if watch.look.is_called(one.activity_type.name):
                for beat in await client.data_converter.decode(one.heartbeat_details.payloads[:1]):
                    with contextlib.suppress(ValidationError):  # the first beats of a look say only that it lives
                        memory = memory.merge(Beat.model_validate(beat).memory)
        state = await handle.query("state", rpc_timeout=ASKED)
        return memory.merge(WatchState.model_validate(state).memory)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return memory
        raise NotYet(f"{watch_id(cluster)} does not tell what it remembers: {error.message}") from None
    except (WorkflowQueryFailedError, ValidationError) as error:
        raise NotYet(f"{watch_id(cluster)} does not tell what it remembers: {type(error).__name__}") from None
