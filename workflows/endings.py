"""How a run ends: whatever stops it, it lands, and everybody can read in which condition it left things and why.

Done, failed, aborted, cancelled, an answer that cannot be read: what is left over is restored or listed before the end
is told. Only a run that is terminated lands nothing; the cluster's ledger notices that.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import people
    from cluster.notices import Notice, NoticeWish
    from cluster.units import counted
    from workflows import attributes
    from workflows.answers import Undecodable, ask
    from workflows.claim import Held, released
    from workflows.failures import reason
    from workflows.steps import RETRY, Withheld
    from workflows.together import Together

# Nobody waits longer for a receiver that is away: the page says the same.
TOLD_WITHIN = timedelta(seconds=30)
# What stops a procedure. Everything else is a bug of ours, and Temporal tries that task again until it is mended.
STOPS = (FailureError, ValidationError, Withheld, Undecodable, asyncio.CancelledError)


class Ending(Together):
    """The part of a runbook that comes to an end."""

    def __init__(self) -> None:
        super().__init__()
        self._state = ""
        self._held: Held | None = None
        self._begun = False  # its claim is held: from now on every end lands
        self._alarms: dict[str, str] = {}
        self._cause = ""

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def landing(self) -> str:
        """What an abort does before the run ends; the condition in words. A runbook may say its own.

        Steps of a landing do not park: one that fails ends the landing, and the page says so.
        """
        return ""

    async def told_of_end(self, state: str, left: str) -> None:
        """Tell those who want to know that a run which was at work has not come to its end, and how it left things."""
        if not self._entered or not workflow.patched("told-of-its-end"):
            return
        notice = Notice(
            key=f"{workflow.info().workflow_id}/end",
            occasion="closed",
            cluster=self._cluster,
            incident=workflow.info().workflow_id,
            title=f"{self._subject}: {state}",
            text=" ".join(filter(None, (self._cause, left)))[:1000],
            at=workflow.now(),
        )
        try:
            await ask(
                people.tell,
                NoticeWish(notice=notice),
                summary=f"tell people: {state}",
                schedule_to_close_timeout=TOLD_WITHIN,
                retry_policy=RETRY,
            )
        except ActivityError as error:
            self._notes.append("the notice of its end was not delivered: {}: {}".format(*reason(error)))

    def alarm(self, key: str, text: str) -> None:
        """What a person must know before anything else, until it is called off (empty text); state `attention`."""
        if text:
            self._alarms[key] = text
        else:
            self._alarms.pop(key, None)
        self._tell()

    @asynccontextmanager
    async def conclusion(self) -> AsyncIterator[None]:
        """Wrap the whole procedure: the run list and the page show how it ended, whatever the end.

        Whatever stops it, it lands: what is left over is restored or listed before anything is said of the end.
        """
        self._main = asyncio.current_task()
        try:
            self._stop_if_asked()
            self._tell()
            yield
            await self._resumed()
        except STOPS as error:
            if not self._ending:
                await self._failed(error)
            await self._land("aborted")
            if self._abort is None:
                raise asyncio.CancelledError from None
            said = f"aborted{self._abort.signed}. {self._left}"
            raise ApplicationError(said, type="Aborted", non_retryable=True) from None
        self._notes += [f"hook {hook.name} met no step" for hook in self._hooks if hook.name not in self._hooked]
        self._left = "The run had come to its end."
        await self._close("done")

    # --- how it is done ----------------------------------------------------------------------------------------

    async def _failed(self, error: BaseException) -> None:
        """It lands as an aborted one does; then it fails with its cause."""
        word, self._cause = _cause(error)
        # refused before anything could have been changed
        if not self._begun or not workflow.patched("every-end-lands"):
            self._left = "Nothing was changed."
            await self._close("failed")
            raise error
        await self._land("failed")
        if self._left == "Nothing was changed." and isinstance(error, FailureError):
            raise error
        said = f"{self._cause.rstrip('.')}. {self._left}"
        raise ApplicationError(said, type=word, non_retryable=True) from error

    async def _land(self, state: str) -> None:
        """The landing comes to its end even if somebody cancels once more."""
        self._landing = True
        self._alarms.clear()
        self._tell()
        work = asyncio.create_task(self._landed(state))
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                continue
        work.result()

    async def _landed(self, state: str) -> None:
        try:
            condition = await self.landing()
        except STOPS as error:
            condition = f"The landing did not come to its end: {_cause(error)[1]}. {self.unlanded}".strip()
        changes, doubtful = self.record.changes, self.record.doubtful
        made = counted(len(changes), "change was made and stays.", "changes were made and stay.")
        left = made if changes else "Nothing was changed."
        if doubtful:
            left += f" Begun and not confirmed: {'; '.join(map(str, doubtful[:5]))}."
        self._left = f"{left} {condition}".strip()
        workflow.upsert_memo({"left": self._left})
        with contextlib.suppress(FailureError, ValidationError):
            await self.told_of_end(state, self._left)
        await self._close(state)

    @property
    def unlanded(self) -> str:
        """What is left over as far as the run itself knows, when its landing could not look; a runbook says its own."""
        return ""

    async def _close(self, state: str) -> None:
        """Nobody is kept waiting: neither the next run nor those who sent a message."""
        self._over = True
        await self._leave()
        await released(self._held)
        self._held = None
        self._closed = True
        self._state = state
        workflow.upsert_search_attributes([attributes.STATE.value_set(state)])
        self._tell()
        await workflow.wait_condition(workflow.all_handlers_finished)


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
