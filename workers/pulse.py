"""A heartbeat for every activity, as long as its worker lives.

A worker that dies is noticed when its beats stop, ten seconds later, whatever the step's own limit is; a call that
hangs is ended by its client's time limit and by the attempt's. What the activity itself reports is repeated, so that
the last progress stays visible.
"""

import asyncio
import contextlib
import inspect
from typing import Any

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

EVERY = 2.0


class Pulse(Interceptor):
    """Give it to the worker once."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # SDK's name
        """Wrap every activity."""
        return _Inbound(next)


class _Outbound(ActivityOutboundInterceptor):
    def __init__(self, next: ActivityOutboundInterceptor) -> None:  # noqa: A002  # SDK's name
        super().__init__(next)
        self.last: tuple[Any, ...] = ()

    def heartbeat(self, *details: Any) -> None:
        self.last = details or self.last
        super().heartbeat(*self.last)


class _Inbound(ActivityInboundInterceptor):
    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # SDK's name
        beats = asyncio.create_task(_beat(threaded=not inspect.iscoroutinefunction(input.fn)))
        try:
            return await super().execute_activity(input)
        finally:
            beats.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beats


async def _beat(*, threaded: bool) -> None:
    """A blocking activity's heartbeat waits for the event loop, so it must not be called on it."""
    while True:
        if threaded:
            await asyncio.to_thread(activity.heartbeat)
        else:
            activity.heartbeat()
        await asyncio.sleep(EVERY)
