"""Whether HA has fenced each lost node: watched until it is proven, and never said before."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.ha import Ha
    from cluster.fencing import FencingFinding, FencingSeen, FencingWish
    from cluster.forecast import Forecast
    from cluster.units import shortly
    from runbooks.loss import Inheritance, Loss
    from workflows.incident import Incident
    from workflows.page import clock
    from workflows.record import Line

# Beyond the forecast: then a person is told that nothing is known, and it is watched on.
NOT_KNOWN_AFTER = 600.0


class Fencing:
    """The lost nodes of one incident, each a line on its page."""

    def __init__(self, run: Incident) -> None:
        self._run = run
        self._lines: dict[str, Line] = {}
        self._needed: set[str] = set()
        self._watched: set[str] = set()
        self.fenced: dict[str, datetime] = {}
        self.proofs: dict[str, str] = {}
        self.others: dict[str, str] = {}  # why a node was not fenced, or is not known to be

    def begins(self, loss: Loss, expected: Forecast) -> None:
        """Watch these nodes from now on; those that are watched already go on."""
        earliest = clock(timedelta(seconds=expected.fenced.earliest))
        for node in loss.nodes:
            if node in self._lines:
                continue
            waiting = f"Waiting for HA to fence {node} (earliest T+{earliest})"
            self._lines[node] = self._run.record.line(f"{node} is fenced", waiting)
            self._watched.add(node)
            self._run.looks_on(self._until_known(node, loss, expected))

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

    async def _until_known(self, node: str, loss: Loss, expected: Forecast) -> None:
        try:
            await self._watch(node, loss, expected)
        finally:
            self._watched.discard(node)

    async def _watch(self, node: str, loss: Loss, expected: Forecast) -> None:
        ran = tuple(sorted(sid for sid, where in loss.guests.items() if where == node))
        self._needed |= {node} if ran else set()
        wish = FencingWish(
            node=node,
            ran=ran,
            survivors=loss.survivors,
            seen=FencingSeen(node=node),
            limit=(expected.fenced.latest + NOT_KNOWN_AFTER) / loss.inventory.speed,
        )
        while node not in self.fenced:
            title = self._lines[node].title
            found = await self._run.seen_by(title, Ha.watch_fencing, wish, FencingFinding)
            if node in self.fenced:
                return
            self._learn(node, found, workflow.now())
            if found.outcome != "unknown" or not found.seen.services:
                return
            wish = wish.model_copy(update={"seen": found.seen, "limit": None})

    def _learn(self, node: str, found: FencingFinding, when: datetime) -> None:
        run = self._run
        if line := self._lines.get(node):
            line.end(found.mark, found.finding, run.record.elapsed)
        if found.outcome == "fenced":
            self.fenced[node], self.proofs[node] = when, found.finding
            self.others.pop(node, None)
            run.done_with(f"fencing {node}")
            if self._needed <= set(self.fenced):
                run.tell_people("fenced", f"HA has fenced {shortly(sorted(self.fenced))}", f"T+{run.since(when):.0f} s")
        else:
            self.others[node] = found.finding
        if found.outcome == "unknown" and found.seen.services:
            run.ask(
                f"fencing {node}",
                f"look at {node}: it is {found.finding}. Do not start its guests by hand before it is proven off",
            )
        run.tell()
