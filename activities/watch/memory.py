"""What the cluster's watch remembers, for those who judge by themselves: who was alive, what was there. Reads only."""

import contextlib
from datetime import timedelta

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.service import RPCError

from cluster.contracts import watch
from cluster.memory import Memory
from cluster.watching import Beat, WatchState, watch_id

# A watch whose worker lives answers at once.
ASKED = timedelta(seconds=3)


async def remembered(client: Client, cluster: str) -> Memory:
    """What it has told, and what the look that goes on tells with its beat; nothing where nobody watches.

    Without a memory less is certain, and whoever judges says so: this is no reason to fail.
    """
    memory, handle = Memory(), client.get_workflow_handle(watch_id(cluster))
    with contextlib.suppress(RPCError, WorkflowQueryFailedError, ValidationError):
        found = await handle.describe()
        for one in found.raw_description.pending_activities:
            if watch.look.is_called(one.activity_type.name):
                for beat in await client.data_converter.decode(one.heartbeat_details.payloads[:1]):
                    memory = memory.merge(Beat.model_validate(beat).memory)
        if found.status == WorkflowExecutionStatus.RUNNING:
            state = await handle.query("state", rpc_timeout=ASKED)
            memory = memory.merge(WatchState.model_validate(state).memory)
    return memory
