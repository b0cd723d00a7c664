"""Something is wrong that is no loss of a site, or cannot be told: say what, and stay until it is over.

Nothing is changed here. The page says what is known, from whom, what happens by itself, and what a person should do.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.facts import Watching
    from activities.inventory import ClusterName, InventoryReader
    from cluster.advice import advice
    from cluster.conditions import Condition
    from cluster.facts import Memory
    from cluster.verdict import Verdict
    from cluster.watching import SITE_GONE, Opening, WatchWish
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.incident import Incident

# One look of a run that nobody tells anything; longer than `WatchWish.until`.
LOOKS_FOR = timedelta(hours=1, minutes=5)


class IncidentRequest(RunbookRequest):
    """What a watch fills in; without `opening` it looks for itself."""

    opening: Opening | None = None


class IncidentReport(RunbookReport):
    """What it was, in the order in which it was seen."""

    verdicts: tuple[str, ...]
    handed_to: str = ""


@workflow.defn(name="ClusterIncident")
class ClusterIncident(Incident):
    """Explain a verdict, follow it until the cluster is healthy, change nothing."""

    about = About(
        name="incident",
        what="Explains what is wrong with the cluster, what happens by itself and what a person should do; "
        "stays until the cluster is healthy",
        when="when nobody watches the cluster and you want it explained; a watch starts it by itself",
        asks="nothing: it changes nothing",
        landing="Nothing was changed",
        example={"mode": "plan"},
        request=IncidentRequest,
        report=IncidentReport,
    )

    def __init__(self) -> None:
        super().__init__()
        self._verdicts: list[str] = []
        self._handed_to = ""
        self._memory = Memory()

    @workflow.run
    async def run(self, request: IncidentRequest | None = None) -> IncidentReport:
        """Until it is over, or a site's loss takes over."""
        request = request or IncidentRequest()
        async with self.conclusion():
            which = ClusterName(cluster=request.cluster)
            known = await self.step("Inventory is read", InventoryReader.read, which, parks=False)
            inventory = known.inventory
            opening = request.opening
            if opening is not None:
                self.starts_at(opening.odd_since, opening.at, inventory.speed)
            verdict = opening.verdict if opening else await self._looked(which)
            await self.begin(f"{inventory.name}: {verdict.sentence}", inventory.name)
            self._learn(verdict)
            self.tell_people("opened", verdict.sentence, "; ".join(verdict.main.reasons))
            while verdict.kind != "healthy" and not self._handed_to:
                verdict = await (self._told_next(verdict) if opening else self._looked(which, verdict))
        return self.report(
            IncidentReport,
            mode=request.mode,
            planned=(),
            verdicts=tuple(self._verdicts),
            handed_to=self._handed_to,
        )

    @property
    def closing(self) -> str:
        """What is said when it is over."""
        return f"Handed over to {self._handed_to}." if self._handed_to else f"It was: {', '.join(self._verdicts)}."

    def meaning(self, verdict: Verdict) -> str:
        """Each verdict has its own lines on the page."""
        return ""

    async def _looked(self, which: ClusterName, known: Verdict | None = None) -> Verdict:
        """Nobody watches: look until the verdict is another one; the time of a look may be over before."""
        wish = WatchWish(
            cluster=which.cluster, memory=self._memory, known=known.key if known else "", urgent=known is None
        )
        title = "The cluster is another" if known else "Everybody is asked"
        seen = await self.step(title, Watching.watch, wish, within=LOOKS_FOR, attempt=LOOKS_FOR)
        self._memory = seen.memory
        return self._turned(seen.verdict, known) if known else seen.verdict

    async def _told_next(self, known: Verdict) -> Verdict:
        """The next verdict of the watch that has opened this run."""
        before = len(self._changes)
        await workflow.wait_condition(lambda: len(self._changes) > before)
        return self._turned(self._changes[-1].verdict, known)

    def _turned(self, verdict: Verdict, known: Verdict) -> Verdict:
        """Show another verdict; a site's loss has a run of its own, which a watch starts."""
        if verdict.kind in SITE_GONE:
            self._handed_to = f"site-loss/{self._cluster}"
        if verdict.key != known.key:
            self._learn(verdict)
            self.tell_people("changed", verdict.sentence, "; ".join(verdict.main.reasons))
        return verdict

    def _learn(self, verdict: Verdict) -> None:
        """Lines of the page: what is so, why, and what to do."""
        self._verdicts.append(verdict.sentence)
        self.judged(verdict)
        self._headline = f"{self._cluster}: {verdict.sentence}"
        self.section(verdict.sentence.capitalize())
        for condition in (verdict.main, *verdict.also):
            self._explain(condition)
        self._tell()

    def _explain(self, condition: Condition) -> None:
        told = advice(condition)
        at = self.record.elapsed
        for reason in condition.reasons[:4]:
            self.record.line("Seen").end("done", reason, at)
        for unless in condition.unless[:1]:
            self.record.line("Would change its mind").end("done", unless, at)
        self.record.line("Happens by itself").end("done", told.alone, at)
        for number, one in enumerate(told.do, start=1):
            self.record.line(f"To do {number}").end("warned", one, at)
        if told.never:
            self.record.line("Never").end("failed", told.never, at)
