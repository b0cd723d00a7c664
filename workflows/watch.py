"""ClusterWatch: one entity per cluster that looks by itself, takes hints, and opens one incident per epoch.

The looking is one long activity that returns only when there is something new, so the history does not grow while
nothing happens. Events are hints: they make it look at once, and facts decide. What a look knows is never dropped,
however it ends.

It is about levels: after each verdict, and whenever an incident has ended, the verdict that stands is compared with
the incidents that are open, and what is missing is opened. Incidents that others have opened are taken over; one that
was terminated is noticed, people are told, and it is opened again while its cause stands.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta

from opentelemetry.trace import SpanContext
from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as LookTimeout
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import instead, together
    from cluster.contracts import proxmox, watch
    from cluster.contracts.proxmox import RightsWish
    from cluster.events import Event, EventBatch
    from cluster.memory import Memory
    from cluster.metrics import VERDICT_CHANGES
    from cluster.silences import Silence, SilenceWish, UnsilenceWish, not_there, refused
    from cluster.watching import (
        Awaited,
        Beat,
        Open,
        Seen,
        WatchRequest,
        WatchState,
        WatchWish,
        isolated,
    )
    from workflows import attributes, spans
    from workflows.answers import ask, begun
    from workflows.failures import reason
    from workflows.lasting import is_long
    from workflows.meters import tell
    from workflows.open_incidents import OpenIncidents
    from workflows.silences import Silences, ends_soon
    from workflows.steps import HEARTBEAT
    from workflows.watch_page import WatchSheet, render_watch

# A right that was taken away is found on the day, not in the incident that needs it.
RIGHTS_EVERY = timedelta(days=1)
RIGHTS_WITHIN = timedelta(minutes=10)
# A lost site's worker is gone with it.
ASKED_THERE = timedelta(seconds=3)
# A hint makes it look often for a minute; more hints within this time change nothing.
COVERED = timedelta(seconds=30)
# How many event ids are remembered here; the gateway remembers more of them.
KNOWN_IDS, SHOWN_EVENTS = 500, 5
NOBODY = "by: empty: say who ends it"
AGAIN = RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=5))


def _remembered(error: ActivityError) -> Memory | None:
    """What a look that died had told with its last beat."""
    told = error.cause.last_heartbeat_details[:1] if isinstance(error.cause, LookTimeout) else ()
    with contextlib.suppress(ValidationError):
        return Beat.model_validate(told[0]).memory if told else None
    return None


@workflow.defn(name="ClusterWatch")
class ClusterWatch:
    """Looks at one cluster for as long as it is asked to."""

    def __init__(self) -> None:
        self._request = WatchRequest()
        self._seen: Seen | None = None
        self._memory = Memory()
        self._incidents = OpenIncidents(self._judge_anew)
        self._silences = Silences(self._judge_anew, self._warn)
        self._hinted = self._anew = self._owed = self._stopped = self._urgent = False
        self._latest: list[Event] = []
        self._ids: list[str] = []
        self._received = 0
        self._nudged: datetime | None = None
        self._trouble = ""
        self._hint: SpanContext | None = None  # the newest events, as the cause of what is found after them
        self._rights = ""
        self._rights_asked: datetime | None = None
        self._beside: list[asyncio.Task[None]] = []

    @workflow.run
    async def run(self, request: WatchRequest | None = None) -> None:
        """Until somebody stops it."""
        self._take_over(request or WatchRequest())
        if workflow.patched("trace-in-memo"):
            workflow.upsert_memo({"trace": spans.trace_id()})
        await self._incidents.take_stock(self._request.cluster)
        beside = (self._incidents.follow(self._tell), self._ask_rights(), self._silences.keep())
        self._beside = [asyncio.create_task(work) for work in beside]
        while not self._stopped:
            seen = await self._looked()
            if seen is not None:
                await self._learn(seen)
            self._tell()
            if not self._stopped and is_long():
                await workflow.wait_condition(workflow.all_handlers_finished)
                with spans.handing_on(self._hint):
                    workflow.continue_as_new(self._handed_over())

    # --- what it is told ---------------------------------------------------------------------------------------

    @workflow.signal(description="Events from outside: they make it look at once")
    def events(self, batch: EventBatch) -> None:
        """Each event counts once, however often it is sent; a storm of them makes one look."""
        fresh = [event for event in batch.events if f"{event.source}/{event.id}" not in self._ids]
        self._ids = (self._ids + [f"{event.source}/{event.id}" for event in fresh])[-KNOWN_IDS:]
        self._received += len(fresh)
        self._hint = spans.here() if fresh else self._hint
        covered = self._nudged is not None and workflow.now() - self._nudged < COVERED
        self._hinted = self._hinted or (bool(fresh) and not covered)
        self._latest = (self._latest + fresh)[-SHOWN_EVENTS:]

    @workflow.signal(description="An incident has begun, whoever has started it")
    async def began(self, incident: Open) -> None:
        """Said by the incident itself; one that is taken over is told how things stand."""
        await self._incidents.adopt(incident)
        self._tell()

    @workflow.signal(description="An incident has ended")
    def closed(self, run: str) -> None:
        """Said by the incident itself."""
        self._incidents.closed(run)

    def _judge_anew(self) -> None:
        self._anew = True

    @workflow.update(
        description='Announce planned work: {"where": ["site-a"], "by": "ana", "why": "replacing PDUs", '
        '"until": "2026-11-28T18:00:00Z"}; `quorate silence`'
    )
    def silence(self, wish: SilenceWish) -> str:
        """No incident opens for what it covers, as long as no guest ran there; one for the same names is replaced."""
        said = self._silences.add(wish)
        self._tell()
        return said

    @silence.validator
    def _may_be_silent(self, wish: SilenceWish) -> None:
        if wrong := refused(wish, self._incidents.site_of, workflow.now()):
            raise ApplicationError(wrong, type="WrongInput")

    @workflow.update(description='End an announcement: {"where": ["site-a"], "by": "ana"}; `quorate silence end`')
    def unsilence(self, wish: UnsilenceWish) -> str:
        """What stands is judged at once, and opens its incident."""
        said = self._silences.end(wish)
        self._tell()
        return said

    @unsilence.validator
    def _is_silent(self, wish: UnsilenceWish) -> None:
        if wrong := not_there(wish.where, self._silences.standing) or ("" if wish.by.strip() else NOBODY):
            raise ApplicationError(wrong, type="WrongInput")

    def _warn(self, one: Silence) -> None:
        """It ends soon, and what it covers is still dark."""
        verdict = self._seen.verdict if self._seen else None
        told = (verdict.main, *verdict.also) if verdict else ()
        if any(seen.planned is not None and seen.planned.where == one.where for seen in told):
            self._incidents.tell_people(workflow.info().workflow_id, *ends_soon(one), occasion="asked")

    @workflow.update(description="Stop watching; start it again with `quorate watch`")
    def stop(self) -> str:
        """It ends at once; an open incident goes on."""
        self._stopped = True
        return "stopped"

    @workflow.query(description="What it knows now")
    def state(self) -> WatchState:
        """Verdict, memory, open incidents."""
        seen = self._seen
        return WatchState(
            cluster=self._cluster,
            verdict=seen.verdict if seen else None,
            at=(seen.looked_at or seen.at) if seen else None,
            memory=self._memory,
            open=self._incidents.gravest,
            incidents=self._incidents.open,
            remark=self._incidents.remark,
            rights=self._rights,
            received=self._received,
            trouble=self._trouble,
            answers=seen.answers if seen else (),
            silences=self._silences.standing,
        )

    @workflow.query(description="The page of this watch, as Markdown")
    def page(self) -> str:
        """The page as it stands."""
        return render_watch(
            WatchSheet(
                cluster=self._cluster,
                seen=self._seen,
                open=tuple(one.run for one in self._incidents.open),
                events=tuple(self._latest),
                received=self._received,
                trouble=self._trouble,
                remark=self._incidents.remark,
                rights=self._rights,
                silences=self._silences.standing,
                namespace=workflow.info().namespace,
            )
        )

    # --- looking -----------------------------------------------------------------------------------------------

    async def _looked(self) -> Seen | None:
        """What the next look found; None when it was cut short, by a hint or by the end of an incident."""
        looking = self._look()
        self._tell()
        await workflow.wait_condition(
            lambda: looking.done() or self._stopped or self._hinted or self._anew or is_long()
        )
        if cut := not looking.done():
            looking.cancel()
            if self._stopped:  # at once: nobody comes after it who could use what the look knows
                return None
            if self._hinted:
                self._hinted, self._nudged, self._urgent = False, workflow.now(), True
        try:
            seen: Seen = await looking
        except ActivityError as error:
            self._memory = self._memory.merge(_remembered(error) or self._memory)
            if not cut:
                await self._failed(error)
            return None
        self._trouble, self._memory = "", self._memory.merge(seen.memory)
        return seen.model_copy(update={"basis": None})  # it stands in the history, and is not carried on

    def _look(self) -> workflow.ActivityHandle[Seen]:
        """Begin to look. What stands is told anew when an incident has ended: what was told last may be older."""
        self._owed = self._owed or self._anew  # until a look has told it: one that is cut short tells nothing
        wish = WatchWish(
            cluster=self._request.cluster,
            memory=self._memory,
            known=self._seen.verdict.key if self._seen and not self._owed else "",
            urgent=self._urgent or self._owed,
            silences=self._silences.standing,
        )
        self._urgent = self._anew = False
        return begun(
            watch.look,
            wish,
            summary="until there is something new",
            start_to_close_timeout=wish.until + timedelta(minutes=1),
            heartbeat_timeout=HEARTBEAT,
            retry_policy=AGAIN,
            # what it knows comes with its end, also when it is cut short
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )

    async def _failed(self, error: ActivityError) -> None:
        word, message = reason(error)
        self._trouble = f"{word}: {message}"
        if word == "NotFound":
            raise ApplicationError(message, type=word, non_retryable=True) from error
        self._tell()
        await asyncio.sleep(5)

    async def _learn(self, seen: Seen) -> None:
        """Show what was seen. A new verdict is told to the open incidents, and what is missing is opened."""
        if not seen.new:
            # cut short or at the end of its time: the same verdict, with newer reasons, unless it is still ripening
            if self._seen is not None and seen.verdict.key == self._seen.verdict.key:
                self._seen = seen
            return
        self._owed = False
        found = seen.verdict
        about = {"quorate.cluster": seen.cluster, "quorate.verdict": found.kind, "quorate.finding": found.sentence}
        with spans.span(f"Verdict: {found.kind}", about, cause=self._hint):
            self._hint = None if found.kind == "healthy" else self._hint
            await self._judged(await self._asked_there(seen))

    async def _judged(self, seen: Seen) -> None:
        self._seen = seen
        tell(VERDICT_CHANGES, kind=seen.verdict.kind)
        answer = together(seen.answers)
        workflow.upsert_search_attributes(
            [
                attributes.VERDICT.value_set(seen.verdict.kind),
                attributes.CLUSTER.value_set(seen.cluster),
                attributes.URGENCY.value_set(answer.urgency if answer is not None else "nothing"),
            ]
        )
        await self._incidents.learn(seen)

    async def _asked_there(self, seen: Seen) -> Seen:
        """A worker that stands at a dark site is asked too, and not waited for: what it reaches is alive."""
        main = seen.verdict.main
        if main.kind != "site-lost" or main.where[0] not in seen.workers_at:
            return seen
        site = main.where[0]
        try:
            found = await ask(
                watch.reach,
                Awaited(site=site),
                task_queue=f"{workflow.info().task_queue}@{site}",
                summary=f"the worker at {site}",
                schedule_to_close_timeout=ASKED_THERE,
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except ActivityError:
            return seen
        if not found.nodes:
            return seen
        verdict = isolated(seen.verdict, found.nodes)
        answers = instead(seen.answers, main.key, found.answer, verdict.main.reasons)
        return seen.model_copy(update={"verdict": verdict, "answers": answers})

    async def _ask_rights(self) -> None:
        """Each day: whether the token may do all that an incident's runbooks ask for, and which certificates end.

        People are told once.
        """
        if self._rights_asked is not None:  # by an earlier run of this watch
            await asyncio.sleep(max(0.0, (self._rights_asked + RIGHTS_EVERY - workflow.now()).total_seconds()))
        while True:
            try:
                found = await ask(
                    proxmox.rights,
                    RightsWish(),
                    summary="whether the token may do all that runbooks ask for",
                    start_to_close_timeout=RIGHTS_WITHIN,
                    schedule_to_close_timeout=RIGHTS_WITHIN,
                    heartbeat_timeout=HEARTBEAT,
                    retry_policy=AGAIN,
                )
                said = found.finding if found.mark == "warned" else ""
                ends = ". ".join(found.certificates)
                apart = ("Quorum and storage may part", found.apart)
                for title, text in (("A right is missing", said), ("A certificate ends", ends), apart):
                    if text and text not in self._rights:
                        self._incidents.tell_people(workflow.info().workflow_id, title, text)
                self._rights = ". ".join(filter(None, (said, ends, found.apart)))
            except ActivityError as error:
                self._rights = "which rights the token has is not known: {}: {}".format(*reason(error))
            self._rights_asked = workflow.now()
            self._tell()
            await asyncio.sleep(RIGHTS_EVERY.total_seconds())

    # --- what it shows and hands over --------------------------------------------------------------------------

    @property
    def _cluster(self) -> str:
        return self._seen.cluster if self._seen else self._request.cluster or "?"

    def _take_over(self, request: WatchRequest) -> None:
        self._request, self._seen, self._memory = request, request.seen, request.memory
        self._incidents.take_over(request)
        self._silences.take_over(request.silences)
        # a signal may have been taken before the first line of this run
        self._hinted, self._anew = self._hinted or request.hinted, self._anew or request.anew
        self._hint = self._hint or spans.handed_on()
        self._urgent, self._nudged = request.urgent, request.nudged
        self._ids = [*request.ids, *self._ids][-KNOWN_IDS:]
        self._received += request.received
        self._latest = [*request.latest, *self._latest][-SHOWN_EVENTS:]
        self._rights, self._rights_asked = request.rights, request.rights_asked

    def _handed_over(self) -> WatchRequest:
        return WatchRequest(
            cluster=self._request.cluster,
            seen=self._seen,
            memory=self._memory,
            hinted=self._hinted,
            anew=self._anew or self._owed or self._incidents.owes,
            urgent=self._urgent,
            nudged=self._nudged,
            ids=tuple(self._ids),
            received=self._received,
            latest=tuple(self._latest),
            rights=self._rights,
            rights_asked=self._rights_asked,
            silences=self._silences.standing,
            **self._incidents.handed_over(),
        )

    def _tell(self) -> None:
        workflow.set_current_details(self.page())
