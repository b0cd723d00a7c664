"""Something is wrong that is no loss of a site, or cannot be told: say what, and stay until it is over.

Nothing is changed here. The page says what is known, from whom, what happens by itself, and what a person should do.
"""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import records
    from cluster.contracts.records import ClusterName
    from cluster.watching import Opening
    from runbooks.explaining import ExplainedState, Explaining
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.incident import Incident


class IncidentRequest(RunbookRequest):
    """What a watch fills in; without `opening` it looks for itself. One that continues as new fills in `carried`."""

    opening: Opening | None = None
    carried: dict[str, Any] | None = None


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
        what="Explains what is wrong with the cluster, what happens automatically and what an operator should do; "
        "stays until the cluster is healthy",
        when="when no watch runs and you want the cluster explained; a watch starts it by itself",
        asks="nothing: it changes nothing",
        landing="Nothing was changed",
        example={"mode": "plan"},
        request=IncidentRequest,
    )

    course: Explaining

    def __init__(self) -> None:
        super().__init__()
        self.course = Explaining(self)

    @workflow.run
    async def run(self, request: IncidentRequest | None = None) -> IncidentReport:
        """Until it is over, or a loss takes over."""
        request, explained = request or IncidentRequest(), self.course
        async with self.conclusion():
            if request.carried:
                explained.resume(ExplainedState.model_validate(request.carried))
            else:
                await self._opens(request)
            await self.continuing.stays(explained.until_calm(), request)
        return self.report(
            IncidentReport,
            mode=request.mode,
            planned=(),
            verdicts=tuple(explained.verdicts),
            turns=explained.turns,
            handed_to=explained.handed_to,
        )

    async def _opens(self, request: IncidentRequest) -> None:
        """What is wrong, as the watch has said it, or as it is found."""
        which = ClusterName(cluster=request.cluster)
        known = await self.step("Inventory is read", records.inventory, which, parks=False)
        inventory, opening = known.inventory, request.opening
        if opening is not None:
            self.clock.starts_at(opening.odd_since, opening.at, known.speed)
            self.watched.memory, self.watched.answers = opening.memory, opening.answers
        verdict = opening.verdict if opening else await self.course.first_look(request.cluster)
        await self.begin(f"{inventory.name}: {verdict.sentence}", inventory.name)
        self.course.begin(verdict)
