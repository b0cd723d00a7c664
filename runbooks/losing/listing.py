"""HA's own list of who ran where: read when the incident begins, later where nobody told it, and for nodes that follow.

What a list adds is watched like the first nodes and guests, and new homes go to the ledger.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.contracts import ha, records
    from cluster.forecast import WORKERS
    from cluster.incidents import conditions
    from cluster.ledger_calls import HomesWish
    from cluster.recovery import Asking, HaFinding, HaView
    from cluster.units import shortly
    from cluster.watching import Change
    from runbooks.losing.carried import LossState
    from runbooks.losing.fencing import Fencing
    from runbooks.losing.lost import Lost, named_lost
    from runbooks.losing.recovery import Recovery
    from runbooks.losing.timing import Timing
    from runbooks.loss import Loss
    from workflows.incident import Incident

LISTED_WITHIN = timedelta(seconds=30)


class Listing:
    """Whose guests are known, and whose are not yet."""

    def __init__(self, run: Incident, lost: Lost, timing: Timing, fencing: Fencing, recovery: Recovery) -> None:
        self._run, self._lost = run, lost
        self._timing, self._fencing, self._recovery = timing, fencing, recovery
        self._unlisted = False  # nobody has told HA's list yet
        self._following: list[tuple[tuple[str, ...], datetime]] = []  # nodes whose guests are not known yet

    # --- the list ----------------------------------------------------------------------------------------------

    async def read(self, loss: Loss) -> tuple[HaView | None, int]:
        """HA's own list, and starts at a time on one node; None where nobody tells it: nothing is concluded of that.

        Nobody is asked whether to go on without it: fencing and guests are watched at once, and the list is read later.
        """
        title, steps = "HA's list of services is read", self._run.steps
        await steps.call_hooks("before", title)
        found = await steps.do(
            title,
            ha.listed,
            Asking(via=loss.survivors),
            within=LISTED_WITHIN,
            failing="warn",
            waiting="Waiting for HA's list of services",
        )
        if not isinstance(found, HaFinding):
            self._run.remarks.note_once(
                "HA's list of services could not be read at first: homes are what the watch remembers"
            )
            return None, WORKERS
        await steps.call_hooks("after", title, found.finding)
        return found.view, found.workers

    def reads_later(self) -> None:
        """What could not be read when the incident began."""
        self._unlisted = True
        self._run.looks.beside(self._read_late())

    async def _read_late(self) -> None:
        wish = Asking(via=self._lost.loss.survivors)
        found = await self._run.looks.seen_by("HA's list of services", ha.listed, wish)
        before, self._unlisted = self._lost.loss.guests, False
        self._widened(self._lost.loss.listed(found.view, early=False), found.view)
        if new := {sid: node for sid, node in self._lost.loss.guests.items() if sid not in before}:
            await self._homes_recorded(new)

    def _widened(self, loss: Loss, view: HaView, since: datetime | None = None) -> None:
        """More nodes, or more guests, than before, down `since` then: they are watched like the first ones."""
        self._lost.so_far = loss
        if (expected := self._timing.forecast) is not None:
            self._recovery.begins(loss, loss.others(view), expected, since or self._run.record.began)
            self._fencing.begins(loss, expected)
        self._run.tell()

    async def _homes_recorded(self, homes: dict[str, str]) -> None:
        """Of guests that were learned of after the first ones had been put on record."""
        wish = HomesWish(cluster=self._lost.loss.inventory.name, homes=homes)
        await self._run.looks.seen_by("Homes are recorded in the ledger", records.record_homes, wish)

    # --- nodes that follow -------------------------------------------------------------------------------------

    def heed(self, change: Change) -> None:
        """A further node of the same site belongs to this loss, unless the whole site is gone."""
        loss = self._lost.loss
        told = [node for one in conditions(change.verdict) if one.kind == "node-lost" for node in one.where]
        if further := tuple(node for node in told if node in self._lost.here and node not in loss.nodes):
            self._lost.so_far = replace(loss, nodes=(*loss.nodes, *further))
            self._following.append((further, change.at))
            self._run.looks.beside(self._followed_by(further, change.at))

    async def _followed_by(self, further: tuple[str, ...], at: datetime) -> None:
        """Told, and then their homes, fencing and guests."""
        run, lost, said = self._run, self._lost, self._run.clock.says
        loss = lost.loss
        run.remarks.note_once(f"{said}: {shortly(further)} followed")
        run.notices.tell("worse", f"{shortly(further)} followed · {lost.headline}", said)
        run.state.headline = lost.headline = named_lost(loss)
        await run.watched.is_about(loss.nodes)
        await self._listed_further(further, at)

    async def _listed_further(self, further: tuple[str, ...], at: datetime) -> None:
        """Homes, fencing and guests of nodes that have followed."""
        lost = self._lost
        loss = lost.loss
        found = await self._run.looks.seen_by("HA's list of services", ha.listed, Asking(via=loss.survivors))
        wider = loss.listed(found.view, early=False)
        # a guest that HA had brought to one of these belongs where it ran before the first loss
        wider = replace(wider, nodes=lost.loss.nodes, guests={**wider.guests, **lost.loss.guests})
        new = {sid: node for sid, node in wider.guests.items() if sid not in lost.loss.guests}
        self._widened(wider, found.view, at)
        self._following.remove((further, at))
        if new and workflow.patched("homes-of-those-that-followed"):
            await self._homes_recorded(new)

    # --- from run to run ---------------------------------------------------------------------------------------

    def carries(self) -> dict[str, Any]:
        """For the next run."""
        return {"unlisted": self._unlisted, "following": self._following}

    def resumes(self, known: LossState) -> None:
        """Ask on for what the earlier run has not been told."""
        self._unlisted, self._following = known.unlisted, list(known.following)
        if self._unlisted:
            self._run.looks.beside(self._read_late())
        for further, at in tuple(self._following):
            self._run.looks.beside(self._listed_further(further, at))
