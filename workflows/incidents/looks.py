"""What an incident looks at beside its procedure: neither a pause nor a parked step stops it.

A look lasts for as long as it takes. It is begun anew whatever it dies of. What was refused is asked again, a person is
asked to grant it, and a new verdict ends the pause between: the watch sees first that the right is there.
"""

import asyncio
import contextlib
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
    from workflows.incidents.actions import LOOK, Actions
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
# Between two questions whether a right is there by now, of which no verdict tells.
RESTS_FOR = timedelta(minutes=1)

Takes = TypeVar("Takes")
Result = TypeVar("Result", bound=Finding)


class Looks:
    """All that one incident looks at by itself."""

    def __init__(self, state: RunState, remarks: Remarks, actions: Actions) -> None:
        self.state, self._remarks, self._actions = state, remarks, actions
        self._news = 0  # how often the cluster was judged otherwise
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
                self._is_refused(title, word, message)
                await self._rest(pause)
                pause = min(2 * pause, REFUSED_AT_MOST)
            else:
                self._is_seen(title)
                return found

    def told(self) -> None:
        """The cluster is judged otherwise: what was refused may be granted, and is asked for again at once."""
        self._news += 1

    async def _rest(self, pause: timedelta) -> None:
        if workflow.patched("a-change-ends-a-rest"):
            await self.rest(pause)
        else:
            await asyncio.sleep(pause.total_seconds())

    async def rest(self, pause: timedelta = RESTS_FOR) -> None:
        """So long, or until the cluster is judged otherwise."""
        known = self._news
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._news != known, timeout=pause)

    def _is_refused(self, title: str, word: str, message: str) -> None:
        """What may not be seen is not waited for in silence: a person has to grant the right."""
        self._remarks.note_once(f"{title}: {word}: {message}")
        if word == "Unauthorized" and workflow.patched("asks-for-a-right"):
            more = bool(self._actions.about_rights)  # most often the same right: one notice is enough
            self._actions.ask(_about(title), f"{title}: not known: {message}", quietly=more)

    def _is_seen(self, title: str) -> None:
        self._actions.done_with(_about(title))

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


def _about(title: str) -> str:
    return f"{LOOK}{title}"
