"""Lab time: what every clock in the twin shows, and how fast it runs against the wall."""

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Lab seconds since the epoch; `speed` lab seconds pass in one second of `timer`, which is the wall's by default.

    Under `lab.jump` the timer is the event loop's own time, which jumps from one appointment to the next.
    """

    def __init__(self, speed: float = 1.0, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._timer = timer
        self._lab_anchor = time.time()
        self._anchor = timer()

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
        return self._lab_anchor + (self._timer() - self._anchor) * self._speed

    async def sleep(self, lab_seconds: float) -> None:
        """Let that much lab time pass; a change of speed meanwhile counts from the next second of the wall on."""
        until = self.now() + max(0.0, lab_seconds)
        longest = 1.0 if self._timer is time.monotonic else float("inf")
        while (left := until - self.now()) > 1e-6:  # noqa: ASYNC110  (no event comes with the time)
            await asyncio.sleep(min(left / self._speed, longest))
