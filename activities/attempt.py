"""One attempt of a step: it stops between two changes when it is asked to, and knows what was changed.

A step may be paused, aborted, timed out or started again at any moment. A change that is under way is always brought
to its end; the next one is not begun. What was begun is kept with the heartbeat, so that the next attempt, on whatever
worker, and the page can tell it.
"""

import asyncio
import time
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import CancelledError

from cluster.plan import Intent, Ledger, Made, Tried

# How soon an activity learns that it shall stop: the server tells it in the answer to a beat.
OFTEN = timedelta(seconds=1)
# However fast a rehearsal's time goes, nobody is asked more often, seconds; in real time every pause is longer.
SHORTEST = 0.1


class Attempt:
    """What is known of the attempt that runs here. The worker opens one for every activity."""

    def __init__(self, earlier: Made, told: Any = None, *, first: bool = True, tried: tuple[Tried, ...] = ()) -> None:
        self.made = earlier
        self.doubted = earlier.doubtful  # begun by an earlier attempt whose answer was lost
        self.told_before = told
        self.first, self.tried = first, tried
        self.saying: Any = None  # the progress that was told last
        self._told = time.monotonic()

    def told(self) -> None:
        """A beat has gone out."""
        self._told = time.monotonic()

    def due_in(self) -> float:
        """Seconds until the next beat has to go out, should the activity not tell anything by itself."""
        return self._told + OFTEN.total_seconds() - time.monotonic()

    def begin(self, intent: Intent) -> None:
        """A change is about to be made; CancelledError when no more shall be."""
        if activity.is_cancelled():
            self.made = self.made.settled()
        stop_here()
        self.made = self.made.begun(intent)
        activity.heartbeat()


CURRENT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


class Changes(Ledger):
    """The ledger of an activity: before each change it asks whether it still may."""

    def begin(self, intent: Intent) -> None:
        """CancelledError when the step was asked to stop."""
        if (attempt := CURRENT.get()) is not None:
            attempt.begin(intent)


def told_before() -> Any:
    """The last progress that an earlier attempt told, on whatever worker; None where none has told any."""
    if (attempt := CURRENT.get()) is not None:
        return attempt.told_before
    return next(iter(activity.info().heartbeat_details), None)


def is_first() -> bool:
    """No attempt of this step has been made before: no call of ours can be under way."""
    attempt = CURRENT.get()
    return activity.info().attempt == 1 if attempt is None else attempt.first


def was_cancelled_by_its_run() -> bool:
    """Whether the run has asked for this end; else the worker ends, or the server has given the attempt up."""
    asked = activity.cancellation_details()
    return asked is not None and asked.cancel_requested


def stop_here() -> None:
    """A place where nothing is half done: CancelledError when the attempt was asked to stop."""
    if activity.is_cancelled():
        raise CancelledError("asked to stop")


def paced(pause: float, speed: float) -> float:
    """Seconds of the wall for a pause in seconds of the cluster's time."""
    return max(pause / speed, SHORTEST)


def look_again_in(pause: timedelta | float, saying: Any) -> None:
    """Wait before the next look of a blocking activity, and say what is waited for."""
    activity.heartbeat(saying)
    activity.wait_for_cancelled_sync(pause)
    stop_here()


async def look_again(pause: float, saying: Any) -> None:
    """The same for an activity that runs on the event loop."""
    activity.heartbeat(saying)
    stop_here()
    await asyncio.sleep(pause)
    stop_here()
