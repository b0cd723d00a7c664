"""What an incident and its watch say to each other: verdicts as they change, what it is about, and its end.

An incident that nobody tells anything, because no watch runs, looks for itself until one does.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from cluster.answers.model import Answer
    from cluster.contracts import watch
    from cluster.incidents import StockWish
    from cluster.memory import Memory
    from cluster.verdict import Verdict
    from cluster.watching import Change, Open, WatchWish, watch_id
    from workflows import attributes
    from workflows.answers import begun
    from workflows.carried import IncidentState
    from workflows.incidents.looks import AGAIN, LOOKS_FOR, REFUSED_FOR, Looks
    from workflows.incidents.remarks import Remarks
    from workflows.state import RunState
    from workflows.steps import HEARTBEAT


class Watched:
    """The part of an incident that knows how the cluster looks. `heed` is what a verdict means for it, at once.

    `memory` is what is remembered of the cluster, `newest` what was told last; only the newest word counts.
    """

    def __init__(self, state: RunState, looks: Looks, remarks: Remarks, heed: Callable[[Change], None]) -> None:
        self.state, self._looks, self._remarks, self._heed = state, looks, remarks, heed
        self.memory = Memory()
        self.newest: Change | None = None
        self.answers: tuple[Answer, ...] = ()  # what the newest look says of each condition
        self.changes = 0  # how often it was told of the cluster
        self._read = 0
        self._from_watch = 0

    # --- what it is told ---------------------------------------------------------------------------------------

    def told(self, change: Change) -> None:
        """The watch's word: kept for whoever waits; what is worse is on the page at once."""
        self._from_watch += 1
        self._hear(change)

    def _hear(self, change: Change) -> None:
        self.changes += 1
        self.newest, self.answers = change, change.answers
        if not self.state.over:
            self._heed(change)
            self.judged(change.verdict)
            self.state.tell()

    def judged(self, verdict: Verdict) -> None:
        """Show in the run list what it is about."""
        workflow.upsert_search_attributes([attributes.VERDICT.value_set(verdict.kind)])

    async def next_change(self) -> Change:
        """The newest verdict that has not been read yet, also one that came before anybody waited for it."""
        await workflow.wait_condition(lambda: self.changes > self._read)
        self._read = self.changes
        assert self.newest is not None  # noqa: S101  # it was told so often
        return self.newest

    @property
    def all_read(self) -> bool:
        """What it was told last has been taken in."""
        return self.changes == self._read

    # --- what it tells its watch -------------------------------------------------------------------------------

    async def is_about(self, where: tuple[str, ...]) -> None:
        """Let the watch know, now and when it starts again, which site or nodes this incident is about."""
        workflow.upsert_memo({"where": list(where)})
        open_ = Open(run=workflow.info().workflow_id, key="", kind=workflow.info().workflow_type, where=where)
        with contextlib.suppress(FailureError):  # no watch runs; one that starts finds it by its memo
            await self._watch.signal("began", open_)

    async def closed(self) -> None:
        """Let it know that this incident is over."""
        with contextlib.suppress(FailureError):  # no watch runs
            await self._watch.signal("closed", workflow.info().workflow_id)

    @property
    def _watch(self) -> workflow.ExternalWorkflowHandle[Any]:
        return workflow.get_external_workflow_handle(watch_id(self.state.cluster))

    # --- while no watch runs -----------------------------------------------------------------------------------

    async def whenever_unwatched(self) -> None:
        """No watch runs: look at the cluster until one has told something."""
        while True:
            heard = self._from_watch
            await self._looks.seen_by(
                "Waiting for the watch to be gone", watch.unwatched, StockWish(cluster=self.state.cluster)
            )
            self._remarks.note_once(f"no watch of {self.state.cluster} runs: this incident watches the cluster itself")
            known = ""
            while self._from_watch == heard:
                known = await self._looked(known, heard)
            self.state.notes.append(f"a watch of {self.state.cluster} runs again")

    async def _looked(self, known: str, heard: int) -> str:
        """One look of its own; the key of what was found. It is cut short by the first word of a watch."""
        looking = begun(
            watch.look,
            WatchWish(cluster=self.state.cluster, memory=self.memory, known=known, urgent=not known),
            summary="until there is something new",
            start_to_close_timeout=LOOKS_FOR,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=AGAIN,
        )
        try:
            await workflow.wait_condition(lambda: looking.done() or self._from_watch != heard)
        finally:
            if not looking.done():
                looking.cancel()
        try:
            seen = await looking
        except ActivityError as error:
            if is_cancelled_exception(error) and self._from_watch == heard:
                raise asyncio.CancelledError from None
            if self._from_watch == heard:
                await asyncio.sleep(REFUSED_FOR.total_seconds())
            return known
        self.memory = seen.memory
        if seen.new and self._from_watch == heard:
            self._hear(Change(verdict=seen.verdict, at=seen.at, answers=seen.answers))
        return seen.verdict.key if seen.new else known

    # --- from run to run ---------------------------------------------------------------------------------------

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {
            "changes": self.changes,
            "read": self._read,
            "from_watch": self._from_watch,
            "newest": self.newest,
            "memory": self.memory,
            "told": self.answers,
        }

    def resumes(self, known: IncidentState) -> None:
        """A word of the watch may have been taken before the first line of this run."""
        self.changes += known.changes
        self._read, self._from_watch = known.read, self._from_watch + known.from_watch
        self.newest = self.newest or known.newest
        self.memory = known.memory
        self.answers = self.answers or known.told
