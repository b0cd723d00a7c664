"""Whom an incident tells, and what: the run does not wait for its notices, and none is lost when it goes on as new."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from cluster.around import Occasion
    from cluster.notices import Notice
    from workflows.carried import IncidentState
    from workflows.failures import reason
    from workflows.state import RunState
    from workflows.telling import deliver


class Notices:
    """The notices of one incident, each with a key of its own."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self._count = 0
        self._on_their_way: dict[asyncio.Task[None], Notice] = {}

    def tell(self, occasion: Occasion, title: str, text: str) -> None:
        """Send a notice; the run does not wait for it."""
        self._count += 1
        notice = Notice(
            key=f"{workflow.info().workflow_id}/{self._count}",
            occasion=occasion,
            cluster=self.state.cluster,
            incident=workflow.info().workflow_id,
            title=title[:200],
            text=text[:1000],
            at=workflow.now(),
        )
        self._send(notice)

    def _send(self, notice: Notice) -> None:
        task = asyncio.create_task(self._told(notice))
        self._on_their_way[task] = notice
        task.add_done_callback(lambda over: self._on_their_way.pop(over, None))

    async def _told(self, notice: Notice) -> None:
        try:
            await deliver(notice, f"{notice.occasion}: {notice.title}")
        except ActivityError as error:
            word, message = reason(error)
            self.state.notes.append(f"notice {notice.occasion} was not delivered: {word}: {message}")

    async def all_told(self) -> None:
        """Wait for those that are on their way, however each ends."""
        await asyncio.gather(*self._on_their_way, return_exceptions=True)

    def carries(self) -> dict[str, Any]:
        """How many there were, and those that have not been delivered."""
        return {"notices": self._count, "untold": tuple(self._on_their_way.values())}

    def resumes(self, known: IncidentState) -> None:
        """Send what the earlier run could not."""
        self._count += known.notices
        for notice in known.untold:
            self._send(notice)
