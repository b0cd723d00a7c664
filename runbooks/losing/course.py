"""The course of a loss, from the first doubt until nodes and guests are back: the verbs of `SiteLoss` and `NodeLoss`.

Proxmox HA fences and restarts without help, and Purity has elected; nothing here races them. What moves guests by
itself is disabled, and else everything is read. The looking goes on beside the procedure, from the first second until
the incident closes: no step that waits for a person, and no switch that cannot be disabled, holds it up.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import Answer
    from cluster.conditions import Kind
    from cluster.contracts import records
    from cluster.contracts.records import ClusterName
    from cluster.incidents import conditions
    from cluster.inventory import Inventory
    from cluster.plan import Mode
    from cluster.units import still_disabled
    from cluster.watching import Change, Opening
    from runbooks.losing.carried import LossState
    from runbooks.losing.evidence import note_doubts, note_unmanaged, tell_causes
    from runbooks.losing.fencing import Fencing
    from runbooks.losing.guests import Guests
    from runbooks.losing.hands import Hands
    from runbooks.losing.listing import Listing
    from runbooks.losing.lost import Lost, named_lost
    from runbooks.losing.meanwhile import Meanwhile
    from runbooks.losing.recovery import Recovery
    from runbooks.losing.returning import Returning
    from runbooks.losing.survivor import Survivor
    from runbooks.losing.takeover import Takeover
    from runbooks.losing.telling import Telling
    from runbooks.losing.timing import Timing
    from runbooks.loss import Inheritance, Loss, LossReport, NodeLossRequest, Progress, SiteLossRequest, Timeline
    from runbooks.switches import Switches
    from workflows.incident import Incident

# A look that is asked to end does so with its next beat; what a dead worker had seen is not waited for.
TOLD_BY_LOOKS_WITHIN = timedelta(seconds=30)
# Events of a run whose words do not reach the ledger.
VERY_LONG = 10_000
# Of the procedure's end: its section stands on the page.
HANDING = "handing over"
Report = TypeVar("Report", bound=LossReport)


def must_know(known: bool, said: str) -> None:
    """ApplicationError for a request that names what is not there: nothing has begun."""
    if not known:
        raise ApplicationError(said, type="WrongInput", non_retryable=True)


class Losing:
    """The loss of nodes as part of a run. `kinds` confirm it; `site_wide`: it is about a site as a whole."""

    def __init__(self, run: Incident, *, kinds: tuple[Kind, ...], site_wide: bool) -> None:
        self._run, self._kinds, self._site_wide = run, kinds, site_wide
        lost = self._lost = Lost()
        timing = self._timing = Timing(run)
        switches = self._switches = Switches(run)
        fencing = self._fencing = Fencing(run, lambda: timing.forecast)
        guests = self._guests = Guests(run.clock)
        recovery = self._recovery = Recovery(run, guests)
        self._meanwhile = Meanwhile(run, lost.ours)
        self._hands = Hands(run, switches)
        self._survivor = Survivor(run, lost, timing)
        self._listing = Listing(run, lost, timing, fencing, recovery)
        self._returning = Returning(run, lost, timing, guests, self._hands, site_wide=site_wide)
        self._telling = Telling(run, lost, guests)
        self._takeover = Takeover(run, lost, timing, fencing, recovery, guests, switches)

    # --- the procedure -----------------------------------------------------------------------------------------

    async def begin(self, request: SiteLossRequest | NodeLossRequest, lost: Callable[[Inventory], Loss]) -> None:
        """Open the incident, or go on where its earlier run was. `lost`: who is lost, by what was asked for."""
        if request.carried:
            self._resume(request)
            return
        which = ClusterName(cluster=request.cluster)
        known = await self._run.step("Inventory is read", records.inventory, which, parks=False)
        loss = lost(known.inventory)
        what = f"Site {loss.site} is lost" if self._site_wide else named_lost(loss)
        await self._open(f"{what} ({request.mode})", loss, request.opening, known.speed)

    async def _open(self, headline: str, loss: Loss, opening: Opening | None, speed: float) -> None:
        """Start the clock, claim the place, name what is so, and begin to watch fencing and guests."""
        run, lost = self._run, self._lost
        lost.so_far, lost.headline = loss, headline
        self._timing.starts(opening, loss, speed)
        where = (loss.site,) if loss.whole else loss.nodes
        await run.begin(headline, loss.inventory.name, loss.inventory.hooks, place=loss.site, where=where)
        if opening is not None:
            run.watched.memory, run.watched.answers = opening.memory, opening.answers
            run.watched.judged(opening.verdict)
            for condition in filter(lost.ours, conditions(opening.verdict)):
                tell_causes(run, condition)
        run.section("Fencing and recovery", folds=False)
        view, workers = await self._listing.read(loss)
        if lost.loss != loss and workflow.patched("followed-while-opening"):
            loss = lost.loss  # nodes have followed meanwhile
        if view is not None:
            loss = loss.listed(view, early=loss.is_early(workflow.now(), run.clock.speed))
        lost.so_far = loss
        expected = self._timing.expects(loss, workers)
        run.notices.tell("opened", headline.partition(" (")[0], expected.finding)
        self._recovery.begins(loss, loss.others(view) if view else {}, expected, run.record.began)
        self._fencing.begins(loss, expected)
        self._returning.looks_for_first()
        if view is None:
            self._listing.reads_later()
        note_unmanaged(run, loss)
        note_doubts(run, loss)
        self._takeover.inherits_early_word()
        if opening is not None:
            run.state.headline = self._meanwhile.learn(
                Change(verdict=opening.verdict, at=opening.at, answers=opening.answers), headline
            )
        run.tell()

    async def follow(self, request: SiteLossRequest | NodeLossRequest) -> None:
        """Everything goes on at the same time, until it is over or a graver incident has taken over."""
        self._run.steps.remembers = "hands" not in self._run.continuing.done
        await self._run.continuing.stays(self._followed(request.mode, request.opening), request)

    async def _followed(self, mode: Mode, opening: Opening | None) -> None:
        if not self._is_handing:
            work = self._work_of_hands(mode, opening), self._survivor.proven(), self._returning.settled()
            if not await self._takeover.unless_taken_over(*work):
                return
        await self._handed_over(mode)

    async def _work_of_hands(self, mode: Mode, opening: Opening | None) -> None:
        """Confirm, then disable what moves guests by itself. HA does not wait for it, and neither does the looking."""
        work = self._hands.work
        await self._run.continuing.part("hands", lambda: work(mode, self._lost.loss, opening, self._kinds))
        self._run.steps.settled_all()

    @property
    def _is_handing(self) -> bool:
        return self._returning.phase == "handing" and HANDING in self._run.continuing.done

    async def _handed_over(self, mode: Mode) -> None:
        """Set back what moves no guest, as the ledger judges; the rest is the failback's, one link away."""
        run = self._run
        self._returning.phase = "handing"
        if HANDING not in run.continuing.done:
            self._fencing.ends()
            run.section("Hand over")
            run.continuing.done.append(HANDING)
        await workflow.wait_condition(lambda: self._hands.on_record)
        await self._switches.set_back(mode)
        home = f"/namespaces/{workflow.info().namespace}/workflows/start-workflow?workflowType=Failback"
        run.state.links.append(("Bring the guests home", f"{home}&taskQueue={workflow.info().task_queue}"))

    # --- what else happens meanwhile ---------------------------------------------------------------------------

    def heed(self, change: Change) -> None:
        """A verdict that stands: a graver one leads, and goes back when it is over; nodes follow, return, are lost."""
        lost, expected = self._lost, self._timing.forecast
        if lost.so_far is None:
            return
        self._takeover.heed(change)
        self._run.state.headline = self._meanwhile.learn(change, lost.headline)
        if (again := lost.once_more(change)) and expected is not None and workflow.patched("fenced-anew"):
            # not fenced yet, whatever was seen the first time
            self._fencing.anew(again, lost.loss, expected)
        if lost.all_well(change):
            self._returning.all_are_members()
        if not lost.handed_to:
            self._listing.heed(change)

    def inherit(self, legacy: Inheritance) -> None:
        """Said by a lesser incident that this one has taken over."""
        self._takeover.inherit(legacy)

    # --- what is said of it ------------------------------------------------------------------------------------

    @property
    def idle(self) -> str:
        """It stays until the nodes are back and nobody is waited for."""
        return "waiting for guests and nodes"

    @property
    def answers(self) -> tuple[Answer, ...]:
        """How HA gets on, and until when to wait."""
        return self._telling.answers

    @property
    def handed_to(self) -> str:
        """The incident that goes on with it."""
        return self._lost.handed_to

    @property
    def closing(self) -> str:
        """What is said when it is over."""
        if self._lost.handed_to:
            return f"Handed over to {self._lost.handed_to}."
        out, missing = self._switches.outstanding, self._lost.missing
        said = f"{self._guests.closing}; {still_disabled(out)}."
        return said + (f" Not back: {', '.join(missing)}." if missing else "")

    async def landing(self) -> str:
        """Nothing is set back in a hurry: what is disabled makes nothing worse."""
        if not self._switches.off:
            return "Nothing was disabled."
        return f"Disabled by this incident, to be enabled again: {', '.join(map(str, self._switches.off))}."

    def _measured(self) -> Timeline | None:
        """With fencing and guests as they stand now."""
        lost, running = self._guests.lost, self._guests.running
        return self._timing.measured(self._fencing.fenced, {sid: at for sid, at in running.items() if sid in lost})

    def progress(self) -> Progress:
        """What `quorate incident watch` draws."""
        return Progress(
            speed=self._run.clock.speed,
            timeline=self._measured(),
            forecast=self._timing.forecast,
            guests=self._guests.lost,
            back=self._guests.back,
            waiting=self._guests.waiting,
            unfenced=self._fencing.others,
            outages=self._guests.outages.known,
        )

    def report(self, kind: type[Report], mode: Mode) -> Report:
        """The result of the run."""
        loss = self._lost.loss
        return self._run.report(
            kind,
            mode=mode,
            planned=(),
            site=loss.site,
            nodes=loss.nodes,
            timeline=self._measured(),
            forecast=self._timing.forecast,
            back=self._guests.back,
            not_back=self._guests.waiting,
            homes=loss.guests,
            unmanaged=loss.unmanaged or {},
            frozen=self._switches.off,
            outstanding=self._switches.outstanding,
            outages=self._guests.outages.known,
            unfenced=self._fencing.others,
            missing=self._lost.missing,
            handed_to=self._lost.handed_to,
        )

    # --- it goes on in a new run -------------------------------------------------------------------------------

    @property
    def begins_anew(self) -> tuple[str, ...]:
        """The look for nodes that come back; all other steps end within minutes, or park."""
        return (self._returning.title,)

    @property
    def at_rest(self) -> bool:
        """Not while it hands over to a graver incident, nor before the ledger knows this run."""
        # one that is away for so long knows the earlier run
        known = self._hands.on_record or workflow.info().get_current_history_length() > VERY_LONG
        return not self._lost.handed_to and self._returning.at_rest and known

    async def rests(self) -> None:
        """What the looks at HA's fencing have seen is theirs until they end."""
        self._fencing.rests()
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self._fencing.resting, timeout=TOLD_BY_LOOKS_WITHIN)

    def looks_on(self) -> None:
        """Watch on."""
        self._fencing.goes_on(self._lost.loss)

    def carries(self) -> LossState:
        """All that the next run has to know."""
        own = {
            "run_id": self._hands.known_as,
            "recovery": self._recovery.carries(),
            "fencing": self._fencing.carries(),
            "switches": self._switches.carries(),
            "stand": self._meanwhile.stand,
        }
        parts = (self._lost, self._timing, self._returning, self._listing)
        more = {name: value for part in parts for name, value in part.carries().items()}
        return LossState(**(self._run.carried() | own | more))

    def _resume(self, request: SiteLossRequest | NodeLossRequest) -> None:
        """Know all that the earlier run knew, and look on."""
        run, known = self._run, LossState.model_validate(request.carried)
        came_before = run.watched.newest  # the watch's word may have been taken before the first line of this run
        self._lost.resumes(known)
        self._timing.resumes(known)
        self._returning.resumes(known)
        self._meanwhile.stand = dict(known.stand)
        self._switches.resumes(known.switches)
        run.resumes(known)
        self._hands.resumes(request.mode, known)
        if known.forecast is not None:
            self._recovery.resumes(known.recovery, known.loss, known.forecast)
        self._fencing.resumes(known.fencing, known.loss)
        if not known.any_back:
            self._returning.looks_for_first()
        self._listing.resumes(known)
        self._takeover.inherits_early_word()
        if came_before is not None:
            self.heed(came_before)
        run.tell()
