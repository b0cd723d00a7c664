"""Whom a run tells, and what: it does not wait for its notices, and none is lost when it goes on as new.

Each carries the run's answer to "what do I do now?" of that moment. They go out in their order: one that a receiver
does not take holds up the next one for some seconds, and no longer.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import Answer
    from cluster.around import Occasion
    from cluster.notices import Notice
    from workflows import spans
    from workflows.carried import IncidentState
    from workflows.failures import reason
    from workflows.state import RunState
    from workflows.telling import deliver


# So long the next notice waits for the one before it.
IN_ORDER_WITHIN = timedelta(seconds=15)
# So long a run that is over waits for its notices.
AT_THE_END_WITHIN = timedelta(minutes=1)


class Notices:
    """The notices of one run, each with a key of its own. `answer` is what it asks of people when one is sent."""

    def __init__(self, state: RunState, answer: Callable[[], Answer]) -> None:
        self.state, self._answer = state, answer
        self._count = 0
        self._on_their_way: dict[asyncio.Task[None], Notice] = {}
        self._newest: asyncio.Task[None] | None = None
        self._asked: set[str] = set()

    def tell(self, occasion: Occasion, title: str, text: str, *, escalated: bool = False) -> None:
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
            escalated=escalated,
            run=workflow.info().run_id,
            trace=spans.trace_id(),
            namespace=workflow.info().namespace,
        )
        self._send(notice.answered(self._answer()))

    def ask(self, asking: list[Answer]) -> None:
        """Tell of each thing that a person has to do or to decide, once for as long as it is asked."""
        known = {one.about for one in asking}
        new = [one for one in asking if one.about not in self._asked]
        if new and not workflow.patched("people-are-asked"):
            return
        self._asked = known
        for one in new:
            self.tell("asked", f"{one.says}: {self.state.headline}", ". ".join((one.title, *one.why[:2])))

    def _send(self, notice: Notice) -> None:
        task = asyncio.create_task(self._told(notice, self._newest))
        self._newest = task
        self._on_their_way[task] = notice
        task.add_done_callback(lambda over: self._on_their_way.pop(over, None))

    async def _told(self, notice: Notice, before: "asyncio.Task[None] | None") -> None:
        if before is not None and not before.done() and workflow.patched("notices-in-order"):
            await asyncio.wait([before], timeout=IN_ORDER_WITHIN.total_seconds())
        try:
            await deliver(notice, f"{notice.occasion}: {notice.title}")
        except ActivityError as error:
            word, message = reason(error)
            self.state.notes.append(f"notice {notice.occasion} was not delivered: {word}: {message}")

    async def all_told_within(self, limit: timedelta) -> None:
        """The same, and nobody waits longer than that."""
        if self._on_their_way:
            await asyncio.wait(self._on_their_way, timeout=limit.total_seconds())

    async def all_told(self) -> None:
        """Wait for those that are on their way, however each ends; a receiver that is dead keeps no run open."""
        if self._on_their_way and workflow.patched("told-at-the-end"):
            await self.all_told_within(AT_THE_END_WITHIN)
            return
        await asyncio.gather(*self._on_their_way, return_exceptions=True)

    def carries(self) -> dict[str, Any]:
        """How many there were, and those that have not been delivered."""
        return {"notices": self._count, "untold": tuple(self._on_their_way.values())}

    def resumes(self, known: IncidentState) -> None:
        """Send what the earlier run could not."""
        self._count += known.notices
        for notice in known.untold:
            self._send(notice)
