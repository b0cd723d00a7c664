"""What the Temporal server tells: whether it is there, how long it keeps runs, who works on it."""

import asyncio
import os
from collections.abc import Awaitable
from typing import TypeVar

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from activities.doctor.asking import LIMIT
from cluster.doctor.check import Unread
from cluster.doctor.temporal import TemporalTold
from workers.errors import Unusable
from workers.settings import Settings
from workers.temporal.bootstrap import missing_attributes, retention
from workers.temporal.connect import connect
from workers.temporal.place import read

T = TypeVar("T")
_WORDS = {
    RPCStatusCode.NOT_FOUND: "NotFound",
    RPCStatusCode.PERMISSION_DENIED: "Unauthorized",
    RPCStatusCode.UNAUTHENTICATED: "Unauthorized",
}


async def temporal(settings: Settings) -> TemporalTold:
    """All that is told of the server that this machine's worker and command line would use."""
    config = ClientConfig.load_client_connect_config()
    address = str(config.get("target_host") or read(settings.state) or "localhost:7233")
    told = TemporalTold(
        address=address,
        namespace=str(config.get("namespace") or "default"),
        queue=settings.task_queue,
        named="target_host" in config or "TEMPORAL_ADDRESS" in os.environ,
    )
    try:
        client = await asyncio.wait_for(connect(), LIMIT)
    except (Unusable, TimeoutError) as error:
        said = error.what if isinstance(error, Unusable) else f"nothing answers at {address} within {LIMIT:.0f} s"
        return told.model_copy(update={"silence": said})
    kept, missing, workers = await asyncio.gather(
        _told(retention(client)), _told(_missing(client)), _told(_pollers(client, told.queue))
    )
    return told.model_copy(update={"kept": kept, "missing": missing, "workers": workers})


async def _told(question: Awaitable[T]) -> T | Unread:
    """The answer, or the server's own word for why there is none."""
    try:
        return await asyncio.wait_for(question, LIMIT)
    except TimeoutError:
        return Unread(word="Unreachable", said=f"the Temporal server does not answer within {LIMIT:.0f} s")
    except RPCError as error:
        return Unread(word=_WORDS.get(error.status, "Unreachable"), said=f"the Temporal server says: {error.message}")


async def _missing(client: Client) -> tuple[str, ...]:
    return tuple(await missing_attributes(client))


async def _pollers(client: Client, queue: str) -> int:
    """How many workers poll for runs there."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return len({poller.identity for poller in answer.pollers})
