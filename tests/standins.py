"""Runs that stand for others: of that type, on a queue that nobody polls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from workflows import attributes

NOBODY = "nobody polls this"


@asynccontextmanager
async def standing(
    client: Client, cluster: str, kind: str, name: str = "site-loss/of-a-test", queue: str = NOBODY
) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """A run of that type which is open, and listed by Temporal as being about the cluster."""
    run = await client.start_workflow(
        kind,
        id=name,
        task_queue=queue,
        search_attributes=TypedSearchAttributes([SearchAttributePair(attributes.CLUSTER, cluster)]),
    )
    query = f"WorkflowId = '{name}' AND ExecutionStatus = 'Running'"
    try:
        async with asyncio.timeout(20):
            while not [one async for one in client.list_workflows(query)]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield run
    finally:
        await run.terminate("the test is over")
