"""From accepted events to the cluster's watch: in batches, each as one signal-with-start.

An event counts as taken when Temporal has written it down, and not a moment earlier: only then is its sender told so,
and only then is it known. It may reach the watch twice (an answer of Temporal that is lost), never not at all.
No worker is needed for any of this; a watch that does not run is started and works when a worker comes.
"""

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from opentelemetry.trace import SpanContext
from pydantic import BaseModel, Field
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from cluster.events import Event, EventBatch
from cluster.watching import watch_id
from workers.gateway import traces
from workers.gateway.figures import Figures
from workers.gateway.refusals import Refused

log = logging.getLogger("quorate.gateway")

WATCH, SIGNAL = "ClusterWatch", "events"
# PVE hangs up after 10 s and does not try again (reference: proxmox-api §6): it must have an answer before.
PATIENCE = 8.0
# One attempt; a server that hangs is asked again rather than waited for.
ATTEMPT = 3.0
# A storm's events come within milliseconds of each other: one message for them all.
GATHER = 0.05
MOST = 100  # events in a batch: with lines of 300 letters far below Temporal's 2 MB
ROOM = 5000
REMEMBERED = 10_000
ANSWERS_WITHIN = 2.0

Key = tuple[str, str]


class Receipt(BaseModel):
    """All events of the request are in Temporal: so many now, so many before."""

    accepted: int = Field(ge=0)
    duplicates: int = Field(ge=0)


@dataclass(eq=False)
class _Pending:
    """An event that Temporal does not have yet. `told`: whether it has been taken, once that is decided."""

    event: Event
    told: asyncio.Future[bool]
    until: float = field(default=0.0)
    cause: SpanContext = field(default_factory=traces.here)


class Delivery:
    """Brings events to the watch of one cluster; use it as an async context, which ends when all are brought.

    `patience` and `gather` in seconds, `room` in events that may wait.
    """

    def __init__(
        self,
        client: Client,
        cluster: str,
        task_queue: str,
        *,
        patience: float = PATIENCE,
        gather: float = GATHER,
        room: int = ROOM,
        remembered: int = REMEMBERED,
        figures: Figures | None = None,
    ) -> None:
        self._client, self._cluster, self._task_queue = client, cluster, task_queue
        self.patience, self._gather, self._room, self._remembered = patience, gather, room, remembered
        self._known: OrderedDict[Key, None] = OrderedDict()
        self._pending: dict[Key, _Pending] = {}
        self._queue: asyncio.Queue[_Pending] = asyncio.Queue()
        self._down = False
        self.figures = figures or Figures()
        self.figures.waiting(0)

    async def __aenter__(self) -> Self:
        self._work = asyncio.create_task(self._bring())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pending:  # nobody comes in any more; what waits is brought or has waited long enough
            await asyncio.wait([each.told for each in self._pending.values()], timeout=self.patience)
        self._work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._work

    @property
    def waiting(self) -> int:
        """Events that Temporal does not have yet."""
        return len(self._pending)

    async def deliver(self, events: Sequence[Event], until: float) -> Receipt:
        """Return when Temporal has all of them; Refused (503) when it has not by then, on the loop's clock."""
        unknown = {(event.source, event.id): event for event in events if not self._knows(event)}
        new = [key for key in unknown if key not in self._pending]
        if len(self._pending) + len(new) > self._room:
            raise _later("more events wait than this gateway keeps")
        for key in new:
            self._pending[key] = _Pending(unknown[key], asyncio.get_running_loop().create_future())
            self._queue.put_nowait(self._pending[key])
        self.figures.waiting(self.waiting)
        awaited = [self._pending[key] for key in unknown]
        for each in awaited:  # one of them may be waited for by an earlier request too
            each.until = max(each.until, until)
        if awaited:
            left = until - asyncio.get_running_loop().time()
            done, late = await asyncio.wait([each.told for each in awaited], timeout=max(0.0, left))
            if late or not all(told.result() for told in done):
                raise _later("Temporal has not taken these events in time")
        self._count(events, new)
        return Receipt(accepted=len(new), duplicates=len(events) - len(new))

    def _count(self, events: Sequence[Event], new: Sequence[Key]) -> None:
        sources = Counter(event.source for event in events)
        fresh = Counter(source for source, _ in new)
        self.figures.taken(fresh, outcome="delivered")
        self.figures.taken(sources - fresh, outcome="duplicate")

    async def answers(self) -> bool:
        """Whether Temporal and its namespace answer within two seconds."""
        wish = DescribeNamespaceRequest(namespace=self._client.namespace)
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                await self._client.workflow_service.describe_namespace(wish)
        except Exception:
            return False
        return True

    @property
    def has_room(self) -> bool:
        """Whether one more event may wait, and somebody brings it."""
        return len(self._pending) < self._room and not self._work.done()

    def _knows(self, event: Event) -> bool:
        key = (event.source, event.id)
        if key in self._known:
            self._known.move_to_end(key)
        return key in self._known

    async def _bring(self) -> None:
        while True:
            batch = [await self._queue.get()]
            if self._queue.qsize() < MOST - 1:
                await asyncio.sleep(self._gather)
            while len(batch) < MOST and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._send(batch)

    async def _send(self, batch: list[_Pending]) -> None:
        """Try until Temporal has it; events whose senders have gone are given up: they will be sent again."""
        now, pause = asyncio.get_running_loop().time, 0.05
        while True:
            for each in batch:
                if each.until <= now():
                    self._settle(each, taken=False)
            batch = [each for each in batch if not each.told.done()]
            if not batch:
                return
            try:
                async with asyncio.timeout(min(ATTEMPT, max(each.until for each in batch) - now())):
                    with traces.brought([each.cause for each in batch]):
                        await self._signal(EventBatch(events=tuple(each.event for each in batch)))
            except Exception as error:  # whatever it was, Temporal does not have them
                if not self._down:
                    log.warning("Temporal does not take events: %s %s", type(error).__name__, error)
                self._down = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, 1.0)
            else:
                self._heard(batch)
                return

    async def _signal(self, batch: EventBatch) -> None:
        await self._client.start_workflow(
            WATCH,
            {"cluster": self._cluster},
            id=watch_id(self._cluster),
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=SIGNAL,
            start_signal_args=[batch],
        )

    def _heard(self, batch: list[_Pending]) -> None:
        if self._down:
            log.warning("Temporal takes events again")
        self._down = False
        for each in batch:
            self._known[each.event.source, each.event.id] = None
            self._settle(each, taken=True)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)

    def _settle(self, each: _Pending, *, taken: bool) -> None:
        del self._pending[each.event.source, each.event.id]
        self.figures.waiting(self.waiting)
        each.told.set_result(taken)


def _later(error: str) -> Refused:
    return Refused(503, error, "send them again: nothing is kept that was not acknowledged", again_in=2)
