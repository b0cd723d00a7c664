"""A run whose one activity fails again and again before it succeeds, or fails for good."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.errors import NotYet, Refuted, Unreachable
    from cluster.plan import Finding

MET: list[Exception] = [NotYet("it resyncs"), NotYet("it resyncs"), Unreachable("no answer"), ConnectionError("reset")]


@activity.defn
def stumbles(for_good: bool) -> Finding:
    """It is found at the fifth attempt, or proven wrong."""
    attempt = activity.info().attempt
    if attempt <= len(MET):
        raise MET[attempt - 1]
    if for_good:
        raise Refuted("it is not so")
    return Finding(finding="it is so")


@activity.defn
async def stumbles_too(for_good: bool) -> Finding:
    """The same without a thread of its own."""
    return stumbles(for_good)


@workflow.defn
class Stumbles:
    """Each activity once."""

    @workflow.run
    async def run(self, for_good: bool) -> None:
        """It fails where they do."""
        again = RetryPolicy(initial_interval=timedelta(milliseconds=10), backoff_coefficient=1)
        for one in (stumbles, stumbles_too):
            await workflow.execute_activity(
                one, for_good, start_to_close_timeout=timedelta(minutes=1), retry_policy=again, summary="It is so"
            )
