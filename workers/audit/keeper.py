"""Keeps the audit records of a cluster's runs: follows their histories and appends what has happened, line by line.

It runs beside the worker and no run knows of it: it adds no command to a history, and where it cannot write, the runs
go on; it says so once, tries again, and catches up as long as Temporal keeps the history. Only one process keeps a
folder; a worker elsewhere has its own, with its own chain of heads.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from cluster.audit.head import Head
from cluster.audit.line import Line, read
from workers.audit.disk import Changed
from workers.audit.history import Execution
from workers.audit.store import Record, Store

LOG = logging.getLogger("quorate.audit")
# How soon a run that has begun is followed, and how soon what happens in it is on the disk.
LOOKS_EVERY, GATHERS_FOR = timedelta(seconds=2), timedelta(seconds=1)
# What is listed again and again began lately: visibility is told late, and clocks differ.
LATELY = timedelta(minutes=2)
# Everything that Temporal still has is listed anew this often: nothing may be overlooked for ever.
ALL_EVERY = timedelta(hours=1)
# A run that lasts is signed in between, where it has new lines.
SIGNS_EVERY = timedelta(minutes=10)
# After a failure; a disk is seldom freed within seconds.
AGAIN_IN = timedelta(seconds=5)
# Histories of runs that have ended, read at once: they wait for nobody and are many after a pause.
AT_ONCE = 4
# Claims say nothing that the runs which hold them do not say.
UNHEARD = {"Claim"}


@dataclass(frozen=True)
class Found:
    """An execution that is there to be recorded."""

    run: str
    execution: str
    began: datetime
    running: bool

    @classmethod
    def of(cls, one: WorkflowExecution) -> "Found":
        """As Temporal lists it."""
        return cls(one.id, one.run_id, one.start_time, one.status == WorkflowExecutionStatus.RUNNING)


class Heads:
    """Who is told of each head that is signed: nobody. `workers.audit.anchors` tells somebody outside."""

    def signed(self, head: Head) -> None:
        """It is on the disk."""


class Keeper:
    """Follows the runs of one task queue."""

    def __init__(self, client: Client, queue: str, store: Store, heads: Heads | None = None) -> None:
        self._client, self._queue, self._store, self._heads = client, queue, store, heads or Heads()
        self._following: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}
        self._reading = asyncio.Semaphore(AT_ONCE)
        self._signing = asyncio.Lock()
        # by the clock that nobody sets; `_seen` is Temporal's own time, of the newest run that it has listed
        self._all_at = time.monotonic()
        self._seen: datetime | None = None
        self._signed_at = time.monotonic()
        self._troubles: dict[str, str] = {}

    async def keep(self) -> None:
        """Until it is cancelled. Changed where the folder is not there any more."""
        try:
            while True:
                with self._told("Temporal's list of runs cannot be read"):
                    await self.look()
                self._store.there()
                await self._sign_what_lasts()
                await asyncio.sleep(LOOKS_EVERY.total_seconds())
        finally:
            await self._end()

    async def look(self) -> None:
        """Begin to follow what is there and is not followed or recorded yet, the oldest first."""
        now = time.monotonic()
        whole = self._seen is None or now - self._all_at > ALL_EVERY.total_seconds()
        since = "" if whole or self._seen is None else f" AND StartTime > '{(self._seen - LATELY).isoformat()}'"
        listed = self._client.list_workflows(f"TaskQueue = '{self._queue}'{since}")
        found = [Found.of(one) async for one in listed if one.workflow_type not in UNHEARD]
        self._seen = max((one.began for one in found), default=self._seen)
        if whole:
            self._all_at = now
        for one in sorted(found, key=lambda one: one.began):
            self.follow(one)

    def follow(self, found: Found) -> None:
        """Record that execution, unless that is done or under way."""
        if found.execution in self._store.done or found.execution in self._following:
            return
        task = asyncio.create_task(self._recorded(found))
        self._following[found.execution] = task

    async def caught_up(self, run: str) -> bool:
        """Once that run's record is written to its end; False where the run does not end."""
        await self.look()
        newest = await self._client.get_workflow_handle(run).describe()
        if newest.status == WorkflowExecutionStatus.RUNNING:
            return False
        self.follow(Found.of(newest))  # the list of runs is told late
        if work := self._following.get(newest.run_id):
            await asyncio.shield(work)
        return True

    async def _end(self) -> None:
        """What is on the disk is signed before this process goes."""
        for task in self._following.values():
            task.cancel()
        await asyncio.gather(*self._following.values(), return_exceptions=True)
        self._signed_at -= SIGNS_EVERY.total_seconds()
        await self._sign_what_lasts()

    # --- one execution -----------------------------------------------------------------------------------------

    async def _recorded(self, found: Found) -> None:
        """To its end, whatever fails on the way; what Temporal does not have any more is over."""
        while True:
            try:
                await self._written(found)
            except RPCError as error:
                if error.status == RPCStatusCode.NOT_FOUND:
                    break
                self._tell(found.execution, f"the history of {found.run} cannot be read: {error.message}")
            except OSError as error:
                self._tell(found.execution, _unwritable(error))
            except asyncio.CancelledError:
                raise
            except Exception:  # a bug of ours must end neither the worker nor the other records
                LOG.exception("the record of %s cannot be made; it is tried again", found.run)
                await asyncio.sleep(ALL_EVERY.total_seconds())
            else:
                break
            await asyncio.sleep(AGAIN_IN.total_seconds())
        self._works(found.execution)
        self._following.pop(found.execution, None)

    async def _written(self, found: Found) -> None:
        execution = Execution(found.run, found.execution)
        pages = self._pages(found)
        lines = _lines(execution, await anext(pages))
        key = (found.run, execution.first or found.execution)
        await self._has_what_came_before(found, execution)
        async with self._turns.setdefault(key, asyncio.Lock()):
            record = await asyncio.to_thread(self._store.record, *key)
            position = Position(record, found.execution)
            # at its beginning; where it goes on after its signed end, because a person has reset it; and what a
            # keeper that was killed has left
            at_once = not record.lines or record.closed or bool(record.unsigned)
            try:
                await self._append(record, position.after(lines))
                if at_once:
                    await self._sign(record)
                async for page in pages:
                    await self._append(record, position.after(_lines(execution, page)))
                if execution.over:
                    await self._sign(record)
            except Changed:
                self._store.records.pop(key, None)  # the next attempt reads what is there now
                raise
            self._works(found.execution)
        if not record.unsigned and record.closed:
            self._store.records.pop(key, None)
            self._turns.pop(key, None)

    async def _has_what_came_before(self, found: Found, execution: Execution) -> None:
        """The execution that this one goes on from comes first, also where the list of runs tells it later."""
        before = execution.before
        if before and before not in self._store.done:
            self.follow(Found(found.run, before, found.began, running=False))
            await asyncio.shield(self._following[before])

    async def _pages(self, found: Found) -> AsyncIterator[Sequence[HistoryEvent]]:
        """The history as it grows; what happens within a moment is read at once."""
        handle = self._client.get_workflow_handle(found.run, run_id=found.execution)
        events = handle.fetch_history_events(wait_new_event=found.running)
        while True:
            async with contextlib.nullcontext() if found.running else self._reading:
                await events.fetch_next_page()
            if page := events.current_page:
                yield page
                if found.running and events.next_page_token:
                    await asyncio.sleep(GATHERS_FOR.total_seconds())
            if not events.next_page_token:
                return

    async def _append(self, record: Record, lines: Sequence[Line]) -> None:
        if lines:
            await asyncio.to_thread(record.append, lines)

    # --- signing -----------------------------------------------------------------------------------------------

    async def _sign_what_lasts(self) -> None:
        if time.monotonic() - self._signed_at < SIGNS_EVERY.total_seconds():
            return
        self._signed_at = time.monotonic()
        for record in list(self._store.records.values()):
            try:
                await self._sign(record)
                self._works(record.folder)
            except OSError as error:
                self._tell(record.folder, _unwritable(error))

    async def _sign(self, record: Record) -> None:
        async with self._signing:  # a head names the one before
            head = await asyncio.to_thread(self._store.sign, record)
        if head:
            self._heads.signed(head)

    # --- what it tells -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except RPCError as error:
            self._tell(what, f"{what}: {error.message}")
        else:
            self._works(what)

    def _tell(self, of: str, trouble: str) -> None:
        """Each trouble once, not every five seconds and not for every run."""
        if trouble not in self._troubles.values():
            LOG.warning("audit records are not kept now: %s; no run is disturbed, it is tried again", trouble)
        self._troubles[of] = trouble

    def _works(self, of: str) -> None:
        """And once that all is well again."""
        if self._troubles.pop(of, "") and not self._troubles:
            LOG.warning("audit records are kept again")


class Position:
    """How far an execution's record is written: what is there is not written twice."""

    def __init__(self, record: Record, execution: str) -> None:
        there = record.written(execution)
        self._count, self._event, self._same = len(there), -1, 0
        with contextlib.suppress(ValueError, IndexError):
            events = [read(one).event for one in there[-1:]]
            self._event = events[0]
            # several lines may come from one event
            self._same = sum(1 for one in there if b'"event":%d,' % self._event in one and _event(one) == self._event)

    def after(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Those of these lines that are new."""
        left = []
        for line in lines:
            if self._event < 0 < self._count:  # the last line there cannot be read: they are counted
                self._count -= 1
            elif line.event < self._event:
                continue
            elif line.event == self._event and self._same:
                self._same -= 1
            else:
                left.append(line)
        return left


def _event(text: bytes) -> int:
    try:
        return read(text).event
    except ValueError:
        return -1


def _lines(execution: Execution, page: Iterable[HistoryEvent]) -> list[Line]:
    return [line for event in page for line in execution.lines(event)]


def _unwritable(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
