"""A site is lost: prove it, make nothing worse, watch HA fence and restart, say when the guests are back.

Proxmox HA fences and restarts without help, and Purity has elected; this runbook races neither. It switches off what
moves guests by itself, and else it reads. When the site returns it is looked at and nothing moves there: bringing the
guests home is the failback's, when people and proof agree.
"""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.facts import Watching
    from activities.ha import Ha
    from activities.inventory import ClusterName, InventoryReader
    from activities.placement import Placements
    from activities.survivor import SiteName, Survivor
    from cluster.causes import CausesWish
    from cluster.facts import Memory
    from cluster.forecast import Forecast, forecast
    from cluster.plan import Mode
    from cluster.recovery import Back, FencingWish, RecoveryWish
    from cluster.units import counted
    from cluster.watching import SITE_GONE, Awaited, Suspected
    from runbooks.loss import Loss, Progress, SiteLossReport, SiteLossRequest, Timeline
    from runbooks.quarantine import Quarantine
    from runbooks.switches import Switches
    from workflows.catalogue import About
    from workflows.incident import Incident

# A lost site may stay away for as long as it takes to build it anew.
RETURNS_WITHIN = timedelta(days=90)
# Beyond the forecast: then the list of what is not back, and why, is final for this run.
GIVEN_UP_AFTER = timedelta(minutes=20)
CONFIRMED_WITHIN = timedelta(minutes=2)


@workflow.defn(name="SiteLoss")
class SiteLoss(Incident):
    """Confirm, freeze, watch fencing and recovery, stay until the site is back, hand over."""

    about = About(
        name="site-loss",
        what="Confirms the loss of a site, freezes what moves guests by itself, watches fencing and every restart "
        "against a forecast, stays until the site is back and lists its quarantine",
        when="when a site is dark and nobody watches the cluster; a watch starts it by itself",
        asks="nothing while facts and design agree; whether to go on when the loss is not confirmed",
        landing="What was frozen stays frozen and is listed; HA goes on by itself",
        example={"site": "site-a", "mode": "apply"},
        request=SiteLossRequest,
    )

    def __init__(self) -> None:
        super().__init__()
        self._times: Timeline | None = None
        self._switches = Switches(self)
        self._back: dict[str, Back] = {}
        self._waiting: dict[str, str] = {}
        self._causes: dict[str, str] = {}
        self._forecast: Forecast | None = None
        self._guests: dict[str, str] = {}

    @workflow.run
    async def run(self, request: SiteLossRequest | None = None) -> SiteLossReport:
        """From the first doubt to the open door of the failback."""
        request = request or SiteLossRequest()  # refused with an example
        lost = request.site or (request.opening.verdict.main.where[0] if request.opening else "")
        async with self.conclusion():
            known = await self.step(
                "Inventory is read", InventoryReader.read, ClusterName(cluster=request.cluster), parks=False
            )
            inventory = known.inventory
            loss = Loss(inventory, lost, request.opening.memory if request.opening else Memory())
            self._start_clock(request, loss)
            await self.begin(f"Site {lost} is lost ({request.mode})", inventory.name, inventory.hooks)
            if request.opening is not None:
                self.judged(request.opening.verdict)
            loss = await self.confirmed(loss)
            expected = self.expected(loss)
            self.tell_people("opened", f"Site {lost} is lost", expected.finding)
            await self.nothing_worse(request.mode, loss)
            await self.together(self.survivor(loss), *self.fencing(loss), self.recovery(loss, expected))
            self.note_unmanaged(loss)
            await self.until_it_returns(loss)
            await Quarantine(self, lost).listed()
            await self.handed_over(request.mode, loss)
        return self.report(
            SiteLossReport,
            mode=request.mode,
            planned=(),
            site=lost,
            timeline=self._times,
            forecast=expected,
            back=tuple(self._back.values()),
            not_back=self._waiting,
            homes=loss.guests,
            unmanaged=loss.unmanaged,
            frozen=self._switches.off,
            outstanding=self._switches.outstanding,
        )

    @workflow.query(description="Measured times beside the forecast, and what is waited for")
    def progress(self) -> Progress:
        """What `quorate incident watch` draws."""
        return Progress(
            speed=self._speed,
            timeline=self._times,
            forecast=self._forecast,
            guests=self._guests,
            back=tuple(self._back.values()),
            waiting=self._waiting,
        )

    async def landing(self) -> str:
        """Nothing is set back in a hurry: what is frozen makes nothing worse."""
        if not self._switches.off:
            return "Nothing is frozen."
        return f"Frozen and to be set back by hand: {', '.join(map(str, self._switches.off))}."

    @property
    def closing(self) -> str:
        """What is said when it is over."""
        back = [one.sid for one in self._back.values() if one.ok]
        left = f"; not back: {', '.join(self._waiting)}" if self._waiting else ""
        came = counted(len(back), "guest is", "guests are")
        return f"{came} back{left}; {counted(len(self._switches.outstanding), 'switch', 'switches')} outstanding."

    # --- the clock ---------------------------------------------------------------------------------------------

    def _start_clock(self, request: SiteLossRequest, loss: Loss) -> None:
        """T0 is the last time a node of the site was heard; without a watch, it is the start of this run."""
        opening, speed = request.opening, loss.inventory.speed
        alive = [when for node, when in loss.memory.alive.items() if node in loss.nodes]
        t0 = max(alive, default=self.record.began)
        first_sign = opening.odd_since if opening else self.record.began
        self.starts_at(t0, first_sign, speed)
        self._times = Timeline(
            t0=t0,
            uncertain=round(self._uncertain.total_seconds() * speed, 1),
            noticed=self.since(first_sign) if opening else None,
            declared=self.since(opening.at) if opening else None,
            # the verdict stands on settled, quorate votes of the survivors
            quorum=self.since(opening.at) if opening else None,
        )

    def _note_time(self, **more: object) -> None:
        if self._times is not None:
            self._times = self._times.model_copy(update=more)

    # --- the procedure -----------------------------------------------------------------------------------------

    async def confirmed(self, loss: Loss) -> Loss:
        """Everybody is asked anew: a loss that is not confirmed is a person's to judge."""
        self.section("Confirm", folds=False)
        seen = await self.step(
            f"Loss of {loss.site} is confirmed",
            Watching.confirm,
            Suspected(kinds=SITE_GONE, where=loss.site, memory=loss.memory),
            within=CONFIRMED_WITHIN,
            attempt=CONFIRMED_WITHIN,
            skip="the incident goes on although the loss is not confirmed",
        )
        return replace(loss, memory=seen.memory) if seen and not loss.memory.alive else loss

    def expected(self, loss: Loss) -> Forecast:
        """The forecast, and a line for it on the page."""
        found = forecast(
            master=loss.memory.master,
            lost=frozenset(loss.nodes),
            guests=len(loss.guests),
            survivors=len(loss.survivors),
            totem=loss.memory.totem,
        )
        self._forecast = found
        self._guests = loss.guests
        self.record.line("Forecast").end("done", found.finding, self.record.elapsed)
        return found

    async def nothing_worse(self, mode: Mode, loss: Loss) -> None:
        """Freeze before anything else: what comes back must not be met by a balancer."""
        skip = "guests may move by themselves during the incident"
        await self._switches.freeze(mode, loss.inventory.name, skip=skip)

    async def survivor(self, loss: Loss) -> None:
        """Quorum and its margin, the pod, the paths."""
        here = SiteName(site=loss.survivor)
        self.section("Survivor, fencing, recovery", folds=False)
        skip = "the incident goes on; HA cannot restart guests without it"
        votes = await self.step(f"{here.site} is quorate", Survivor.votes, here, skip=skip)
        if votes is not None:
            if self._times is not None and self._times.quorum is None:
                self._note_time(quorum=self.now)
            self.tell_people("quorum", f"{here.site} is quorate", votes.finding)
        await self.step(f"Pod is served at {here.site}", Survivor.pod, here, skip=skip)
        await self.step(f"Nodes of {here.site} have paths", Survivor.paths, here, skip=skip)

    def fencing(self, loss: Loss) -> list[Awaitable[None]]:
        """Per node, by the proof that HA itself waits for."""
        wishes = [
            FencingWish(
                node=node,
                services=tuple(sorted(sid for sid, where in loss.guests.items() if where == node)),
                survivors=loss.survivors,
            )
            for node in loss.nodes
        ]
        waited = {wish.node for wish in wishes if wish.services}
        return [self._fenced(wish, waited, loss.site) for wish in wishes]

    async def _fenced(self, wish: FencingWish, waited: set[str], lost: str) -> None:
        found = await self.step(
            f"{wish.node} is fenced",
            Ha.watch_fencing,
            wish,
            within=GIVEN_UP_AFTER,
            attempt=GIVEN_UP_AFTER,
            skip="its guests are not waited for as fenced; HA decides",
        )
        if found is not None and found.needed and self._times is not None:
            self._note_time(fenced={**self._times.fenced, wish.node: self.now})
            if waited <= set(self._times.fenced):
                self.tell_people("fenced", f"Nodes of {lost} are fenced", f"T+{self.now:.0f} s")

    async def recovery(self, loss: Loss, expected: Forecast) -> None:
        """Guest after guest as it comes back; then what is not back, and why."""
        pending, late = set(loss.guests), False
        while pending:
            deadline = expected.running.latest if not late else expected.running.latest + GIVEN_UP_AFTER.total_seconds()
            left = max(1.0, (deadline - self.now) / self._speed)
            found = await self.step(
                "Guests run again",
                Ha.watch_recovery,
                RecoveryWish(
                    pending=tuple(sorted(pending)),
                    survivors=loss.survivors,
                    vg=loss.inventory.storage.vg,
                    limit=left,
                ),
                within=timedelta(seconds=left + 120),
                attempt=timedelta(seconds=left + 120),
                skip="it is not known which guests are back",
            )
            if found is None:
                return
            pending -= {one.sid for one in found.decided}
            if not (found.decided and all(one.ok for one in found.decided)):
                self._causes |= await self._explained(loss, pending | {one.sid for one in found.decided if not one.ok})
            self._count_back(found.decided)
            given_up = {one.sid: one.text for one in self._back.values() if not one.ok}
            self._waiting = {sid: self._causes.get(sid, why) for sid, why in (found.waiting | given_up).items()}
            if not found.decided and late:
                break
            if not found.decided:
                late = True
                said = "; ".join(f"{sid} {why}" for sid, why in list(self._waiting.items())[:5])
                self._notes.append(f"late against the forecast ({expected.running}): {said}")
                self.tell_people("late", f"{counted(len(pending), 'guest is', 'guests are')} late", said)

    async def _explained(self, loss: Loss, guests: set[str]) -> dict[str, str]:
        """What keeps them away: rules, locks, storage, capacity, beside HA's own word."""
        wish = CausesWish(guests=tuple(sorted(guests)), survivors=loss.survivors, storage=loss.inventory.storage.id)
        found = await self.step(
            "Why guests are not back", Placements.causes, wish, skip="only HA's own state is told of them"
        )
        return found.causes if found else {}

    def _count_back(self, decided: tuple[Back, ...]) -> None:
        for one in decided:
            self._back[one.sid] = one
        well = [one for one in decided if one.ok]
        if self._times is not None:
            self._note_time(running={**self._times.running, **{one.sid: self.now for one in well}})
        if well:
            said = ", ".join(f"{one.sid} on {one.node}" for one in well)
            self.tell_people("running", f"{counted(len(well), 'guest runs', 'guests run')} again", said)
        if lost := [one for one in decided if not one.ok]:
            said = "; ".join(f"{one.sid} {self._causes.get(one.sid, one.text)}" for one in lost)
            self.tell_people("late", f"{counted(len(lost), 'guest is', 'guests are')} not brought back by HA", said)

    def note_unmanaged(self, loss: Loss) -> None:
        """Guests of the lost site that HA does not know: never touched."""
        if loss.unmanaged:
            said = ", ".join(f"{vmid} on {node}" for vmid, node in sorted(loss.unmanaged.items()))
            self._notes.append(f"not under HA, lost or possibly alive, not touched: {said}")

    async def until_it_returns(self, loss: Loss) -> None:
        """Stay with the incident: margin alarms arrive meanwhile."""
        self.section("Until the site returns")
        found = await self.step(
            f"{loss.site} is back",
            Watching.returned,
            Awaited(site=loss.site),
            within=RETURNS_WITHIN,
            attempt=RETURNS_WITHIN,
            skip="the quarantine is not listed for a complete site",
        )
        if found is not None:
            self._note_time(rejoined=self.now)

    async def handed_over(self, mode: Mode, loss: Loss) -> None:
        """Set back what moves no guest; the rest is the failback's, which is one link away."""
        self.section("Hand over")
        await self._switches.set_back(mode, loss.memory.services)
        home = f"/namespaces/{workflow.info().namespace}/workflows/start-workflow?workflowType=Failback"
        self._more_links.append(("Bring the guests home", f"{home}&taskQueue={workflow.info().task_queue}"))
