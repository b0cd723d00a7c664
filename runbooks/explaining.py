"""A verdict is explained: shown as it turns, with its advice, until the cluster is healthy or a loss takes over."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import Answer
    from cluster.contracts import watch
    from cluster.incidents import asked_of_people, conditions, taken_over_by
    from cluster.units import capital
    from cluster.verdict import Verdict
    from cluster.watching import CALM, Change, WatchWish
    from workflows.carried import IncidentState
    from workflows.incident import Incident

# One look of a run that nobody tells anything; longer than `WatchWish.until`.
LOOKS_FOR = timedelta(hours=1, minutes=5)
# Verdicts that are kept one by one.
KEPT = 100


class ExplainedState(IncidentState):
    """What its next run has to know: the verdict that stands, and those before."""

    verdict: Verdict
    verdicts: list[str]
    turns: int


class Explaining:
    """The course of an incident that is no loss. `verdicts` is what it was, `turns` how often it became another one."""

    begins_anew: tuple[str, ...] = ()  # its looks go on beside the procedure

    def __init__(self, run: Incident) -> None:
        self._run = run
        self._verdict: Verdict | None = None
        self.verdicts: list[str] = []
        self.turns = 0
        self.handed_to = ""

    # --- the procedure -----------------------------------------------------------------------------------------

    async def first_look(self, cluster: str | None) -> Verdict:
        """It was started by hand: how things stand. From then on a watch tells it, or it looks for itself."""
        run, waiting = self._run, "Waiting for every vantage point to answer"
        wish = WatchWish(cluster=cluster, urgent=True)
        seen = await run.step(
            "Every vantage point is asked", watch.look, wish, within=LOOKS_FOR, attempt=LOOKS_FOR, waiting=waiting
        )
        run.watched.memory, run.watched.answers = seen.memory, seen.answers
        return seen.verdict

    def begin(self, verdict: Verdict) -> None:
        """The first verdict, on the page and in a notice."""
        self._learn(verdict)
        self._run.notices.tell("opened", verdict.sentence, "; ".join(verdict.main.reasons))

    async def until_calm(self) -> None:
        """Show each verdict, until the cluster is healthy or a loss has taken over."""
        while self._verdict is not None and self._verdict.kind not in CALM and not self.handed_to:
            self._turned(await self._run.watched.next_change(), self._verdict)

    def _turned(self, change: Change, known: Verdict) -> None:
        """Show another verdict; a loss has a run of its own, which takes over."""
        verdict, notices = change.verdict, self._run.notices
        self.handed_to = taken_over_by("ClusterIncident", "", change.open)
        if self.handed_to:
            notices.tell("changed", verdict.sentence, f"{self.handed_to} continues this incident.")
        elif verdict.key != known.key:
            self._learn(verdict)
            notices.tell("changed", verdict.sentence, "; ".join(verdict.main.reasons))
        self._verdict = verdict

    def _learn(self, verdict: Verdict) -> None:
        """Lines of the page: what is so, why, and what to do."""
        run = self._run
        asked = asked_of_people(verdict, run.watched.answers)
        self._verdict, self.turns = verdict, self.turns + 1
        if len(self.verdicts) < KEPT or verdict.sentence not in self.verdicts:
            self.verdicts.append(verdict.sentence)
        run.watched.judged(verdict)
        run.state.headline = f"{run.state.cluster}: {verdict.sentence}"
        run.remarks.explain_again(capital(verdict.sentence), conditions(verdict))
        for gone in run.actions.about_the_cluster - asked.keys():
            run.actions.done_with(gone)
        for about, what in asked.items():
            run.actions.ask(about, what)
        run.tell()

    def heed(self, change: Change) -> None:
        """The procedure reads every verdict itself."""

    # --- what is said of it ------------------------------------------------------------------------------------

    @property
    def idle(self) -> str:
        """It stays until nothing is wrong any more."""
        return "waiting for the cluster to be healthy"

    @property
    def answers(self) -> tuple[Answer, ...]:
        """As the watch has told them."""
        return self._run.watched.answers

    @property
    def closing(self) -> str:
        """What is said when it is over."""
        return f"Handed over to {self.handed_to}." if self.handed_to else f"It was: {', '.join(self.verdicts)}."

    async def landing(self) -> str:
        """It has changed nothing."""
        return ""

    # --- it goes on in a new run -------------------------------------------------------------------------------

    @property
    def at_rest(self) -> bool:
        """It has taken in what it was told last."""
        return self._run.watched.all_read

    async def rests(self) -> None:
        """Its looks end with the run."""

    def looks_on(self) -> None:
        """They were not stopped."""

    def carries(self) -> ExplainedState:
        """The verdict that stands, and those before."""
        more = {"verdict": self._verdict, "verdicts": self.verdicts, "turns": self.turns}
        return ExplainedState(**(self._run.carried() | more))

    def resume(self, known: ExplainedState) -> None:
        """All that the earlier run has explained."""
        self._verdict, self.verdicts, self.turns = known.verdict, list(known.verdicts), known.turns
        self._run.resumes(known)
