"""How a loss lasts: until guests and nodes are back, through as many runs as that takes.

Its procedure is in phases, and begins again at the one that is under way when the incident continues as new.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from cluster.conditions import Kind
    from cluster.contracts import ha, records
    from cluster.incidents import conditions
    from cluster.ledger_calls import PresentWish
    from cluster.plan import Mode
    from cluster.recovery import Asking
    from cluster.returning import ReturnFinding, ReturnWish
    from cluster.units import shortly
    from runbooks.carried import LossState, Phase
    from runbooks.hands import Hands
    from runbooks.losing import Losing
    from runbooks.loss import NodeLossRequest, SiteLossRequest
    from runbooks.quarantine import Quarantine
    from workflows.continuing import ended

# Lost nodes may stay away for as long as it takes to build them anew.
RETURNS_WITHIN = timedelta(days=90)
# A look that is asked to end does so with its next beat; what a dead worker had seen is not waited for.
TOLD_BY_LOOKS_WITHIN = timedelta(seconds=30)
# Events of a run whose words do not reach the ledger.
VERY_LONG = 10_000
# Of the procedure's end: its section stands on the page.
HANDING = "handing over"


class Lasting(Losing):
    """The loss of nodes from the moment that everything is watched."""

    site_wide: ClassVar[bool]  # it is about a site as a whole
    kinds: ClassVar[tuple[Kind, ...]]  # what confirms it

    def __init__(self) -> None:
        super().__init__()
        self._phase: Phase = "deciding"
        self._awaited: tuple[str, ...] = ()
        self._waiting = ""
        self._back: tuple[str, ...] = ()
        self._settling_since = 0
        self._told_when_back = 0  # how often the watch had told something when the nodes were back
        self._on_record: asyncio.Task[None] | None = None  # the ledger learns that another run goes on
        self._recorded_as = ""  # until then it knows this one

    # --- the whole of it ---------------------------------------------------------------------------------------

    async def follows(self, request: SiteLossRequest | NodeLossRequest) -> None:
        """Everything goes on at the same time, until it is over or a graver incident has taken over."""
        self.steps.remembers = "hands" not in self._done
        await self.stays(self._followed(request), lambda: self._next(request))

    async def _followed(self, request: SiteLossRequest | NodeLossRequest) -> None:
        if self._phase != "handing" or HANDING not in self._done:
            work = (self.hands(request.mode, request.opening, self.kinds), self.survivor(), self.returns())
            if not await self.unless_taken_over(*work):
                return
        await self.handed_over(request.mode)

    # --- until it is over ------------------------------------------------------------------------------------------

    async def guests_are_decided(self) -> None:
        """Everybody runs, is late, or will not come back by itself; or nodes are back already."""
        await workflow.wait_condition(lambda: not self._recovery.pending or self._recovery.late or self._any_back)

    async def returns(self) -> None:
        """As long as it takes, also for nodes that have followed; then what must be so before anything moves there."""
        if self._phase == "deciding":
            await self.guests_are_decided()
            self._phase = "returning"
        settled = False
        while not settled:
            if self._phase in ("returning", "some"):
                self._back = (await self.until_it_returns()).back
                self._phase = "quarantine"
            if self._phase == "quarantine":
                await self.quarantined()
                self._phase, self._settling_since = "settling", self._changes
            settled = await self.guests_settle() and set(self.loss.nodes) == {*self._back, *self._missing}
            self._phase = "handing" if settled else "returning"

    async def guests_settle(self) -> bool:
        """The incident goes on as long as HA may still bring anybody back; false when the nodes are lost once more."""
        since = self._settling_since
        await workflow.wait_condition(lambda: not self._recovery.pending or self._lost_again(since))
        return not self._lost_again(self._told_when_back)

    def _lost_again(self, since: int) -> bool:
        """What the watch has told since then says so."""
        told = self._newest if self._changes > since else None
        found = filter(self._ours, conditions(told.verdict)) if told else ()
        return any(one.kind != "node-lost" or not set(one.where) <= set(self._missing) for one in found)

    async def until_it_returns(self) -> ReturnFinding:
        """Stay with the incident. Some nodes that do not follow the others are a person's to judge."""
        found = await self._all_return() if self._phase == "returning" else None
        if found is None:
            self._phase = "some"
            some = ReturnWish(nodes=self._awaited, via=self.loss.survivors, some=True)
            found = await self.seen_by("Nodes that are back", ha.watch_return, some)
        self._missing, self._told_when_back = found.missing, self._changes
        self._note_time(rejoined=self.now)
        self.tell()
        return found

    async def _all_return(self) -> ReturnFinding | None:
        """None when a person does not wait for all of them."""
        if self._returning not in self.steps.left_open:
            self._awaited = self.loss.nodes
            who = self.loss.site if self.site_wide else shortly(self._awaited)
            self._returning, self._waiting = f"{who} is back", f"Waiting for {who} to return"
            self.section("Until they return")
        found = await self.step(
            self._returning,
            ha.watch_return,
            ReturnWish(nodes=self._awaited, via=self.loss.survivors),
            within=RETURNS_WITHIN,
            attempt=RETURNS_WITHIN,
            skip="the nodes that are back go through the quarantine, the others are listed",
            waiting=self._waiting,
        )
        self.steps.settles_anew(self._returning)
        return found

    async def quarantined(self) -> None:
        """What must be so before anything may move there: listed here, held by the failback."""
        loss = self.loss
        held_back = await Quarantine(self, loss.site, nodes=self._back).listed()
        if not held_back and not self._missing and loss.whole:
            await Hands(self, self._switches).release(loss)

    async def handed_over(self, mode: Mode) -> None:
        """Set back what moves no guest, as the ledger judges; the rest is the failback's, one link away."""
        self._phase = "handing"
        if HANDING not in self._done:
            self._fencing.ends()
            self.section("Hand over")
            self._done.append(HANDING)
        await workflow.wait_condition(lambda: self._is_on_record)
        await self._switches.set_back(mode)
        home = f"/namespaces/{workflow.info().namespace}/workflows/start-workflow?workflowType=Failback"
        self.state.links.append(("Bring the guests home", f"{home}&taskQueue={workflow.info().task_queue}"))

    async def _listed_further(self, further: tuple[str, ...], at: datetime) -> None:
        """Homes, fencing and guests of nodes that have followed."""
        loss = self.loss
        found = await self.seen_by("HA's list of services", ha.listed, Asking(via=loss.survivors))
        wider = loss.listed(found.view, early=False)
        # a guest that HA had brought to one of these belongs where it ran before the first loss
        wider = replace(wider, nodes=self.loss.nodes, guests={**wider.guests, **self.loss.guests})
        new = {sid: node for sid, node in wider.guests.items() if sid not in self.loss.guests}
        self.widened(wider, found.view, at)
        self._following.remove((further, at))
        if new and workflow.patched("homes-of-those-that-followed"):
            await self.homes_recorded(new)

    # --- a graver incident takes over ------------------------------------------------------------------------------

    async def unless_taken_over(self, *steps: Coroutine[Any, Any, None]) -> bool:
        """Do these together; false when a graver incident has taken over meanwhile, and goes on with it."""
        work = asyncio.ensure_future(self.together(*steps))
        try:
            await workflow.wait_condition(lambda: work.done() or bool(self._handed_to))
        except asyncio.CancelledError:
            await ended(work)
            raise
        await ended(work)
        if not self._handed_to:
            work.result()
            return True
        graver = workflow.get_external_workflow_handle(self._handed_to)
        with contextlib.suppress(FailureError):  # it has ended already
            await graver.signal("inherit", self.legacy())
        self.tell_people("changed", f"{self._plain_headline}: taken over", f"{self._handed_to} goes on with it.")
        return False

    # --- it goes on in a new run -------------------------------------------------------------------------------

    @property
    def may_continue(self) -> bool:
        """Not while it hands over to a graver incident, nor in the minutes of a quarantine's list unless it parks."""
        at_rest = self._phase != "quarantine" or bool(self.state.parked)
        # nor before the ledger knows this run; one that is away for that long knows the earlier one
        known = self._is_on_record or workflow.info().get_current_history_length() > VERY_LONG
        return super().may_continue and not self._handed_to and at_rest and known

    @property
    def begins_anew(self) -> tuple[str, ...]:
        """The look for nodes that come back; all other steps end within minutes, or park."""
        return (self._returning,)

    @property
    def _is_on_record(self) -> bool:
        return self._on_record is None or self._on_record.done()

    async def eyes_closed(self) -> None:
        """What the looks at HA's fencing have seen is theirs until they end."""
        self._fencing.rests()
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self._fencing.resting, timeout=TOLD_BY_LOOKS_WITHIN)

    def eyes_opened(self) -> None:
        """Watch on."""
        self._fencing.goes_on(self.loss)

    def _next(self, request: SiteLossRequest | NodeLossRequest) -> SiteLossRequest | NodeLossRequest:
        state = LossState(**self._carried()).model_dump(mode="json", by_alias=True)
        return request.model_copy(update={"carried": state})

    def _carried(self) -> dict[str, Any]:
        return super()._carried() | {
            "run_id": workflow.info().run_id if self._is_on_record else self._recorded_as,
            "loss": self.loss,
            "times": self._times,
            "forecast": self._forecast,
            "recovery": self._recovery.carries(),
            "fencing": self._fencing.carries(),
            "switches": self._switches.carries(),
            "stand": self._meanwhile.stand,
            "plain_headline": self._plain_headline,
            "phase": self._phase,
            "returning": self._returning,
            "waiting": self._waiting,
            "awaited": self._awaited,
            "back": self._back,
            "missing": self._missing,
            "any_back": self._any_back,
            "were_back": sorted(self._were_back),
            "told_when_back": self._told_when_back,
            "settling_since": self._settling_since,
            "unlisted": self._unlisted,
            "following": self._following,
        }

    async def goes_on(self, request: SiteLossRequest | NodeLossRequest) -> None:
        """All that the earlier run knew, and its eyes."""
        known = LossState.model_validate(request.carried)
        came_before = self._newest  # the watch's word may have been taken before the first line of this run
        self._loss, self._times, self._forecast = known.loss, known.times, known.forecast
        self._plain_headline, self._phase = known.plain_headline, known.phase
        self._returning, self._waiting, self._awaited = known.returning, known.waiting, known.awaited
        self._back, self._missing, self._any_back = known.back, known.missing, known.any_back
        self._were_back, self._told_when_back = set(known.were_back), known.told_when_back
        self._settling_since, self._unlisted = known.settling_since, known.unlisted
        self._following, self._meanwhile.stand = list(known.following), dict(known.stand)
        self._switches.resumes(known.switches)
        self.resumes(known)
        if known.entered:
            self._recorded_as = known.run_id
            self._on_record = asyncio.create_task(self._recorded_again(request.mode, known))
        if self._forecast is not None:
            self._recovery.resumes(known.recovery, self._loss, self._forecast)
        self._fencing.resumes(known.fencing, self._loss)
        if not self._any_back:
            self.looks_on(self._first_return())
        if self._unlisted:
            self.looks_on(self._listed_late())
        for further, at in tuple(self._following):
            self.looks_on(self._listed_further(further, at))
        if self._inheritance is not None:
            self.inherited(self._inheritance)
        if came_before is not None:
            await self.heed(came_before)
        self.tell()

    async def _recorded_again(self, mode: Mode, known: LossState) -> None:
        """The ledger counts what the earlier run has said as said by this one."""
        wish = PresentWish(cluster=self.loss.inventory.name, site=self.loss.site, mode=mode, was=known.run_id)
        await self.seen_by("This incident is in the ledger", records.present, wish)
