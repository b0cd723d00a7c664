"""Something is wrong that is no loss of a site, or cannot be told: say what, and stay until it is over.

Nothing is changed here. The page says what is known, from whom, what happens by itself, and what a person should do.
"""

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import records, watch
    from cluster.contracts.records import ClusterName
    from cluster.incidents import asked_of_people, conditions, taken_over_by
    from cluster.units import capital
    from cluster.verdict import Verdict
    from cluster.watching import CALM, Change, Opening, WatchWish
    from workflows.carried import IncidentState
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.incident import Incident

# One look of a run that nobody tells anything; longer than `WatchWish.until`.
LOOKS_FOR = timedelta(hours=1, minutes=5)
# Verdicts that are kept one by one.
KEPT = 100


class IncidentRequest(RunbookRequest):
    """What a watch fills in; without `opening` it looks for itself. One that continues as new fills in `carried`."""

    opening: Opening | None = None
    carried: dict[str, Any] | None = None


class ExplainedState(IncidentState):
    """What its next run has to know: the verdict that stands, and those before."""

    verdict: Verdict
    verdicts: list[str]
    turns: int


class IncidentReport(RunbookReport):
    """What it was, in the order in which it was seen.

    After the first hundred only what was not seen before; `turns` is how often it became another one in all.
    """

    verdicts: tuple[str, ...]
    turns: int = 0
    handed_to: str = ""


@workflow.defn(name="ClusterIncident")
class ClusterIncident(Incident):
    """Explain a verdict, follow it until the cluster is healthy, change nothing."""

    about = About(
        name="incident",
        what="Explains what is wrong with the cluster, what happens by itself and what a person should do; "
        "stays until the cluster is healthy",
        when="when no watch runs and you want the cluster explained; a watch starts it by itself",
        asks="nothing: it changes nothing",
        landing="Nothing was changed",
        example={"mode": "plan"},
        request=IncidentRequest,
    )

    def __init__(self) -> None:
        super().__init__()
        self._verdicts: list[str] = []
        self._verdict: Verdict | None = None
        self._turns = 0
        self._handed_to = ""

    @workflow.run
    async def run(self, request: IncidentRequest | None = None) -> IncidentReport:
        """Until it is over, or a loss takes over."""
        request = request or IncidentRequest()
        async with self.conclusion():
            await (self._goes_on(request) if request.carried else self._opens(request))
            await self.stays(self._until_calm(), lambda: self._next(request))
        return self.report(
            IncidentReport,
            mode=request.mode,
            planned=(),
            verdicts=tuple(self._verdicts),
            turns=self._turns,
            handed_to=self._handed_to,
        )

    async def _opens(self, request: IncidentRequest) -> None:
        """What is wrong, as the watch has said it, or as it is found."""
        which = ClusterName(cluster=request.cluster)
        known = await self.step("Inventory is read", records.inventory, which, parks=False)
        inventory, opening = known.inventory, request.opening
        if opening is not None:
            self.starts_at(opening.odd_since, opening.at, known.speed)
            self._memory = opening.memory
        verdict = opening.verdict if opening else await self._first_look(which)
        await self.begin(f"{inventory.name}: {verdict.sentence}", inventory.name)
        self._learn(verdict)
        self.tell_people("opened", verdict.sentence, "; ".join(verdict.main.reasons))

    async def _until_calm(self) -> None:
        while self._verdict is not None and self._verdict.kind not in CALM and not self._handed_to:
            self._turned(await self.next_change(), self._verdict)

    async def _goes_on(self, request: IncidentRequest) -> None:
        known = ExplainedState.model_validate(request.carried)
        self._verdict, self._verdicts, self._turns = known.verdict, list(known.verdicts), known.turns
        self.resumes(known)

    def _next(self, request: IncidentRequest) -> IncidentRequest:
        more = {"verdict": self._verdict, "verdicts": self._verdicts, "turns": self._turns}
        state = ExplainedState(**(self._carried() | more)).model_dump(mode="json", by_alias=True)
        return request.model_copy(update={"carried": state})

    @property
    def may_continue(self) -> bool:
        """Not before it has taken in what it was told last."""
        return super().may_continue and self._changes == self._read

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
            "Everybody is asked", watch.look, wish, within=LOOKS_FOR, attempt=LOOKS_FOR, waiting=waiting
        )
        self._memory = seen.memory
        return seen.verdict

    def _turned(self, change: Change, known: Verdict) -> None:
        """Show another verdict; a loss has a run of its own, which takes over."""
        verdict = change.verdict
        self._handed_to = taken_over_by("ClusterIncident", "", change.open)
        if self._handed_to:
            self.tell_people("changed", verdict.sentence, f"{self._handed_to} goes on with it.")
        elif verdict.key != known.key:
            self._learn(verdict)
            self.tell_people("changed", verdict.sentence, "; ".join(verdict.main.reasons))
        self._verdict = verdict

    def _learn(self, verdict: Verdict) -> None:
        """Lines of the page: what is so, why, and what to do."""
        self._verdict, self._turns = verdict, self._turns + 1
        if len(self._verdicts) < KEPT or verdict.sentence not in self._verdicts:
            self._verdicts.append(verdict.sentence)
        self.judged(verdict)
        self.state.headline = f"{self.state.cluster}: {verdict.sentence}"
        self.explain_again(capital(verdict.sentence), conditions(verdict))
        for gone in self._asked.keys() - asked_of_people(verdict).keys():
            self.done_with(gone)
        for about, what in asked_of_people(verdict).items():
            self.ask(about, what)
        self.tell()
