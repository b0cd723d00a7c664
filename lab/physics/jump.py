"""An event loop whose time jumps: hours of lab time pass in the seconds that the work itself takes.

For simulations without sockets: nothing waits for the wall, so a run is as repeatable as its seed.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from lab.physics.clock import Clock

T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """When nobody has anything to do, it is already the time of the next appointment."""

    def __init__(self) -> None:
        super().__init__(_Selector(self))
        self.passed = 0.0

    def time(self) -> float:
        """Seconds that have passed in this loop."""
        return self.passed


class _Selector(selectors.SelectSelector):
    """Never blocks: the time it was allowed to block is the time that passes."""

    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; else jump."""
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        if not ready and timeout is not None:
            self._loop.passed += max(0.0, timeout)
        return ready


def clock() -> Clock:
    """Lab time that is the running loop's own; one lab second is one of the loop's."""
    return Clock(timer=asyncio.get_running_loop().time)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run something in a loop that jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)
