"""The quarantine of a site that has come back: what must be so before anything may move there (design §6.1).

Listed by the runbook of the loss, held by the failback. Reads only; a check that fails is a finding.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import watch
    from cluster.quarantine import QuarantineFinding, QuarantineWish
    from workflows.record import Line
    from workflows.runbook import Runbook

# Sessions, votes and a resync of minutes come by themselves; what takes longer is listed as it is then.
LISTED_WITHIN = timedelta(minutes=3)
# One look goes on for ten minutes of the cluster's time; a worker that is gone costs another attempt.
LOOK = timedelta(minutes=30)
# Beyond the soak time: then a long look is told and begun anew.
LOOKS_FOR = timedelta(minutes=10)
LOOKED_WITHIN = timedelta(minutes=2)
# What a move that is under way fails by itself.
MOVING = ("No lock and no task is left over", "No volume is open on two nodes")
NOT_LOOKED = ("not looked yet",)


class Quarantine:
    """The checks of one returned site, each a line on the run's page that stays up to date."""

    def __init__(
        self,
        run: Runbook,
        site: str,
        *,
        resting: bool = False,
        rested: tuple[str, ...] = (),
        nodes: tuple[str, ...] | None = None,
    ) -> None:
        """`nodes`: those of the site that are back, where not all of them are.

        `resting`: this run is about to take the site's nodes out of maintenance, all but those that have `rested`.
        """
        self._run, self._site, self._nodes = run, site, nodes
        self._resting, self._rested = resting, rested

    def _wish(
        self, soak: timedelta, known: tuple[str, ...] | None = None, *, without: tuple[str, ...] = (), **more: timedelta
    ) -> QuarantineWish:
        return QuarantineWish(
            site=self._site,
            soak=soak,
            known=known,
            resting=self._resting,
            rested=self._rested,
            nodes=self._nodes,
            without=without,
            **({"until": soak + LOOKS_FOR} | more),
        )

    async def listed(self) -> tuple[str, ...]:
        """Look until all is well or three minutes are over; the titles of what holds the site back."""
        sheet = _Sheet(self._run, self._site)
        return (await sheet.look(self._wish(soak=timedelta(), until=LISTED_WITHIN))).key

    async def failing(self, without: tuple[str, ...] = ()) -> str:
        """One look, right before something changes; what speaks against it, or nothing. No line on the page."""
        wish = self._wish(soak=timedelta(), known=NOT_LOOKED, without=without)
        found = await self._run.learn(watch.quarantine, wish, within=LOOKED_WITHIN)
        return found.finding if found.key else ""

    async def hold(self, soak: timedelta) -> QuarantineFinding:
        """Wait, for days if need be, until all checks have held for that long without a break."""
        sheet = _Sheet(self._run, self._site)
        found = await sheet.look(self._wish(soak=soak, known=NOT_LOOKED))
        while not found.holds:
            found = await sheet.look(self._wish(soak=soak, known=found.key))
        return found


class _Sheet:
    """A section of the page with a line for the whole and one for each check."""

    def __init__(self, run: Runbook, site: str) -> None:
        self._run = run
        run.section(f"Quarantine of {site}", folds=False)
        self._whole = run.record.line(f"{site} may be used again")
        self._lines: dict[str, Line] = {}

    async def look(self, wish: QuarantineWish) -> QuarantineFinding:
        """One look, written on its lines."""
        found = await self._run.look(self._whole, watch.quarantine, wish, LOOK)
        now = self._run.record.elapsed
        for check in found.checks:
            line = self._lines[check.title] = self._lines.get(check.title) or self._run.record.line(check.title)
            line.end("done" if check.holds else "warned", check.said, now)
        if found.key:
            self._whole.end("warned", f"held back by: {', '.join(found.key)}", now)
        return found
