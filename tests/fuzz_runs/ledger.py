"""What the cluster's ledger lists as switched off."""

from temporalio.service import RPCError

from cluster.ledger import ledger_id
from tests.fuzz_runs.stage import Stage, answered
from workflows.ledger import ClusterLedger


async def listed(stage: Stage) -> list[str]:
    """The switches that are off by its account, in words; nothing where there is no ledger."""
    handle = stage.client.get_workflow_handle(ledger_id(stage.inventory.name))
    try:
        book = await answered(handle.query(ClusterLedger.book))
    except RPCError:
        return []
    return [str(entry.switch) for entry in book.switches]


async def homes(stage: Stage) -> list[str]:
    """The guests whose homes it has on record."""
    handle = stage.client.get_workflow_handle(ledger_id(stage.inventory.name))
    try:
        return list((await answered(handle.query(ClusterLedger.book))).homes)
    except (RPCError, TimeoutError):
        return []


async def account(stage: Stage) -> str:
    """What the ledger knows of homes and holders, and what has happened last, in a line: for a law that was broken."""
    handle = stage.client.get_workflow_handle(ledger_id(stage.inventory.name))
    try:
        book = await answered(handle.query(ClusterLedger.book))
    except (RPCError, TimeoutError) as error:
        return f"the ledger says nothing: {type(error).__name__}"
    homes = ", ".join(f"{sid} {home.node} by {home.by.run}" for sid, home in book.homes.items())
    held = ", ".join(str(entry.switch) for entry in book.switches)
    return f"the ledger has homes: {homes or 'none'}; switches off: {held or 'none'}; " + "; ".join(
        one.text for one in book.happened[-12:]
    )
