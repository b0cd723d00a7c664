"""Lab time: what every clock in the twin shows, and how fast it runs against the wall."""

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Lab seconds since the epoch; `speed` lab seconds pass in one second of `timer`, which is the wall's by default.

    Under `lab.physics.jump` the timer is the event loop's own time, which jumps from one appointment to the next.

    A machine that stalls, or sleeps, stalls the world with it: between two looks at the clock no more time passes than
    between two looks of a machine that is well. Else every lock of the cluster would age while nobody can refresh it.
    """

    # Seconds of the wall. Somebody looks at least every second, and at least every ten lab seconds.
    LOOKS_WITHIN, LAB_LOOKS_WITHIN, AT_LEAST = 1.5, 15.0, 0.25

    def __init__(self, speed: float = 1.0, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._timer = timer
        self._lab_anchor = time.time()
        self._anchor = self._looked = timer()
        self._steady = timer is time.monotonic

    @property
    def speed(self) -> float:
        """Lab seconds per wall second. Setting it bends the line here and now; time never jumps."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed {speed} is not a positive number")
        self._lab_anchor, self._anchor = self.now(), self._timer()
        self._speed = speed

    def now(self) -> float:
        """Lab seconds since the epoch."""
        wall = self._timer()
        if self._steady:
            stalled = (
                wall - self._looked - max(self.AT_LEAST, min(self.LOOKS_WITHIN, self.LAB_LOOKS_WITHIN / self._speed))
            )
            self._anchor += max(0.0, stalled)
            self._looked = wall
        return self._lab_anchor + (wall - self._anchor) * self._speed

    def read(self) -> float:
        """The same for somebody outside the world, whose look says nothing of how the world's own machine fares."""
        return self._lab_anchor + (self._timer() - self._anchor) * self._speed

    async def sleep(self, lab_seconds: float) -> None:
        """Let that much lab time pass; a change of speed meanwhile counts from the next second of the wall on."""
        until = self.now() + max(0.0, lab_seconds)
        longest = 1.0 if self._timer is time.monotonic else float("inf")
        while (left := until - self.now()) > 1e-6:  # noqa: ASYNC110  (no event comes with the time)
            await asyncio.sleep(min(left / self._speed, longest))
