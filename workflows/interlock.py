"""A run among others: it says that it is at work, waits while an incident is open, and takes no yes meanwhile.

What else is at work is read by an activity, which a changing step's own activity asks once more before each attempt.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import records
    from cluster.ledger import INCIDENTS
    from cluster.ledger_calls import BookWish
    from cluster.plan import Finding, Mode
    from cluster.together import TogetherFinding, TogetherWish
    from workflows.answers import Undecodable, name_of
    from workflows.failures import reason
    from workflows.page import Question
    from workflows.state import RunState
    from workflows.steps import Steps

# Long enough for the ledger to be started and to answer.
ENTERED_WITHIN, LEFT_WITHIN, ASKED_WITHIN = timedelta(minutes=2), timedelta(seconds=20), timedelta(seconds=20)
# One look goes on for ten minutes of the cluster's time.
WATCHED_WITHIN = timedelta(minutes=30)
AGAIN_IN = 5.0
NOT_LOOKED = "not looked yet"
OTHER = (
    "the worker's inventory has changed since this run began: its checks use the new one, its plan the old one; "
    "abort the run and start it again"
)
TITLE, WAITING = "No incident or other run is in the way", "Waiting until no incident or other run is in the way"


class Interlock:
    """The part of a run that minds what else is at work."""

    def __init__(self, state: RunState, steps: Steps) -> None:
        self.state, self._steps = state, steps

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def enter(self, mode: Mode, site: str = "") -> None:
        """Say that this run is at work, in mode `apply`; then as `clear`."""
        if mode is Mode.APPLY:
            await self.clear(site=site, enters=True)

    async def clear(self, *, site: str = "", enters: bool = False) -> None:
        """Wait while an incident is open that this run does not serve. ApplicationError when it may not run at all."""
        if workflow.info().workflow_type in INCIDENTS or not workflow.patched("together"):
            return
        wish = TogetherWish(cluster=self.state.cluster, enters=enters, site=site, mode=Mode.APPLY)
        found = await self._together(wish)
        self.state.entered = self.state.entered or enters
        if found.refuses:
            raise ApplicationError(found.refuses, type="AlreadyRunning", non_retryable=True)
        if not found.holds:
            return
        line = self.state.record.line(TITLE, WAITING)
        try:
            while found.holds:
                line.set("waiting", found.holds)
                self.state.alarm("together", f"Held: {found.holds}. The run goes on by itself when that is over.")
                found = await self._together(wish.model_copy(update={"enters": False, "known": found.holds}))
        except asyncio.CancelledError:
            line.end("stopped", "stopped while the run was held", self.state.record.elapsed)
            self.state.alarm("together", "")
            raise
        except FailureError:
            self.state.alarm("together", "")
            raise
        self.state.alarm("together", "")
        line.found(Finding(finding=found.finding), self.state.record.elapsed)

    @asynccontextmanager
    async def minding(self, tell: Callable[[str], None]) -> AsyncIterator[None]:
        """Look meanwhile whether an incident is open; `tell` learns why the run would have to hold, each time anew."""
        looking = asyncio.create_task(self._watched(tell)) if workflow.patched("together") else None
        evicted = False
        try:
            yield
        except GeneratorExit:  # the run leaves the worker's memory: there is nobody here to be told
            evicted = True
            raise
        finally:
            if not evicted:
                if looking is not None:
                    looking.cancel()
                tell("")

    # --- while people are asked --------------------------------------------------------------------------------

    async def _watched(self, tell: Callable[[str], None]) -> None:
        """What stands in the way, for as long as it matters; what cannot be seen is told as that."""
        known = NOT_LOOKED
        while True:
            wish = TogetherWish(cluster=self.state.cluster, known=known)
            try:
                found = await self._learned(wish, WATCHED_WITHIN)
            except (ActivityError, Undecodable) as error:
                # our own end, not a failure; runs that are older told it, and looked on
                if is_cancelled_exception(error) and workflow.patched("a-look-that-is-over"):
                    return
                tell(_unknown(error))
                await asyncio.sleep(AGAIN_IN)
                known = NOT_LOOKED
            else:
                known = found.holds
                tell(found.holds)

    async def asked_once(self) -> str:
        """Why the run would have to hold at this very moment."""
        try:
            wish = TogetherWish(cluster=self.state.cluster)
            found = await self._learned(wish, ASKED_WITHIN)
        except (ActivityError, Undecodable) as error:
            return _unknown(error)
        return found.holds

    # --- what it stands on -------------------------------------------------------------------------------------

    async def _learned(self, wish: TogetherWish, within: timedelta) -> TogetherFinding:
        """One look; and the page says so when the worker judges by another inventory than this run."""
        found = await self._steps.learn(records.together, wish, within=within, attempt=within)
        ours = self.state.inventory
        if ours and found.inventory not in ("", ours) and OTHER not in self.state.notes:
            self.state.notes.append(OTHER)
            self.state.tell()
        return found

    async def _together(self, wish: TogetherWish) -> TogetherFinding:
        """One look; parks when nothing can be learned."""
        within = ENTERED_WITHIN if wish.known is None else WATCHED_WITHIN
        while True:
            try:
                found = await self._learned(wish, within)
            except (ActivityError, Undecodable) as error:
                self.state.stop_if_asked()
                word, message = _why(error)
                line = self.state.record.line("Other runs and incidents are known")
                await self._steps.answered(line, Question(step=line.title, word=word, message=message, skip=None))
                line.end("warned", f"{word}: {message}", self.state.record.elapsed)
            else:
                return found

    async def leave(self) -> None:
        """Off the record, so that the next run may begin at once; the ledger notices it by itself as well."""
        if not self.state.entered:
            return
        self.state.entered = False
        try:
            # nothing hangs on the answer, and one of another build's shape must not end the ending
            await workflow.execute_activity(
                name_of(records.left),
                BookWish(cluster=self.state.cluster),
                result_type=RawValue,
                summary="no longer at work",
                schedule_to_close_timeout=LEFT_WITHIN,
            )
        except ActivityError as error:
            workflow.logger.info("the ledger was not told: %s", error.cause)


def _why(error: ActivityError | Undecodable) -> tuple[str, str]:
    return reason(error) if isinstance(error, ActivityError) else ("Undecodable", str(error))


def _unknown(error: ActivityError | Undecodable) -> str:
    """What is told while nobody can look."""
    return "not known whether an incident is open: {}: {}".format(*_why(error))
