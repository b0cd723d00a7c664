"""What somebody agreed to, compared with what would be done now."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from cluster.contracts import records
from cluster.plan import Intent, PlanRef, difference
from workflows.answers import ask

# A look for the sake of a message must not hold anything up.
LOOKUP = timedelta(seconds=15)
SHOWN = 12


async def differences(agreed: str, planned: tuple[Intent, ...]) -> list[str]:
    """What is planned otherwise than agreed; only what is planned now when nobody knows the agreed plan any more."""
    known: tuple[Intent, ...] | None = None
    try:
        found = await ask(
            records.find_plan,
            PlanRef(digest=agreed),
            start_to_close_timeout=LOOKUP,
            schedule_to_close_timeout=LOOKUP,
            summary=f"look up plan {agreed}",
        )
        known = found.intents
    except ActivityError as error:
        workflow.logger.info("plan %s cannot be looked up: %s", agreed, error.cause)
    if known is None:
        lines = [f"no run is known that made plan {agreed}; planned now:", *(f"+ {one}" for one in planned)]
    else:
        lines = difference(known, planned) or ["the changes are the same, the procedure or the cluster is another"]
    more = len(lines) - SHOWN
    return lines[:SHOWN] + ([f"and {more} more"] if more > 0 else [])
