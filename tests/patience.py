"""Waits that end: each has a deadline, and no deadline is a measurement."""

import asyncio
import time

# A machine that others use as well stands still for up to half a minute now and then, which is no test's finding.
STANDSTILL = 60.0


class Deadline:
    """So many seconds from now, and what a machine may stand still.

    Whoever waits looks, asserts that it is not `over`, and lets `a_while` pass.
    """

    def __init__(self, within: float) -> None:
        self._began = time.monotonic()
        self._ends = self._began + within + STANDSTILL

    @property
    def over(self) -> bool:
        """It has passed."""
        return time.monotonic() > self._ends

    async def a_while(self) -> None:
        """Until the next look: soon at first, then ten times a second, as most looks are queries with a price."""
        await asyncio.sleep(min(0.1, max(0.02, (time.monotonic() - self._began) / 10)))
