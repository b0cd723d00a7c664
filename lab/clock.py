"""Lab time: what every clock in the twin shows, and how fast it runs against the wall."""

import asyncio
import time


class Clock:
    """Lab seconds since the epoch; `speed` lab seconds pass in one second of the wall."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._lab_anchor = time.time()
        self._wall_anchor = time.monotonic()

    @property
    def speed(self) -> float:
        """Lab seconds per wall second. Setting it bends the line here and now; time never jumps."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if speed <= 0:
            raise ValueError(f"speed {speed} is not positive")
        self._lab_anchor, self._wall_anchor = self.now(), time.monotonic()
        self._speed = speed

    def now(self) -> float:
        """Lab seconds since the epoch."""
        return self._lab_anchor + (time.monotonic() - self._wall_anchor) * self._speed

    async def sleep(self, lab_seconds: float) -> None:
        """Let that much lab time pass."""
        await asyncio.sleep(max(0.0, lab_seconds) / self._speed)
