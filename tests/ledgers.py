"""The ledger of a test's cluster: it outlives runs and workers by design, so a test has to put it away."""

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from cluster.ledger import Book, ledger_id


async def erase(client: Client, cluster: str) -> None:
    """As if there had never been one.

    A ledger goes on from an earlier one that was terminated; to delete that takes a server half a minute. What bears
    the id last is no ledger after this.
    """
    other = await client.start_workflow(
        "Nothing",
        id=ledger_id(cluster),
        task_queue="nobody polls this",
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
    )
    await other.terminate("the test is over")


async def book(client: Client, cluster: str) -> Book:
    """All that it knows now."""
    known: Book = await client.get_workflow_handle(ledger_id(cluster)).query("book", result_type=Book)
    return known
