"""Whether HA has fenced each lost node: watched until it is proven, and never said before."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import ha
    from cluster.fencing import FencingFinding, FencingSeen, FencingWish
    from cluster.forecast import Forecast
    from cluster.moments import t_plus
    from cluster.units import shortly
    from runbooks.losing.carried import FencingState
    from runbooks.loss import Inheritance, Loss
    from workflows.incident import Incident
    from workflows.meters import phase
    from workflows.record import Line

# Beyond the forecast: then a person is told that nothing is known, and it is watched on.
NOT_KNOWN_AFTER = 600.0


class Fencing:
    """The lost nodes of one incident, each a line on its page."""

    def __init__(self, run: Incident, expected: Callable[[], Forecast | None]) -> None:
        self._run, self._expected = run, expected
        self._lines: dict[str, Line] = {}
        self._needed: set[str] = set()
        self._watched: set[str] = set()
        self._looking: set[str] = set()
        self._seen: dict[str, FencingSeen] = {}  # of those that are watched
        self._until: dict[str, datetime] = {}  # when it is told that nothing is known
        self._rests = False
        self.fenced: dict[str, datetime] = {}
        self.proofs: dict[str, str] = {}
        self.others: dict[str, str] = {}  # why a node was not fenced, or is not known to be

    def begins(self, loss: Loss, expected: Forecast) -> None:
        """Watch these nodes from now on; those that are watched already go on."""
        earliest = self._run.clock.times.both(expected.fenced.earliest)
        for node in loss.nodes:
            if node in self._lines:
                continue
            waiting = f"Waiting for HA to fence {node}, at the earliest {earliest}"
            self._lines[node] = self._run.record.line(f"{node} is fenced", waiting)
            self._watched.add(node)
            self._seen[node] = FencingSeen(node=node)
            within = timedelta(seconds=(expected.fenced.latest + NOT_KNOWN_AFTER) / self._run.clock.speed)
            self._until[node] = workflow.now() + within
            self._run.looks.beside(self._until_known(node, loss))

    def anew(self, nodes: set[str], loss: Loss, expected: Forecast) -> None:
        """These were back and are lost once more: what was seen of the first loss says nothing of this one."""
        for node in nodes & self._lines.keys() - self._watched:
            self.others.pop(node, None)
            self.fenced.pop(node, None)
            self.proofs.pop(node, None)
            del self._lines[node]
        self.begins(loss, expected)

    def inherits(self, legacy: Inheritance) -> None:
        """What was seen before by the incident that this one has taken over."""
        for node, when in legacy.fenced.items():
            self._learn(
                node,
                FencingFinding(
                    finding=f"{legacy.proofs.get(node, '')} (seen by {legacy.run})",
                    outcome="fenced",
                    seen=FencingSeen(node=node),
                ),
                when,
            )

    def ends(self) -> None:
        """The incident closes: what was not seen by now is not known."""
        for node, line in self._lines.items():
            if node not in self.fenced and node not in self.others:
                self.others[node] = "not known: no acknowledgement was seen before this incident closed"
                line.end("warned", self.others[node], self._run.record.elapsed)

    async def _until_known(self, node: str, loss: Loss) -> None:
        self._looking.add(node)
        try:
            if await self._watch(node, loss):
                self._watched.discard(node)
        finally:
            self._looking.discard(node)

    async def _watch(self, node: str, loss: Loss) -> bool:
        """True once all is known that can be; false when the look has to be gone on with."""
        ran = tuple(sorted(sid for sid, where in loss.guests.items() if where == node))
        self._needed |= {node} if ran else set()
        while node not in self.fenced:
            left = (self._until[node] - workflow.now()).total_seconds() if node in self._until else None
            wish = FencingWish(
                node=node,
                ran=ran,
                survivors=loss.survivors,
                seen=self._seen[node],
                limit=max(1.0, left) if left is not None else None,
            )
            title = self._lines[node].title
            found = await self._run.looks.seen_until(title, ha.watch_fencing, wish, lambda: self._rests, tells=True)
            if found is not None:
                self._seen[node] = found.seen
            if node in self.fenced:
                break
            if found is None or found.cut:
                return False
            self._learn(node, found, workflow.now())
            if found.outcome != "unknown" or not found.seen.services:
                break
            self._until.pop(node, None)
        return True

    # --- it goes on in a new run -------------------------------------------------------------------------------

    @property
    def resting(self) -> bool:
        """Every look has told what it has seen."""
        return self._rests and not self._looking

    def rests(self) -> None:
        """The looks end, and tell first what they have seen: an acknowledgement lasts for one round."""
        self._rests = True

    def goes_on(self, loss: Loss) -> None:
        """Watch on where the looks were."""
        self._rests = False
        for node in sorted(self._watched - self._looking):
            self._run.looks.beside(self._until_known(node, loss))

    def carries(self) -> FencingState:
        """All that is known of the nodes."""
        return FencingState(
            lines={node: self._run.record.place(line) for node, line in self._lines.items()},
            needed=sorted(self._needed),
            seen={node: self._seen[node] for node in sorted(self._watched)},
            until=self._until,
            fenced=self.fenced,
            proofs=self.proofs,
            others=self.others,
        )

    def resumes(self, known: FencingState, loss: Loss) -> None:
        """Watch on."""
        self._lines = {node: self._run.record.at(place) for node, place in known.lines.items()}
        self._needed, self._seen, self._watched = set(known.needed), dict(known.seen), set(known.seen)
        self._until, self.fenced = dict(known.until), dict(known.fenced)
        self.proofs, self.others = dict(known.proofs), dict(known.others)
        self.goes_on(loss)

    def _tell_of_all(self) -> None:
        """All that had guests are fenced: how long it took beside what was expected."""
        run = self._run
        at = max(run.clock.since(self.fenced[node]) for node in self._needed)
        expected = self._expected()
        phase(run.about.name, "fenced", at, expected.fenced if expected else None)

    def _learn(self, node: str, found: FencingFinding, when: datetime) -> None:
        run = self._run
        if line := self._lines.get(node):
            line.end(found.mark, found.finding, run.record.elapsed)
        if found.outcome == "fenced":
            self.fenced[node], self.proofs[node] = when, found.finding
            self.others.pop(node, None)
            run.actions.done_with(f"fencing {node}")
            if node in self._needed <= set(self.fenced):  # the last of those that had guests
                self._tell_of_all()
            if self._needed <= set(self.fenced):
                run.notices.tell(
                    "fenced", f"HA has fenced {shortly(sorted(self.fenced))}", t_plus(run.clock.since(when))
                )
        else:
            self.others[node] = found.finding
        if found.outcome == "unknown" and found.seen.services:
            run.actions.ask(
                f"fencing {node}",
                f"look at {node}: it is {found.finding}. Do not start its guests by hand before it is proven off",
            )
        run.tell()
