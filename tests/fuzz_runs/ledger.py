"""What the cluster's ledger lists as switched off."""

from tests.fuzz_runs.stage import Stage


async def listed(stage: Stage) -> list[str]:
    """The names of the switches that are outstanding or held."""
    return []
