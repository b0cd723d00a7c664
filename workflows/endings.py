"""How a run ends: whatever stops it, it lands, and everybody can read in which condition it left things and why.

Done, failed, aborted, cancelled, an answer that cannot be read: what is left over is restored or listed before the end
is told. Only a run that is terminated lands nothing; the cluster's ledger notices that.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import people
    from cluster.notices import Notice, NoticeWish
    from cluster.units import counted
    from workflows import spans
    from workflows.answers import Undecodable, ask
    from workflows.failures import reason
    from workflows.notices import Notices
    from workflows.state import RunState
    from workflows.steps import RETRY, Withheld

# Nobody waits longer for a receiver that is away: the page says the same.
TOLD_WITHIN = timedelta(seconds=30)
# What stops a procedure. Everything else is a bug of ours, and Temporal tries that task again until it is mended.
STOPS = (FailureError, ValidationError, Withheld, Undecodable, asyncio.CancelledError)


class Ends(Protocol):
    """What an ending asks of the run itself."""

    @property
    def unlanded(self) -> str:
        """What is left over as far as the run itself knows, when its landing could not look."""

    async def landing(self) -> str:
        """What is done before the run ends; the condition in words."""

    async def close(self, state: str) -> None:
        """The next one may begin, and nobody is kept waiting."""


class Ending:
    """The part of a run that comes to an end."""

    def __init__(self, state: RunState, run: Ends, notices: Notices) -> None:
        self.state, self._run, self._notices = state, run, notices

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def told_of_end(self, state: str, left: str) -> None:
        """Tell those who want to know that a run which was at work has not come to its end, and how it left things."""
        if not self.state.entered or not workflow.patched("told-of-its-end"):
            return
        notice = Notice(
            key=f"{workflow.info().workflow_id}/end",
            occasion="failed" if state == "failed" else self.state.occasion,
            cluster=self.state.cluster,
            incident=workflow.info().workflow_id,
            title=f"{self.state.subject}: {state}",
            text=" ".join(filter(None, (self.state.cause, left)))[:1000],
            at=workflow.now(),
            severity="warning",
            run=workflow.info().run_id,
            trace=spans.trace_id(),
            namespace=workflow.info().namespace,
        )
        try:
            await ask(
                people.tell,
                NoticeWish(notice=notice),
                summary=f"send the notice: {state}",
                schedule_to_close_timeout=TOLD_WITHIN,
                retry_policy=RETRY,
            )
        except ActivityError as error:
            self.state.notes.append("the notice of its end was not delivered: {}: {}".format(*reason(error)))

    @asynccontextmanager
    async def conclusion(self) -> AsyncIterator[None]:
        """Wrap the whole procedure: the run list and the page show how it ended, whatever the end.

        Whatever stops it, it lands: what is left over is restored or listed before anything is said of the end.
        """
        self.state.main = asyncio.current_task()
        try:
            self.state.stop_if_asked()
            self.state.tell()
            if workflow.info().continued_run_id is None and workflow.patched("trace-in-memo"):
                workflow.upsert_memo({"trace": spans.trace_id()})
            yield
            await self.state.resumed()
        except STOPS as error:
            if not self.state.ending:
                await self._failed(error)
            await self._land("aborted")
            if self.state.abort is None:
                raise asyncio.CancelledError from None
            said = f"aborted{self.state.abort.signed}. {self.state.left}"
            raise ApplicationError(said, type="Aborted", non_retryable=True) from None
        self.state.notes += [
            f"hook {hook.name} matched no step" for hook in self.state.hooks if hook.name not in self.state.hooked
        ]
        self.state.left = "The run had ended."
        if self.state.approved:
            made = counted(len(self.state.record.changes), "change")
            self._notices.tell("done", f"{self.state.headline}: done", f"{made} made and proven.")
        await self._run.close("done")
        await self._notices.all_told_within(TOLD_WITHIN)

    # --- how it is done ----------------------------------------------------------------------------------------

    async def _failed(self, error: BaseException) -> None:
        """It lands as an aborted one does; then it fails with its cause."""
        word, self.state.cause = _cause(error)
        # refused before anything could have been changed
        if not self.state.begun or not workflow.patched("every-end-lands"):
            self.state.left = "Nothing was changed."
            await self._run.close("failed")
            raise error
        await self._land("failed")
        if self.state.left == "Nothing was changed." and isinstance(error, FailureError):
            raise error
        said = f"{self.state.cause.rstrip('.')}. {self.state.left}"
        raise ApplicationError(said, type=word, non_retryable=True) from error

    async def _land(self, state: str) -> None:
        """The landing comes to its end even if somebody cancels once more."""
        self.state.landing = True
        self.state.alarms.clear()
        self.state.tell()
        work = asyncio.create_task(self._landed(state))
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                continue
        work.result()

    async def _landed(self, state: str) -> None:
        try:
            condition = await self._run.landing()
        except STOPS as error:
            condition = f"The run could not finish its cleanup: {_cause(error)[1]}. {self._run.unlanded}".strip()
        changes, doubtful = self.state.record.changes, self.state.record.doubtful
        made = counted(len(changes), "change was made and stays.", "changes were made and stay.")
        left = made if changes else "Nothing was changed."
        if doubtful:
            left += f" Begun and not confirmed: {'; '.join(map(str, doubtful[:5]))}."
        self.state.left = f"{left} {condition}".strip()
        workflow.upsert_memo({"left": self.state.left})
        with contextlib.suppress(FailureError, ValidationError):
            await self.told_of_end(state, self.state.left)
        await self._run.close(state)
        await self._notices.all_told_within(TOLD_WITHIN)


def _cause(error: BaseException) -> tuple[str, str]:
    """Why it ended, as a word and a sentence."""
    if isinstance(error, ActivityError):
        word, message = reason(error)
        return word, f"{word}: {message}"
    if isinstance(error, ApplicationError):
        return error.type or "Error", error.message
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return "ValidationError", f"{error.title}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    return type(error).__name__, str(error) or "cancelled"
