"""Votes and the list of approvers are looked at by an activity, and a run outlives that it cannot be done.

A list that cannot be read for a minute, or an hour, ends no run: the run is parked with the reason, changes nothing
meanwhile, and looks again by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from cluster.approval import ApprovalPolicy, Vote
    from cluster.contracts import people
    from cluster.contracts.people import VerifyFinding, VerifyWish
    from cluster.gate import Asked
    from cluster.signers import persons, too_few
    from cluster.units import counted
    from workflows.answers import Undecodable, name_of, read
    from workflows.failures import reason
    from workflows.page import Question
    from workflows.record import Line
    from workflows.state import Parked, RunState
    from workflows.steps import RETRY

CHECKED_WITHIN = timedelta(minutes=1)
# What cannot be checked is looked at again by itself: soon at first, then each five minutes, for days if it must be.
AGAIN_IN, AGAIN_AT_MOST, LONGER = timedelta(seconds=2), timedelta(minutes=5), 1.7

Found = TypeVar("Found")


class Checks:
    """The part of a run that has votes checked."""

    def __init__(self, state: RunState) -> None:
        self.state = state

    # --- what a procedure is written in ------------------------------------------------------------------------

    async def signers_ready(self, policy: ApprovalPolicy, by: str | None) -> None:
        """Enough people may approve what `by` asks for: said at the start, not after days of quarantine.

        Parks while the list cannot be read or is too short. ApplicationError when it is not known who asks.
        """
        line = self.state.record.line("Enough approvers are listed", "Checking the list of approvers")
        self.state.tell()
        requester = (by or "").strip()
        able = len(persons((await self.listed(policy, requester, line)).signers))
        line.end("done", f"{able} listed, {policy.needed} needed besides {requester}", self.state.record.elapsed)
        self.state.tell()

    # --- one look ----------------------------------------------------------------------------------------------

    async def checked(self, votes: tuple[Vote, ...], asked: Asked | None = None) -> VerifyFinding:
        """A proof for each; ApplicationError when they cannot be checked at all. `asked` is for the record."""
        try:
            raw = await workflow.execute_activity(
                name_of(people.verify),
                VerifyWish(votes=votes, asked=asked),
                result_type=RawValue,
                summary=f"check {counted(len(votes), 'vote')}" if votes else "read the list of approvers",
                start_to_close_timeout=timedelta(seconds=20),
                schedule_to_close_timeout=CHECKED_WITHIN,
                retry_policy=RETRY,
            )
        except ActivityError as error:
            word, message = reason(error)
            raise ApplicationError(message, type=word, non_retryable=True) from error
        try:
            return read(people.verify, raw)
        except Undecodable as error:
            raise ApplicationError(str(error), type="Undecodable", non_retryable=True) from error

    # --- what cannot be checked now ----------------------------------------------------------------------------

    async def listed(self, policy: ApprovalPolicy, requester: str, line: Line) -> VerifyFinding:
        """The list, once it can be read and has enough people on it."""
        if not requester:
            why = 'by is missing: name who requests the run, for example "by": "ana"; that person cannot approve it'
            line.end("failed", why, self.state.record.elapsed)
            raise ApplicationError(why, type="Rejected", non_retryable=True)

        async def look() -> VerifyFinding:
            checked = await self.checked(())
            if lacks := too_few(policy, checked.signers, requester):
                raise ApplicationError(lacks, type="TooFew", non_retryable=True)
            return checked

        return await self.sooner_or_later(look)

    async def sooner_or_later(self, look: Callable[[], Awaitable[Found]]) -> Found:
        """What a look finds. While it fails, the run is parked with the reason looks again by itself."""
        line: Line | None = None
        pause = AGAIN_IN
        while True:
            try:
                found = await look()
            except ApplicationError as error:
                line = line or self.state.record.line("Approvals can be checked")
                await self.parked_for(line, pause, error)
                pause = min(pause * LONGER, AGAIN_AT_MOST)
            else:
                if line is not None:
                    line.end("done", "again", self.state.record.elapsed)
                return found

    async def parked_for(
        self, line: Line, pause: timedelta, error: ApplicationError, over: Callable[[], bool] = lambda: False
    ) -> None:
        """Parked with that reason, until it is time, a person says retry, or it is over anyway."""
        word = str(error.type)
        said = f"{error.message}. Quorate changes nothing meanwhile and checks again"
        parked = Parked(Question(step=line.title, word=word, message=said))
        self.state.parked.append(parked)
        line.park(f"{word}: {error.message}", self.state.record.elapsed)
        self.state.tell()
        try:
            await workflow.wait_condition(
                lambda: parked.answer is not None or over(), timeout=pause, timeout_summary="look again"
            )
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            line.end("stopped", f"{word}: {error.message}", self.state.record.elapsed)
            raise
        finally:
            self.state.parked.remove(parked)
