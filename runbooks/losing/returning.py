"""The way back of lost nodes: waited for as long as it takes, then their quarantine, then the last guests.

It is in phases, and begins again at the one that is under way when the incident continues as new.
"""

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import ha
    from cluster.incidents import conditions
    from cluster.returning import ReturnFinding, ReturnWish
    from cluster.units import shortly
    from runbooks.losing.carried import LossState, Phase
    from runbooks.losing.guests import Guests
    from runbooks.losing.hands import Hands
    from runbooks.losing.lost import Lost
    from runbooks.losing.timing import Timing
    from runbooks.quarantine import Quarantine
    from workflows.incident import Incident
    from workflows.messages import Answer

# Lost nodes may stay away for as long as it takes to build them anew.
RETURNS_WITHIN = timedelta(days=90)


class Returning:
    """Nodes of one loss on their way back. `site_wide`: they are a whole site, and called by its name."""

    def __init__(
        self, run: Incident, lost: Lost, timing: Timing, guests: Guests, hands: Hands, *, site_wide: bool
    ) -> None:
        self._run, self._lost, self._site_wide = run, lost, site_wide
        self._timing, self._guests, self._hands = timing, guests, hands
        self.phase: Phase = "deciding"
        self.title = ""  # of the step that waits for the nodes
        self._waiting = ""
        self._awaited: tuple[str, ...] = ()
        self._back: tuple[str, ...] = ()
        self._settling_since = 0
        self._told_when_back = 0  # how often the watch had told something when the nodes were back

    # --- the first of them -------------------------------------------------------------------------------------

    def looks_for_first(self) -> None:
        """A node that comes back before the locks are free makes them count anew: the forecast is another one."""
        self._run.looks.beside(self._first_is_back())

    async def _first_is_back(self) -> None:
        loss = self._lost.loss
        wish = ReturnWish(nodes=loss.nodes, via=loss.survivors, some=True)
        await self._run.looks.seen_by("A node is back", ha.watch_return, wish)
        self._lost.any_back = True
        if (expected := self._timing.forecast) is not None and self._guests.pending:
            self._guests.expects(self._timing.expects_anew(expected))
            self._run.tell()

    # --- all of them -------------------------------------------------------------------------------------------

    async def settled(self) -> None:
        """As long as it takes, also for nodes that have followed; then what must be so before anything moves there."""
        if self.phase == "deciding":
            await self._guests_are_decided()
            self.phase = "returning"
        settled = False
        while not settled:
            if self.phase in ("returning", "some"):
                self._back = (await self._until_back()).back
                self.phase = "quarantine"
            if self.phase == "quarantine":
                await self._quarantined()
                self.phase, self._settling_since = "settling", self._run.watched.changes
            settled = await self._guests_settle() and set(self._lost.loss.nodes) == {*self._back, *self._lost.missing}
            self.phase = "handing" if settled else "returning"

    async def _guests_are_decided(self) -> None:
        """Everybody runs, is late, or will not come back by itself; or nodes are back already."""
        await workflow.wait_condition(lambda: not self._guests.pending or self._guests.late or self._lost.any_back)

    async def _until_back(self) -> ReturnFinding:
        """Stay with the incident. Some nodes that do not follow the others are a person's to judge."""
        found = await self._all_back() if self.phase == "returning" else None
        if found is None:
            self.phase = "some"
            some = ReturnWish(nodes=self._awaited, via=self._lost.loss.survivors, some=True)
            found = await self._run.looks.seen_by("Nodes that are back", ha.watch_return, some)
        self._lost.missing, self._told_when_back = found.missing, self._run.watched.changes
        self._timing.returned()
        self._run.tell()
        return found

    async def _all_back(self) -> ReturnFinding | None:
        """None when a person does not wait for all of them."""
        run, loss = self._run, self._lost.loss
        if self.title not in run.steps.left_open:
            self._awaited = loss.nodes
            who = loss.site if self._site_wide else shortly(self._awaited)
            several = not self._site_wide and len(self._awaited) > 1 and workflow.patched("nodes-are-back")
            self.title, self._waiting = f"{who} {'are' if several else 'is'} back", f"Waiting for {who} to return"
            run.section("Until they return")
        found = await run.step(
            self.title,
            ha.watch_return,
            ReturnWish(nodes=self._awaited, via=loss.survivors),
            within=RETURNS_WITHIN,
            attempt=RETURNS_WITHIN,
            skip="the nodes that are back go through the quarantine, the others are listed",
            waiting=self._waiting,
        )
        run.steps.settles_anew(self.title)
        return found

    def all_are_members(self) -> None:
        """Said by the watch: whoever was asked about nodes that had not followed need not answer any more."""
        for parked in self._run.state.parked:
            if parked.question.step == self.title and parked.answer is None:
                parked.answer = Answer(answer="retry", by="the watch", why="all nodes are members again")

    async def _quarantined(self) -> None:
        """What must be so before anything may move there: listed here, held by the failback."""
        loss = self._lost.loss
        held_back = await Quarantine(self._run, loss.site, nodes=self._back).listed()
        if not held_back and not self._lost.missing and loss.whole:
            await self._hands.release(loss)

    async def _guests_settle(self) -> bool:
        """The incident goes on as long as HA may still bring anybody back; false when the nodes are lost once more."""
        since = self._settling_since
        await workflow.wait_condition(lambda: not self._guests.pending or self._lost_again(since))
        return not self._lost_again(self._told_when_back)

    def _lost_again(self, since: int) -> bool:
        """What the watch has told since then says so."""
        watched = self._run.watched
        told = watched.newest if watched.changes > since else None
        found = filter(self._lost.ours, conditions(told.verdict)) if told else ()
        return any(one.kind != "node-lost" or not set(one.where) <= set(self._lost.missing) for one in found)

    # --- from run to run ---------------------------------------------------------------------------------------

    @property
    def at_rest(self) -> bool:
        """Not in the minutes of a quarantine's list, unless it parks."""
        return self.phase != "quarantine" or bool(self._run.state.parked)

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {
            "phase": self.phase,
            "returning": self.title,
            "waiting": self._waiting,
            "awaited": self._awaited,
            "back": self._back,
            "told_when_back": self._told_when_back,
            "settling_since": self._settling_since,
        }

    def resumes(self, known: LossState) -> None:
        """At the phase that was under way."""
        self.phase = known.phase
        self.title, self._waiting, self._awaited = known.returning, known.waiting, known.awaited
        self._back = known.back
        self._told_when_back, self._settling_since = known.told_when_back, known.settling_since
