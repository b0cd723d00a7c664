"""ClusterWatch: one entity per cluster that looks by itself, takes hints, and opens one incident per epoch.

The looking is one long activity that returns only when there is something new, so the history does not grow while
nothing happens. Events are hints: they make it look at once, and facts decide. The epoch of an incident begins with
the first look that was not as usual and ends when the cluster is healthy again.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ActivityCancellationType, ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from cluster.events import Event, EventBatch
    from cluster.facts import Memory
    from cluster.watching import (
        SITE_GONE,
        Awaited,
        Change,
        Open,
        Opening,
        Reach,
        Seen,
        WatchRequest,
        WatchState,
        WatchWish,
    )
    from workflows import attributes
    from workflows.failures import reason
    from workflows.steps import HEARTBEAT
    from workflows.watch_page import WatchSheet, render_watch

LOOK, REACH = "facts.watch", "facts.reach"
# A lost site's worker is gone with it.
ASKED_THERE = timedelta(seconds=3)
# A hint makes it look often for a minute; more hints within this time change nothing.
COVERED = timedelta(seconds=30)
# How many event ids are remembered here; the gateway remembers more of them.
KNOWN_IDS, SHOWN_EVENTS = 500, 5
AGAIN = RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=5))
# Well below what Temporal suggests: a watch that was started anew replays in no time.
LONG = 2000


def _is_long() -> bool:
    """A storm of events makes a history long, whatever else happens."""
    info = workflow.info()
    return info.is_continue_as_new_suggested() or info.get_current_history_length() > LONG


def _unread(looking: "asyncio.Task[Seen]") -> None:
    """How a look ends that was cut short is of no interest, and nothing for the worker's log."""
    if not looking.cancelled():
        looking.exception()


@workflow.defn(name="ClusterWatch")
class ClusterWatch:
    """Looks at one cluster for as long as it is asked to."""

    def __init__(self) -> None:
        self._request = WatchRequest()
        self._seen: Seen | None = None
        self._open: Open | None = None
        self._hinted = False
        self._latest: list[Event] = []
        self._ids: list[str] = []
        self._received = 0
        self._stopped = False
        self._urgent = False
        self._nudged: datetime | None = None
        self._trouble = ""
        self._following: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, request: WatchRequest | None = None) -> None:
        """Until somebody stops it."""
        self._take_over(request or WatchRequest())
        while not self._stopped:
            seen = await self._looked()
            if seen is not None and seen.new:
                await self._learn(seen)
            self._tell()
            if not self._stopped and _is_long():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(self._handed_over())

    # --- what it is told ---------------------------------------------------------------------------------------

    @workflow.signal(description="Events from outside: they make it look at once")
    def events(self, batch: EventBatch) -> None:
        """Each event counts once, however often it is sent; a storm of them makes one look."""
        fresh = [event for event in batch.events if f"{event.source}/{event.id}" not in self._ids]
        self._ids = (self._ids + [f"{event.source}/{event.id}" for event in fresh])[-KNOWN_IDS:]
        self._received += len(fresh)
        covered = self._nudged is not None and workflow.now() - self._nudged < COVERED
        self._hinted = self._hinted or (bool(fresh) and not covered)
        self._latest = (self._latest + fresh)[-SHOWN_EVENTS:]

    @workflow.signal(description="An incident has come to its end")
    def closed(self, run: str) -> None:
        """Said by the incident itself."""
        if self._open is not None and self._open.run == run:
            self._open = None

    @workflow.update(description="Stop watching; start it again with `quorate watch`")
    def stop(self) -> str:
        """It ends at once; an open incident goes on."""
        self._stopped = True
        return "stopped"

    @workflow.query(description="What it knows now")
    def state(self) -> WatchState:
        """Verdict, memory, open incident."""
        seen = self._seen
        return WatchState(
            cluster=self._cluster,
            verdict=seen.verdict if seen else None,
            at=seen.at if seen else None,
            memory=seen.memory if seen else Memory(),
            open=self._open,
            received=self._received,
            trouble=self._trouble,
        )

    @workflow.query(description="The page of this watch, as Markdown")
    def page(self) -> str:
        """The page as it stands."""
        return render_watch(
            WatchSheet(
                cluster=self._cluster,
                seen=self._seen,
                open=self._open.run if self._open else None,
                events=tuple(self._latest),
                received=self._received,
                trouble=self._trouble,
                namespace=workflow.info().namespace,
            )
        )

    # --- looking -----------------------------------------------------------------------------------------------

    async def _looked(self) -> Seen | None:
        """What the next look found; None when it was cut short by a hint."""
        wish = WatchWish(
            cluster=self._request.cluster,
            memory=self._seen.memory if self._seen else Memory(),
            known=self._seen.verdict.key if self._seen else "",
            urgent=self._urgent,
        )
        self._urgent = False
        looking = workflow.start_activity(
            LOOK,
            wish,
            result_type=Seen,
            summary="until there is something new",
            start_to_close_timeout=wish.until + timedelta(minutes=1),
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=5)
            ),
            cancellation_type=ActivityCancellationType.TRY_CANCEL,
        )
        self._tell()
        await workflow.wait_condition(lambda: looking.done() or self._stopped or self._hinted or _is_long())
        if not looking.done():
            looking.cancel()
            looking.add_done_callback(_unread)
            if self._hinted:
                self._hinted, self._nudged, self._urgent = False, workflow.now(), True
            return None
        try:
            seen: Seen = await looking
        except ActivityError as error:
            word, message = reason(error)
            self._trouble = f"{word}: {message}"
            if word == "NotFound":
                raise ApplicationError(message, type=word, non_retryable=True) from error
            self._tell()
            await asyncio.sleep(5)
            return None
        self._trouble = ""
        return seen

    async def _learn(self, seen: Seen) -> None:
        """A new verdict: show it, tell the open incident, open one where none is."""
        seen = await self._asked_there(seen)
        self._seen = seen
        workflow.upsert_search_attributes(
            [attributes.VERDICT.value_set(seen.verdict.kind), attributes.CLUSTER.value_set(seen.cluster)]
        )
        verdict = seen.verdict
        if self._open is not None:
            await self._told(self._open, Change(verdict=verdict, at=seen.at))
        graver = verdict.kind in SITE_GONE and (self._open is None or self._open.kind != "SiteLoss")
        if graver or (self._open is None and verdict.kind != "healthy"):
            await self._opened(seen)

    async def _asked_there(self, seen: Seen) -> Seen:
        """A worker that stands at a dark site is asked too, and not waited for: what it reaches is alive."""
        main = seen.verdict.main
        if main.kind != "site-lost" or main.where[0] not in seen.workers_at:
            return seen
        site = main.where[0]
        try:
            found = await workflow.execute_activity(
                REACH,
                Awaited(site=site),
                result_type=Reach,
                task_queue=f"{workflow.info().task_queue}@{site}",
                summary=f"the worker at {site}",
                schedule_to_close_timeout=ASKED_THERE,
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except ActivityError:
            return seen
        if not found.nodes:
            return seen
        alive = f"the worker at {site} answers and reaches {', '.join(found.nodes)}"
        isolated = main.model_copy(update={"kind": "site-isolated", "reasons": (*main.reasons, alive)})
        return seen.model_copy(update={"verdict": seen.verdict.model_copy(update={"main": isolated})})

    async def _told(self, open_: Open, change: Change) -> None:
        try:
            await workflow.get_external_workflow_handle(open_.run).signal("changed", change)
        except ApplicationError:
            self._open = None  # it has ended without a word: terminated

    async def _opened(self, seen: Seen) -> None:
        """One incident per epoch: its id says cluster, place and the first sign."""
        gone = seen.verdict.kind in SITE_GONE
        since = seen.odd_since or seen.at
        epoch = since.strftime("%Y%m%dT%H%M%SZ")
        kind = "SiteLoss" if gone else "ClusterIncident"
        place = f"site-loss/{seen.cluster}/{seen.verdict.main.where[0]}" if gone else f"incident/{seen.cluster}"
        run = f"{place}/{epoch}"
        opening = Opening(verdict=seen.verdict, memory=seen.memory, at=seen.at, odd_since=since)
        mode = "apply" if seen.policy == "act" else "plan"
        request = {"cluster": seen.cluster, "mode": mode, "opening": opening.model_dump(mode="json")}
        with contextlib.suppress(WorkflowAlreadyStartedError):  # opened by this watch's earlier life
            child = await workflow.start_child_workflow(
                kind,
                request,
                id=run,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=seen.verdict.sentence[:100],
                static_details="; ".join(seen.verdict.main.reasons)[:1000],
            )
            self._following = asyncio.create_task(self._followed(child, run))
        self._open = Open(run=run, key=seen.verdict.key, kind=kind)

    async def _followed(self, child: ChildWorkflowHandle[Any, Any], run: str) -> None:
        """Whatever its end: it is not open any more."""
        with contextlib.suppress(FailureError):
            await child
        self.closed(run)

    # --- what it shows and hands over --------------------------------------------------------------------------

    @property
    def _cluster(self) -> str:
        return self._seen.cluster if self._seen else self._request.cluster or "?"

    def _take_over(self, request: WatchRequest) -> None:
        self._request, self._seen, self._open = request, request.seen, request.open
        # a signal may have been taken before the first line of this run
        self._hinted = self._hinted or request.hinted
        self._urgent, self._nudged = request.urgent, request.nudged
        self._ids = [*request.ids, *self._ids][-KNOWN_IDS:]
        self._received += request.received

    def _handed_over(self) -> WatchRequest:
        return WatchRequest(
            cluster=self._request.cluster,
            seen=self._seen,
            open=self._open,
            hinted=self._hinted,
            urgent=self._urgent,
            nudged=self._nudged,
            ids=tuple(self._ids),
            received=self._received,
        )

    def _tell(self) -> None:
        workflow.set_current_details(self.page())
