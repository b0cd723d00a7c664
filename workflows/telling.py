"""How a notice goes out while a watch or an incident goes on: tried for minutes, then given up."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import people
    from cluster.notices import Notice, NoticeWish
    from workflows.answers import ask

# Who cannot be told within this time reads it on the page.
TOLD_WITHIN = timedelta(minutes=10)
# For a notice that an earlier run has not delivered in that time.
LAST_TRY = timedelta(minutes=1)


async def deliver(notice: Notice, summary: str) -> None:
    """Send it; ActivityError when nobody has taken it within ten minutes of its time."""
    await ask(
        people.tell,
        NoticeWish(notice=notice),
        summary=summary[:100],
        start_to_close_timeout=timedelta(minutes=1),
        schedule_to_close_timeout=max(TOLD_WITHIN - (workflow.now() - notice.at), LAST_TRY),
        retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=30)),
    )
