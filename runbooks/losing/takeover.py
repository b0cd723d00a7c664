"""A graver incident takes a loss over, and goes on with what this one knew: the loss of nodes becomes their site's."""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from cluster.incidents import taken_over_by
    from cluster.watching import Change
    from runbooks.losing.fencing import Fencing
    from runbooks.losing.guests import Guests
    from runbooks.losing.lost import Lost
    from runbooks.losing.recovery import Recovery
    from runbooks.losing.timing import Timing
    from runbooks.loss import Inheritance
    from runbooks.switches import Switches
    from workflows.continuing import ended
    from workflows.incident import Incident


class Takeover:
    """What one loss hands to a graver incident, and what it has got from a lesser one."""

    def __init__(
        self,
        run: Incident,
        lost: Lost,
        timing: Timing,
        fencing: Fencing,
        recovery: Recovery,
        guests: Guests,
        switches: Switches,
    ) -> None:
        self._run, self._lost, self._timing = run, lost, timing
        self._fencing, self._recovery, self._guests, self._switches = fencing, recovery, guests, switches
        self._inheritance: Inheritance | None = None  # said before the clock runs

    # --- to a graver one ---------------------------------------------------------------------------------------

    def heed(self, change: Change) -> None:
        """A graver incident that is open for this one's site goes on with it."""
        kind, site = workflow.info().workflow_type, self._lost.loss.site
        self._lost.handed_to = self._lost.handed_to or taken_over_by(kind, site, change.open)

    async def unless_taken_over(self, *steps: Coroutine[Any, Any, None]) -> bool:
        """Do these together; false when a graver incident has taken over meanwhile, and goes on with it."""
        run, lost = self._run, self._lost
        work = asyncio.ensure_future(run.together(*steps))
        try:
            await workflow.wait_condition(lambda: work.done() or bool(lost.handed_to))
        except asyncio.CancelledError:
            await ended(work)
            raise
        await ended(work)
        if not lost.handed_to:
            work.result()
            return True
        graver = workflow.get_external_workflow_handle(lost.handed_to)
        with contextlib.suppress(FailureError):  # it has ended already
            await graver.signal("inherit", self._legacy())
        run.notices.tell("changed", f"{lost.headline}: taken over", f"{lost.handed_to} continues this incident.")
        return False

    def _legacy(self) -> Inheritance:
        """What the graver incident goes on with. A node that has come back meanwhile is not fenced any more."""
        return Inheritance(
            run=workflow.info().workflow_id,
            homes=self._guests.lost,
            fenced={} if self._lost.any_back else self._fencing.fenced,
            proofs=self._fencing.proofs,
            frozen=self._switches.off,
            standing=self._guests.standing_of_lost,
            outages=self._guests.outages.known,
        )

    # --- from a lesser one -------------------------------------------------------------------------------------

    def inherit(self, legacy: Inheritance) -> None:
        """Homes from before the first loss, fencing that was seen then, switches that are off already."""
        self._switches.off = tuple(dict.fromkeys((*legacy.frozen, *self._switches.off)))
        if self._lost.so_far is None or self._timing.forecast is None:
            self._inheritance = legacy
            return
        loss = self._lost.so_far = replace(self._lost.so_far, guests={**self._lost.so_far.guests, **legacy.homes})
        self._recovery.takes_over(loss, legacy.standing, legacy.outages)
        self._recovery.begins(loss, {}, self._timing.forecast, self._run.record.began)
        self._fencing.inherits(legacy)
        self._run.tell()

    def inherits_early_word(self) -> None:
        """What was said before this run knew who is lost."""
        if self._inheritance is not None:
            self.inherit(self._inheritance)
