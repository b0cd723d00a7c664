"""The incidents of one cluster that are open, as its watch keeps them: opened, taken over, told, and missed.

An incident that ended without saying so (terminated, failed, never begun because another run holds its claim) is
noticed by following its run. People are told of it here, because it cannot do that itself any more.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from cluster.around import Occasion
    from cluster.contracts import watch
    from cluster.incidents import Ended, FollowWish, StockWish, Wanted, told_to, wanted
    from cluster.notices import Notice
    from cluster.watching import Change, Open, Opening, Seen, WatchRequest
    from workflows.answers import ask, begun
    from workflows.steps import HEARTBEAT
    from workflows.telling import deliver

# One that could not go on is not begun again at once: its reason may last.
REOPENED_AFTER = timedelta(seconds=20)
FOLLOWED_FOR = timedelta(days=1)
AGAIN = RetryPolicy(maximum_interval=timedelta(seconds=5), non_retryable_error_types=["NotFound"])


class OpenIncidents:
    """What is open. `judge_anew` is called when something has ended: what was judged last may be of before that."""

    def __init__(self, judge_anew: Callable[[], None]) -> None:
        self._judge_anew = judge_anew
        self.open: tuple[Open, ...] = ()
        self.epochs: dict[str, str] = {}
        self.remark = ""
        self.site_of: dict[str, str] = {}
        self._began: dict[str, datetime] = {}
        self._seen: Seen | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._untold: dict[str, Notice] = {}
        self._notices = 0
        self.owes = False  # what is missing waits to be opened: a new run of the watch has to judge anew

    def take_over(self, request: WatchRequest) -> None:
        """What an earlier run of the watch knew; a signal may have been taken before."""
        known = {one.run for one in self.open}
        self.open += tuple(one for one in request.incidents if one.run not in known)
        self.epochs, self._seen = dict(request.epochs), request.seen
        self._began, self.remark = dict(request.opened), request.remark
        for notice in request.untold:
            self._send(notice)

    def handed_over(self) -> dict[str, Any]:
        """What the next run of the watch has to know."""
        return {
            "incidents": self.open,
            "epochs": self.epochs,
            "opened": self._began,
            "remark": self.remark,
            "untold": tuple(self._untold.values()),
        }

    @property
    def gravest(self) -> Open | None:
        """A site's loss before that of nodes, and any loss before what is only explained."""
        order = ("SiteLoss", "NodeLoss", "ClusterIncident")
        return min(self.open, key=lambda one: order.index(one.kind) if one.kind in order else 9, default=None)

    # --- begun, told, closed -----------------------------------------------------------------------------------

    async def take_stock(self, cluster: str | None) -> None:
        """Take over what is open, whoever has opened it; an earlier watch may have been stopped."""
        found = await ask(
            watch.open_incidents,
            StockWish(cluster=cluster),
            summary="which incidents are open",
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=HEARTBEAT,
            retry_policy=AGAIN,
        )
        self.site_of = found.site_of
        for incident in found.open:
            await self.adopt(incident)

    async def adopt(self, incident: Open) -> None:
        """One that says that it has begun, or that was found; it is told how things stand."""
        known = {one.run: one for one in self.open}
        if incident.run not in known:
            self.open += (incident,)
            if self._seen is not None:
                await self._inform(incident, self._seen)
        elif incident.where:  # a further node
            wider = known[incident.run].model_copy(update={"where": incident.where})
            self.open = tuple(wider if one.run == incident.run else one for one in self.open)

    async def learn(self, seen: Seen) -> None:
        """A new verdict: it is told to the open incidents, and what is missing is opened."""
        self._seen, before = seen, self.open
        for one in wanted(seen.verdict, self.open, self.site_of):
            await self._opened(one, seen)
        for incident in before:
            await self._inform(incident, seen)

    def closed(self, run: str) -> bool:
        """It is not open any more; the verdict that stands is judged again. False when it was not known as open."""
        known = any(one.run == run for one in self.open)
        if known:
            self.open = tuple(one for one in self.open if one.run != run)
            self._judge_anew()
        return known

    async def _inform(self, incident: Open, seen: Seen) -> None:
        change = Change(verdict=told_to(incident, seen.verdict), at=seen.at, open=self.open, answers=seen.answers)
        with contextlib.suppress(FailureError):  # it has ended: that is noticed where it is followed
            await workflow.get_external_workflow_handle(incident.run).signal("changed", change)

    async def _opened(self, one: Wanted, seen: Seen) -> None:
        """One incident per epoch: its id says cluster, place and the first sign."""
        place, since, now = one.place(seen.cluster), seen.odd_since or seen.at, workflow.now()
        if place in self._began and (rest := self._began[place] + REOPENED_AFTER - now) > timedelta():
            self.owes = True
            self._does(self._judge_again_in(rest))
            return
        epoch = since.strftime("%Y%m%dT%H%M%SZ")
        if self.epochs.get(place) == epoch:  # that one has ended, and its cause stands
            epoch = now.strftime("%Y%m%dT%H%M%SZ")
        self.epochs[place], self._began[place] = epoch, now
        run = f"{place}/{epoch}"
        opened = Open(run=run, key="", kind=one.kind, where=one.where)
        told = told_to(opened, seen.verdict)
        opened = opened.model_copy(update={"key": told.key})
        opening = Opening(verdict=told, memory=seen.memory, at=seen.at, odd_since=since, answers=seen.answers)
        mode = "apply" if seen.policy == "act" else "plan"
        request = {"cluster": seen.cluster, "mode": mode, "opening": opening.model_dump(mode="json"), **one.about}
        with contextlib.suppress(WorkflowAlreadyStartedError):  # opened by this watch's earlier life
            await workflow.start_child_workflow(
                one.kind,
                request,
                id=run,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=told.sentence[:100],
                static_details="; ".join(told.main.reasons)[:1000],
            )
        self.open += (opened,)

    async def _judge_again_in(self, pause: timedelta) -> None:
        await asyncio.sleep(pause.total_seconds())
        self.owes = False
        self._judge_anew()

    # --- followed ----------------------------------------------------------------------------------------------

    async def follow(self, told: Callable[[], None]) -> None:
        """Notice every end, also of those that cannot say it any more, and of those that never began; for ever."""
        while True:
            await workflow.wait_condition(lambda: bool(self.open))
            runs = tuple(one.run for one in self.open)
            following = begun(
                watch.follow,
                FollowWish(runs=runs),
                summary=f"until one of {len(runs)} incidents has ended",
                start_to_close_timeout=FOLLOWED_FOR,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=AGAIN,
            )
            await workflow.wait_condition(
                lambda: following.done() or {one.run for one in self.open} != set(runs)  # noqa: B023  # asked here
            )
            if not following.done():
                following.cancel()
            with contextlib.suppress(ActivityError):
                for ended in (await following).ended:
                    await self._ended(ended)
            told()

    async def _ended(self, ended: Ended) -> None:
        """What did not end by itself is told here: it could not do so."""
        if not self.closed(ended.run) or ended.by_itself:
            return
        self.remark = f"{ended.run} was {ended.status} before its end" + (f": {ended.why}" if ended.why else "")
        if ended.never_began:
            self.remark = f"{ended.run} could not begin: {ended.why.partition(': ')[2]}"
            await self.take_stock(None)  # whoever holds its claim goes on with it
        stands = self._seen.verdict.sentence if self._seen else "not known"
        said = f"The cluster is {stands}. It is judged again; an incident opens while anything is wrong."
        self.tell_people(ended.run, self.remark, said)

    def tell_people(self, incident: str, title: str, text: str, occasion: Occasion = "changed") -> None:
        """What no incident can say itself."""
        self._notices += 1
        notice = Notice(
            key=f"{workflow.info().workflow_id}/{workflow.info().run_id}/{self._notices}",
            occasion=occasion,
            cluster=self._seen.cluster if self._seen else "?",
            incident=incident,
            title=title[:200],
            text=text[:1000],
            at=workflow.now(),
        )
        self._send(notice)

    def _send(self, notice: Notice) -> None:
        """Kept until it is delivered, or its time is over: another run of the watch may have to send it."""
        self._untold[notice.key] = notice
        self._does(self._sent(notice))

    async def _sent(self, notice: Notice) -> None:
        with contextlib.suppress(ActivityError):
            await deliver(notice, notice.title)
        self._untold.pop(notice.key, None)

    def _does(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside the looking."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
