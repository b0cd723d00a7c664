"""The ledger of a test's cluster: it outlives runs and workers by design, so a test has to erase it."""

import asyncio
import contextlib
import time

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from cluster.ledger import Book, ledger_id


async def erase(client: Client, cluster: str) -> None:
    """As if there had never been one: a new ledger goes on from one that was only terminated."""
    name = ledger_id(cluster)
    deadline = time.monotonic() + 20
    with contextlib.suppress(RPCError):
        await client.get_workflow_handle(name).terminate("the test is over")
    while True:
        try:
            await client.get_workflow_handle(name).describe()
            await client.workflow_service.delete_workflow_execution(
                DeleteWorkflowExecutionRequest(
                    namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=name)
                )
            )
        except RPCError:
            return
        assert time.monotonic() < deadline, f"waited for {name} to be deleted"
        await asyncio.sleep(0.05)


async def book(client: Client, cluster: str) -> Book:
    """All that it knows now."""
    return await client.get_workflow_handle(ledger_id(cluster)).query("book", result_type=Book)
