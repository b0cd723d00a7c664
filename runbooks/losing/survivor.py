"""The site that is left: its votes and their margin, the pod, its paths. Reads only."""

from functools import partial
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import watch
    from cluster.contracts.reference import Activity
    from cluster.contracts.watch import SiteName
    from runbooks.losing.lost import Lost
    from runbooks.losing.timing import Timing
    from workflows.incident import Incident

SKIP = "the incident goes on; HA cannot restart guests without it"


class Survivor:
    """The survivor of one loss."""

    def __init__(self, run: Incident, lost: Lost, timing: Timing) -> None:
        self._run, self._lost, self._timing = run, lost, timing

    async def proven(self) -> None:
        """Quorum and its margin, the pod, the paths of the site that is left."""
        here = SiteName(site=self._lost.loss.survivor)
        part = self._run.continuing.part
        await part("votes", lambda: self._votes(here))
        pod = f"Pod is served at {here.site}", watch.survivor_pod, f"Waiting for {here.site} to serve the pod"
        paths = f"Nodes of {here.site} have paths", watch.survivor_paths, f"Waiting for the paths of {here.site}"
        for title, activity, waiting in (pod, paths):
            await part(title, partial(self._look_at, title, activity, here, waiting))

    async def _votes(self, here: SiteName) -> None:
        title, waiting = f"{here.site} is quorate", f"Waiting for the votes of {here.site}"
        votes = await self._run.step(title, watch.survivor_votes, here, skip=SKIP, waiting=waiting)
        if votes is not None:
            self._timing.quorate()
            self._run.notices.tell("quorum", f"{here.site} is quorate", votes.finding)

    async def _look_at(self, title: str, activity: Activity[SiteName, Any], here: SiteName, waiting: str) -> None:
        await self._run.step(title, activity, here, skip=SKIP, waiting=waiting)
