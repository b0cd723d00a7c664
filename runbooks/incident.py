"""Something is wrong that is no loss of a site, or cannot be told: say what, and stay until it is over.

Nothing is changed here. The page says what is known, from whom, what happens by itself, and what a person should do.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.facts import Watching
    from activities.inventory import ClusterName, InventoryReader
    from cluster.incidents import asked_of_people, conditions, taken_over_by
    from cluster.verdict import Verdict
    from cluster.watching import CALM, Change, Opening, WatchWish
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

    @workflow.run
    async def run(self, request: IncidentRequest | None = None) -> IncidentReport:
        """Until it is over, or a loss takes over."""
        request = request or IncidentRequest()
        async with self.conclusion():
            which = ClusterName(cluster=request.cluster)
            known = await self.step("Inventory is read", InventoryReader.read, which, parks=False)
            inventory, opening = known.inventory, request.opening
            if opening is not None:
                self.starts_at(opening.odd_since, opening.at, inventory.speed)
                self._memory = opening.memory
            verdict = opening.verdict if opening else await self._first_look(which)
            await self.begin(f"{inventory.name}: {verdict.sentence}", inventory.name)
            self._learn(verdict)
            self.tell_people("opened", verdict.sentence, "; ".join(verdict.main.reasons))
            while verdict.kind not in CALM and not self._handed_to:
                verdict = self._turned(await self.next_change(), verdict)
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

    @property
    def idle(self) -> str:
        """It stays until nothing is wrong any more."""
        return "waiting for the cluster to be healthy"

    async def _first_look(self, which: ClusterName) -> Verdict:
        """It was started by hand: how things stand. From then on a watch tells it, or it looks for itself."""
        wish = WatchWish(cluster=which.cluster, urgent=True)
        waiting = "Waiting for every vantage point to answer"
        seen = await self.step(
            "Everybody is asked", Watching.watch, wish, within=LOOKS_FOR, attempt=LOOKS_FOR, waiting=waiting
        )
        self._memory = seen.memory
        return seen.verdict

    def _turned(self, change: Change, known: Verdict) -> Verdict:
        """Show another verdict; a loss has a run of its own, which takes over."""
        verdict = change.verdict
        self._handed_to = taken_over_by("ClusterIncident", "", change.open)
        if self._handed_to:
            self.tell_people("changed", verdict.sentence, f"{self._handed_to} goes on with it.")
        elif verdict.key != known.key:
            self._learn(verdict)
            self.tell_people("changed", verdict.sentence, "; ".join(verdict.main.reasons))
        return verdict

    def _learn(self, verdict: Verdict) -> None:
        """Lines of the page: what is so, why, and what to do."""
        self._verdicts.append(verdict.sentence)
        self.judged(verdict)
        self._headline = f"{self._cluster}: {verdict.sentence}"
        self.section(verdict.sentence.capitalize())
        for condition in conditions(verdict):
            self.explain(condition)
        for gone in self._asked.keys() - asked_of_people(verdict).keys():
            self.done_with(gone)
        for about, what in asked_of_people(verdict).items():
            self.ask(about, what)
        self._tell()
