"""What an incident looks at beside its procedure: neither a pause nor a parked step stops it.

A look lasts for as long as it takes. It is begun anew whatever it dies of, and what was refused is asked again.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from cluster.contracts.reference import Activity
    from cluster.plan import Finding
    from workflows import spans
    from workflows.answers import begun
    from workflows.failures import reason
    from workflows.incidents.remarks import Remarks
    from workflows.state import RunState
    from workflows.steps import HEARTBEAT

# What looks for as long as the incident lasts begins anew after this time.
LOOKS_FOR = timedelta(hours=12)
AGAIN = RetryPolicy(maximum_interval=timedelta(seconds=5))
# Before what was refused for good is asked for again: a person may have granted it meanwhile.
REFUSED_FOR = timedelta(seconds=30)
# Each time it is refused again the pause doubles up to this: a right that is missing for days fills no history.
REFUSED_AT_MOST = timedelta(minutes=15)

Takes = TypeVar("Takes")
Result = TypeVar("Result", bound=Finding)


class Looks:
    """All that one incident looks at by itself."""

    def __init__(self, state: RunState, remarks: Remarks) -> None:
        self.state, self._remarks = state, remarks
        self._open: dict[asyncio.Task[None], None] = {}  # in the order in which they were begun

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Goes on beside the procedure, until the incident closes."""
        task = asyncio.create_task(work)
        self._open[task] = None
        task.add_done_callback(lambda over: self._open.pop(over, None))

    async def end(self) -> None:
        """The incident closes."""
        for look in tuple(self._open):
            look.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def seen_by(self, title: str, activity: Activity[Takes, Result], wish: Takes) -> Result:
        """What a long look has found. It is begun anew whatever it dies of; what was refused is told and asked again.

        `title` is what the line is called, and the UI's name for the activity.
        """
        found = await self.seen_until(title, activity, wish)
        assert found is not None  # noqa: S101  # nothing cuts it short
        return found

    async def seen_until(
        self,
        title: str,
        activity: Activity[Takes, Result],
        wish: Takes,
        cut: Callable[[], bool] | None = None,
        *,
        tells: bool = False,
    ) -> Result | None:
        """The same, and None as soon as the look is `cut` short. One that `tells` says first what it has seen."""
        with spans.span(f"Look: {title}", {"quorate.cluster": self.state.cluster, "quorate.waits_for": "world"}):
            return await self._seen_until(title, activity, wish, cut, tells=tells)

    async def _seen_until(
        self,
        title: str,
        activity: Activity[Takes, Result],
        wish: Takes,
        cut: Callable[[], bool] | None,
        *,
        tells: bool,
    ) -> Result | None:
        pause = REFUSED_FOR
        while True:
            self.state.activities += 1
            looking = begun(
                activity,
                wish,
                activity_id=f"{self.state.activities} {title}"[:200],
                summary=title[:100],
                start_to_close_timeout=LOOKS_FOR,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=AGAIN,
                cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
                if tells
                else ActivityCancellationType.TRY_CANCEL,
            )
            try:
                if cut is not None and await self._cut_short(looking, cut):
                    return await looking if tells else None
                found = await looking
            except ActivityError as error:
                if cut is not None and cut():
                    return None
                if is_cancelled_exception(error):
                    raise asyncio.CancelledError from None
                word, message = reason(error)
                self._remarks.note_once(f"{title}: {word}: {message}")
                await asyncio.sleep(pause.total_seconds())
                pause = min(2 * pause, REFUSED_AT_MOST)
            else:
                return found

    async def _cut_short(self, looking: workflow.ActivityHandle[Any], cut: Callable[[], bool]) -> bool:
        try:
            await workflow.wait_condition(lambda: looking.done() or cut())
        except asyncio.CancelledError:
            looking.add_done_callback(lambda over: over.cancelled() or over.exception())
            looking.cancel()
            raise
        if looking.done():
            return False
        looking.cancel()
        return True
