"""What the loss of a site and the loss of a node have in common: the parts of both procedures.

Proxmox HA fences and restarts without help, and Purity has elected; nothing here races them. What moves guests by
itself is disabled, and else everything is read. The looking goes on beside the procedure, from the first second until
the incident closes: no step that waits for a person, and no switch that cannot be disabled, holds it up.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.conditions import Condition, Kind, lost_site
    from cluster.contracts import ha, records, watch
    from cluster.contracts.reference import Activity
    from cluster.contracts.watch import SiteName
    from cluster.forecast import WORKERS, Forecast, forecast, rejoined
    from cluster.incidents import conditions, taken_over_by
    from cluster.ledger_calls import HomesWish
    from cluster.plan import Mode
    from cluster.recovery import Asking, HaFinding, HaView
    from cluster.returning import ReturnWish
    from cluster.units import counted
    from cluster.watching import Change, Opening
    from runbooks.fencing import Fencing
    from runbooks.hands import Hands
    from runbooks.loss import Inheritance, Loss, LossReport, Progress, Timeline
    from runbooks.meanwhile import Meanwhile
    from runbooks.recovering import Recovery
    from runbooks.switches import Switches
    from workflows.incident import Incident
    from workflows.messages import Answer

LISTED_WITHIN = timedelta(seconds=30)
Report = TypeVar("Report", bound=LossReport)


class Losing(Incident):
    """The parts of the procedure, in the order in which they come."""

    def __init__(self) -> None:
        super().__init__()
        self._loss: Loss | None = None
        self._times: Timeline | None = None
        self._forecast: Forecast | None = None
        self._switches = Switches(self)
        self._fencing = Fencing(self)
        self._recovery = Recovery(self)
        self._plain_headline = ""
        self._meanwhile = Meanwhile(self, self._ours)
        self._missing: tuple[str, ...] = ()
        self._returning = ""  # the step that waits for the nodes
        self._any_back = False
        self._were_back: set[str] = set()  # lost nodes that the watch has called well since
        self._unlisted = False  # nobody has told HA's list yet
        self._following: list[tuple[tuple[str, ...], datetime]] = []  # nodes whose guests are not known yet
        self._handed_to = ""
        self._inheritance: Inheritance | None = None

    @workflow.query(description="Measured times beside the forecast, and what is waited for")
    def progress(self) -> Progress:
        """What `quorate incident watch` draws."""
        return Progress(
            speed=self._speed,
            timeline=self._measured(),
            forecast=self._forecast,
            guests=self._recovery.lost,
            back=self._recovery.back,
            waiting=self._recovery.waiting,
            unfenced=self._fencing.others,
            outages=self._recovery.outages.known,
        )

    @property
    def idle(self) -> str:
        """It stays until the nodes are back and nobody is waited for."""
        return "waiting for guests and nodes"

    async def landing(self) -> str:
        """Nothing is set back in a hurry: what is disabled makes nothing worse."""
        if not self._switches.off:
            return "Nothing was disabled."
        return f"Disabled by this incident, to be enabled again: {', '.join(map(str, self._switches.off))}."

    @property
    def closing(self) -> str:
        """What is said when it is over."""
        if self._handed_to:
            return f"Handed over to {self._handed_to}."
        out = self._switches.outstanding
        said = f"{self._recovery.closing}; {counted(len(out), 'switch', 'switches')} outstanding."
        return said + (f" Not back: {', '.join(self._missing)}." if self._missing else "")

    # --- the clock ---------------------------------------------------------------------------------------------

    def start_clock(self, opening: Opening | None, loss: Loss, speed: float) -> None:
        """T0 is the last time a lost node was heard; where that is not known, it is the start of this run."""
        began, known = self.record.began, loss.memory.t0(loss.nodes)
        t0 = known or began
        first_sign = opening.odd_since if opening else began
        self._loss = loss
        self.starts_at(t0, first_sign, speed)
        if known is None:
            self.note_once("T0 is not known: times count from the start of this run")
        self._times = Timeline(
            t0=t0,
            uncertain=round(self._uncertain.total_seconds() * speed, 1),
            assumed=known is None,
            noticed=self.since(first_sign) if opening else None,
            declared=self.since(opening.at) if opening else None,
            # the verdict stands on settled, quorate votes of the survivors
            quorum=self.since(opening.at) if opening else None,
        )

    def _note_time(self, **more: object) -> None:
        if self._times is not None:
            self._times = self._times.model_copy(update=more)

    def _measured(self) -> Timeline | None:
        """With fencing and guests as they stand now."""
        if self._times is None:
            return None
        fenced = {node: self.since(when) for node, when in self._fencing.fenced.items()}
        running = {sid: self.since(when) for sid, when in self._recovery.running.items() if sid in self._recovery.lost}
        return self._times.model_copy(update={"fenced": fenced, "running": running})

    # --- from the first doubt to everything being watched ------------------------------------------------------

    async def opens(self, headline: str, loss: Loss, opening: Opening | None) -> None:
        """Claim the place, name what is so, and begin to watch fencing and guests."""
        self._plain_headline = headline
        where = (loss.site,) if loss.whole else loss.nodes
        await self.begin(headline, loss.inventory.name, loss.inventory.hooks, place=loss.site, where=where)
        if opening is not None:
            self._memory = opening.memory
            self.judged(opening.verdict)
            for condition in filter(self._ours, conditions(opening.verdict)):
                self._explained(condition)
        self.section("Fencing and recovery", folds=False)
        view, workers = await self._services(loss)
        if view is not None:
            loss = loss.listed(view, early=loss.is_early(workflow.now(), self.speed))
        self._loss = loss
        expected = self._expected(loss, workers)
        others = loss.others(view) if view else {}
        self.tell_people("opened", headline.partition(" (")[0], expected.finding)
        self._recovery.begins(loss, others, expected, self.record.began)
        self._fencing.begins(loss, expected)
        self.looks_on(self._first_return())
        if view is None:
            self._unlisted = True
            self.looks_on(self._listed_late())
        self._note_unmanaged(loss)
        self._note_doubts(loss)
        if self._inheritance is not None:
            self.inherited(self._inheritance)
        if opening is not None:
            self.state.headline = self._meanwhile.learn(Change(verdict=opening.verdict, at=opening.at), headline)
        self.tell()

    async def _services(self, loss: Loss) -> tuple[HaView | None, int]:
        """HA's own list of who runs where; None where nobody tells it, and nothing is concluded of that.

        Nobody is asked whether to go on without it: fencing and guests are watched at once, and the list is read later.
        """
        title = "HA's list of services is read"
        await self.steps.call_hooks("before", title)
        found = await self.steps.do(
            title,
            ha.listed,
            Asking(via=loss.survivors),
            within=LISTED_WITHIN,
            failing="warn",
            waiting="Waiting for HA's list of services",
        )
        if not isinstance(found, HaFinding):
            self.note_once("HA's list of services could not be read at first: homes are what the watch remembers")
            return None, WORKERS
        await self.steps.call_hooks("after", title, found.finding)
        return found.view, found.workers

    async def _listed_late(self) -> None:
        """What could not be read when the incident began."""
        wish = Asking(via=self.loss.survivors)
        found = await self.seen_by("HA's list of services", ha.listed, wish)
        before, self._unlisted = self.loss.guests, False
        self.widened(self.loss.listed(found.view, early=False), found.view)
        if new := {sid: node for sid, node in self.loss.guests.items() if sid not in before}:
            await self.homes_recorded(new)

    async def homes_recorded(self, homes: dict[str, str]) -> None:
        """Of guests that were learned of after the first ones had been put on record."""
        wish = HomesWish(cluster=self.loss.inventory.name, homes=homes)
        await self.seen_by("Homes are recorded in the ledger", records.record_homes, wish)

    def must_know(self, known: bool, said: str) -> None:
        """ApplicationError for a request that names what is not there: nothing has begun."""
        if not known:
            raise ApplicationError(said, type="WrongInput", non_retryable=True)

    def _expected(self, loss: Loss, workers: int) -> Forecast:
        """The forecast, and a line for it on the page."""
        found = forecast(
            master=loss.memory.master,
            lost=frozenset(loss.nodes),
            guests=len(loss.guests),
            survivors=len(loss.survivors),
            totem=loss.memory.totem,
            workers=workers,
        )
        self._forecast = found
        self.record.line("Forecast").end("done", found.finding, self.record.elapsed)
        return found

    def _note_unmanaged(self, loss: Loss) -> None:
        """Guests of the lost nodes that HA does not know: never touched."""
        if loss.unmanaged is None:
            self.note_once("which guests outside HA ran there is not known: some may be alive, or lost")
        elif loss.unmanaged:
            said = ", ".join(f"{vmid} on {node}" for vmid, node in sorted(loss.unmanaged.items()))
            self.note_once(f"not under HA, lost or possibly alive, not touched: {said}")

    def _note_doubts(self, loss: Loss) -> None:
        """Guests that HA has moved while nobody looked: where they were seen last is perhaps their home."""
        if loss.perhaps:
            said = ", ".join(
                f"{sid} on {one.node} at {one.as_of:%Y-%m-%d %H:%M} UTC" for sid, one in loss.perhaps.items()
            )
            self.note_once(
                f"HA has moved guests of {loss.site} before the watch looked; last seen: {said}; "
                "that counts as their home until they are there again, or until a person forgets it "
                "(`quorate switches --forget-home`)"
            )

    def _explained(self, condition: Condition) -> None:
        """What the array does and whether hosts are alive: the second dimension of the same loss."""
        for reason in condition.reasons[1:4]:
            self.record.line("Evidence").end("told", reason, self.record.elapsed)
        if condition.kind in ("site-isolated", "sites-parted"):
            said = (
                "hosts are alive without quorum: HA resets those with services within about 70 s, the others go on; "
                "guests that HA does not know are possibly alive there"
            )
            self.record.line("Automatic").end("told", said, self.record.elapsed)

    # --- its own hands, beside the looking ---------------------------------------------------------------------

    async def hands(self, mode: Mode, opening: Opening | None, kinds: tuple[Kind, ...]) -> None:
        """Confirm, then disable what moves guests by itself. HA does not wait for it, and neither does the looking."""
        await self.part("hands", lambda: Hands(self, self._switches).work(mode, self.loss, opening, kinds))
        self.steps.settled_all()

    async def survivor(self) -> None:
        """Quorum and its margin, the pod, the paths of the site that is left."""
        here = SiteName(site=self.loss.survivor)
        skip = "the incident goes on; HA cannot restart guests without it"
        await self.part("votes", lambda: self._votes(here, skip))
        pod = f"Pod is served at {here.site}", watch.survivor_pod, f"Waiting for {here.site} to serve the pod"
        paths = f"Nodes of {here.site} have paths", watch.survivor_paths, f"Waiting for the paths of {here.site}"
        for title, activity, waiting in (pod, paths):
            await self.part(title, partial(self._look_at, title, activity, here, skip, waiting))

    async def _votes(self, here: SiteName, skip: str) -> None:
        title, waiting = f"{here.site} is quorate", f"Waiting for the votes of {here.site}"
        votes = await self.step(title, watch.survivor_votes, here, skip=skip, waiting=waiting)
        if votes is not None:
            if self._times is not None and self._times.quorum is None:
                self._note_time(quorum=self.now)
            self.tell_people("quorum", f"{here.site} is quorate", votes.finding)

    async def _look_at(
        self, title: str, activity: Activity[SiteName, Any], here: SiteName, skip: str, waiting: str
    ) -> None:
        await self.step(title, activity, here, skip=skip, waiting=waiting)

    async def _first_return(self) -> None:
        """A node that comes back before the locks are free makes them count anew: the forecast is another one."""
        wish = ReturnWish(nodes=self.loss.nodes, via=self.loss.survivors, some=True)
        await self.seen_by("A node is back", ha.watch_return, wish)
        self._any_back = True
        if self._forecast is not None and self._recovery.pending:
            self._forecast = rejoined(self._forecast, self.now)
            self._recovery.expects(self._forecast)
            self.record.line("Forecast").end("done", self._forecast.finding, self.record.elapsed)
            self.tell()

    # --- its report -----------------------------------------------------------------------------------------------

    def told(self, kind: type[Report], mode: Mode, loss: Loss) -> Report:
        """The result of the run."""
        return self.report(
            kind,
            mode=mode,
            planned=(),
            site=loss.site,
            nodes=loss.nodes,
            timeline=self._measured(),
            forecast=self._forecast,
            back=self._recovery.back,
            not_back=self._recovery.waiting,
            homes=loss.guests,
            unmanaged=loss.unmanaged or {},
            frozen=self._switches.off,
            outstanding=self._switches.outstanding,
            outages=self._recovery.outages.known,
            unfenced=self._fencing.others,
            missing=self._missing,
            handed_to=self._handed_to,
        )

    # --- what else happens meanwhile ---------------------------------------------------------------------------

    async def heed(self, change: Change) -> None:
        """A verdict that stands: a graver one leads, and goes back when it is over."""
        if self._loss is None:
            return
        self._handed_to = self._handed_to or taken_over_by(workflow.info().workflow_type, self._loss.site, change.open)
        found = conditions(change.verdict)
        self.state.headline = self._meanwhile.learn(change, self._plain_headline)
        self._fence_anew(change)
        if change.verdict.kind not in ("quorum-lost", "undetermined") and not any(map(self._ours, found)):
            for parked in self.state.parked:
                if parked.question.step == self._returning and parked.answer is None:
                    parked.answer = Answer(answer="retry", by="the watch", why="all nodes are members again")

    def _fence_anew(self, change: Change) -> None:
        """A node that was back and is lost once more has not been fenced yet, whatever was seen the first time."""
        if change.verdict.kind in ("quorum-lost", "undetermined"):
            return
        ours = [one for one in conditions(change.verdict) if self._ours(one)]
        whole = any(one.kind != "node-lost" for one in ours)
        lost = {node for node in self.loss.nodes if whole or any(node in one.where for one in ours)}
        again, self._were_back = self._were_back & lost, (self._were_back | set(self.loss.nodes)) - lost
        if again and self._forecast is not None and workflow.patched("fenced-anew"):
            self._fencing.anew(again, self.loss, self._forecast)

    def _ours(self, condition: Condition) -> bool:
        """What this incident is about: its site, or nodes of it."""
        if lost_site(condition):
            return lost_site(condition) == self.loss.site
        here = {node.name for node in self.loss.inventory.site(self.loss.site).nodes}
        return condition.kind == "node-lost" and bool(set(condition.where) & here)

    # --- who is lost ---------------------------------------------------------------------------------------------

    @property
    def loss(self) -> Loss:
        """Who is lost, by now."""
        if self._loss is None:
            raise AssertionError("it is known as soon as the clock runs")
        return self._loss

    def widened(self, loss: Loss, view: HaView, since: datetime | None = None) -> None:
        """More nodes, or more guests, than before, down `since` then: they are watched like the first ones."""
        self._loss = loss
        if self._forecast is not None:
            self._recovery.begins(loss, loss.others(view), self._forecast, since or self.record.began)
            self._fencing.begins(loss, self._forecast)
        self.tell()

    def legacy(self) -> Inheritance:
        """What the graver incident goes on with. A node that has come back meanwhile is not fenced any more."""
        return Inheritance(
            run=workflow.info().workflow_id,
            homes=self._recovery.lost,
            fenced={} if self._any_back else self._fencing.fenced,
            proofs=self._fencing.proofs,
            frozen=self._switches.off,
            standing=self._recovery.standing,
            outages=self._recovery.outages.known,
        )

    def inherited(self, legacy: Inheritance) -> None:
        """Homes from before the first loss, fencing that was seen then, switches that are off already."""
        self._switches.off = tuple(dict.fromkeys((*legacy.frozen, *self._switches.off)))
        if self._loss is None or self._forecast is None:
            self._inheritance = legacy
            return
        self._loss = replace(self._loss, guests={**self._loss.guests, **legacy.homes})
        self._recovery.takes_over(self._loss, legacy.standing, legacy.outages)
        self._recovery.begins(self._loss, {}, self._forecast, self.record.began)
        self._fencing.inherits(legacy)
        self.tell()
