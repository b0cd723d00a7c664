"""What the worker adds to every activity: a heartbeat, and an orderly stop.

The heartbeat lasts as long as the worker lives: one that dies is noticed when its beats stop, ten seconds later,
whatever the step's own limit is; a call that hangs is ended by its client's time limit and by the attempt's. With the
beat travel the last progress and what was changed so far.

The stop: a change that is under way is brought to its end. An activity that is cancelled (the run is paused or
aborted, a person pauses or resets the activity in the Temporal UI) goes on to its next place where nothing is half
done (`activities.attempt`). Reads are ended at once, and so is everything when the worker itself is being stopped:
that looks like a lost reply, and the next attempt reads before it writes.
"""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.attempt import CURRENT, Attempt
from activities.errors import NotYet
from cluster.plan import Earlier, Finding, Made, Mode, Wish
from workers.worker import tried

STOPPED = "Stopped"
# Raises when a run of that workflow type may change nothing now.
MayChange = Callable[[str], Awaitable[None]]


class Pulse(Interceptor):
    """Give it to the worker once. `may_change` is asked before each attempt of an activity that changes something."""

    def __init__(self, may_change: MayChange | None = None) -> None:
        self._may_change = may_change

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # SDK's name
        """Wrap every activity."""
        return _Inbound(next, self._may_change)


class _Outbound(ActivityOutboundInterceptor):
    """Every beat carries the last progress and, once something was begun, the changes."""

    def heartbeat(self, *details: Any) -> None:
        attempt = CURRENT.get()
        if attempt is None:
            super().heartbeat(*details)
            return
        if details:
            attempt.saying = details[0]
        attempt.told()
        super().heartbeat(attempt.saying, attempt.made, *([attempt.tried] if attempt.tried else []))


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, may_change: MayChange | None) -> None:  # noqa: A002  # SDK's name
        super().__init__(next)
        self._may_change = may_change

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # SDK's name
        attempt = _attempt(input.args)
        CURRENT.set(attempt)
        changing = any(getattr(argument, "mode", None) is Mode.APPLY for argument in input.args)
        threaded = False  # until the activity has a thread of its own
        try:
            if changing and self._may_change is not None:
                async with _beating(attempt, threaded=threaded):
                    await self._may_change(activity.info().workflow_type or "")
            threaded = not inspect.iscoroutinefunction(input.fn)
            work = asyncio.ensure_future(super().execute_activity(input))
            async with _beating(attempt, threaded=threaded):
                result = await self._result(work, attempt, changing=changing, threaded=threaded)
        except (CancelledError, asyncio.CancelledError):
            raise _stopped(attempt) from None
        except Exception as error:
            carried = _with_what_was_done(error, attempt)
            attempt.tried = tried.and_this(attempt.tried, error)
            await _tell(threaded=threaded)  # the next attempt reads it
            if carried is None:
                raise
            raise carried from error.__cause__
        if isinstance(result, Finding) and attempt.tried:
            result = result.model_copy(update={"tried": attempt.tried})
        if isinstance(result, Finding) and attempt.made != Made():
            changes = attempt.made.and_then(result.changes)
            return result.model_copy(update={"changes": changes, "changed": bool(changes)})
        return result

    async def _result(self, work: asyncio.Future[Any], attempt: Attempt, *, changing: bool, threaded: bool) -> Any:
        """What the activity comes to; a refusal of what may have been done before is looked at once more."""
        try:
            return await (_to_its_end(work) if changing else work)
        except ApplicationError as error:
            if not _may_be_done(error, attempt):
                raise
            attempt.made = attempt.made.model_copy(update={"looked_again": True})
            await _tell(threaded=threaded)
            again = NotYet(f"{error.message} (an earlier call may have done it: looking again)")
            raise again from error.__cause__


async def _to_its_end(work: asyncio.Future[Any]) -> Any:
    """The result of work that stops by itself where it may; only the worker's own end cuts it off."""
    while True:
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if work.done():
                raise
            if activity.is_worker_shutdown():
                work.cancel()
                raise


def _attempt(args: Sequence[Any]) -> Attempt:
    """What is known of the attempts before: by Temporal's last beat, else by the engine, which began it anew."""
    info = activity.info()
    carried = next((one.earlier for one in args if isinstance(one, Wish)), Earlier())
    first = info.attempt == 1 and not carried.attempts
    if not info.heartbeat_details:
        return Attempt(carried.made, carried.told, first=first)
    before = info.heartbeat_details
    return Attempt(_earlier(before), before[0], first=first, tried=tried.before(before))


def _earlier(details: Sequence[Any]) -> Made:
    """What earlier attempts of the same step told with their last beat."""
    try:
        return Made.model_validate(details[1]) if len(details) > 1 else Made()
    except ValidationError:
        return Made()  # the beat of another version; what is there is read from the world anyway


def _stopped(attempt: Attempt) -> BaseException:
    """How an attempt says that it was stopped, and what it had changed until then.

    A pause or reset of the activity itself is the SDK's business: it turns a cancellation into a failed attempt and
    tries again when the person goes on.
    """
    told = activity.cancellation_details()
    if told is None or not told.cancel_requested:
        return asyncio.CancelledError()
    return ApplicationError(
        "stopped, nothing is half done",
        attempt.made,
        attempt.saying or attempt.told_before,
        *([attempt.tried] if attempt.tried else []),
        type=STOPPED,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def _may_be_done(error: ApplicationError, attempt: Attempt) -> bool:
    """A change that is refused may have been made after all: by a call whose answer an earlier attempt gave up on.

    Then the device is read once more before a person is asked.
    """
    late = set(attempt.doubted) & set(attempt.made.doubtful)
    return bool(late) and not attempt.made.looked_again and error.type in ("Conflict", "Rejected")


def _with_what_was_done(error: Exception, attempt: Attempt) -> ApplicationError | None:
    """The same error with the changes made before it, the progress told last, the attempts before; None without any."""
    saying = attempt.saying or attempt.told_before
    nothing = attempt.made == Made() and saying is None and not attempt.tried
    if nothing or not isinstance(error, ApplicationError):
        return None
    return ApplicationError(
        error.message,
        attempt.made,
        saying,
        *([attempt.tried] if attempt.tried else []),
        type=error.type,
        non_retryable=error.non_retryable,
        next_retry_delay=error.next_retry_delay,
        category=error.category,
    )


@contextlib.asynccontextmanager
async def _beating(attempt: Attempt, *, threaded: bool) -> AsyncIterator[None]:
    """A beat as long as it lasts."""
    beats = asyncio.create_task(_beat(attempt, threaded=threaded))
    try:
        yield
    finally:
        beats.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beats


async def _beat(attempt: Attempt, *, threaded: bool) -> None:
    await _tell(threaded=threaded)
    while True:
        await asyncio.sleep(max(attempt.due_in(), 0.01))
        if attempt.due_in() <= 0:
            await _tell(threaded=threaded)


async def _tell(*, threaded: bool) -> None:
    """A blocking activity's heartbeat waits for the event loop, so it must not be called on it."""
    if threaded:
        await asyncio.to_thread(activity.heartbeat)
    else:
        activity.heartbeat()
