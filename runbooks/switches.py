"""What moves guests by itself, for any runbook that must not be disturbed by it: recorded, turned off, given back.

The cluster's ledger owns the switches: this run says that it needs them off before it touches the first one, and that
it needs them no more. When they go back is the ledger's to decide; what does not go back is listed there.
"""

from collections.abc import Mapping
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.freeze import Freeze
    from activities.inventory import ClusterName
    from activities.ledger import LedgerBook
    from cluster.approval import Approval
    from cluster.ledger_calls import GiveBackWish, HomesWish, TakeWish
    from cluster.plan import Mode
    from cluster.recovery import FreezeWish, Frozen
    from workflows.runbook import Runbook

# The ledger compares itself with the cluster and sets back what it may.
SET_BACK_WITHIN = timedelta(minutes=5)
LATER = "it stays in the ledger, which tries again: see `quorate switches`"


class Switches:
    """The switches of one cluster, as this run needs them.

    `off` are those that this run has turned off, `refused` those that stay on and why. After `set_back`: `restored`,
    and `outstanding` with what holds each back, those of earlier runs among them.
    """

    def __init__(self, run: Runbook) -> None:
        self._run, self._cluster = run, ""
        self._taken = False
        self.off: tuple[Frozen, ...] = ()
        self.refused: dict[str, str] = {}
        self.restored: tuple[str, ...] = ()
        self.outstanding: dict[str, str] = {}

    async def freeze(
        self,
        mode: Mode,
        cluster: str,
        known: tuple[Frozen, ...] | None = None,
        *,
        skip: str | None = None,
        approval: Approval | None = None,
    ) -> None:
        """Turn off what is on, or only what of `known` is on; what is off already is held off while this run works."""
        self._cluster = cluster
        which = ClusterName(cluster=cluster)
        found = await self._run.step("List automatic moves", Freeze.known, which, skip=skip)
        ours = tuple(one for one in found.on if known is None or one in known) if found else ()
        if mode is Mode.APPLY:
            why = self._run.about.name
            wish = TakeWish(cluster=cluster, why=why, switches=ours)
            # before the first change: a run or a worker that dies between two changes leaves nothing unknown
            if await self._run.step("Record switches in the ledger", LedgerBook.take, wish, skip=skip) is None:
                return
            self._taken, self.off = True, tuple(dict.fromkeys((*self.off, *ours)))
        if not ours:
            return
        frozen = await self._run.step(
            "Disable automatic moves", Freeze.freeze, FreezeWish(mode=mode, switches=ours, approval=approval), skip=skip
        )
        for one in frozen.outcomes if frozen else ():
            if one.state in ("refused", "gone"):
                self.off = tuple(other for other in self.off if other != one.switch)
            if one.state == "refused":
                self.refused[str(one.switch)] = one.text
                line = self._run.record.line(f"{one.switch.name} {one.switch.field} stays on")
                line.end("warned", one.text, self._run.record.elapsed)

    async def set_back(self, mode: Mode, homes: Mapping[str, str] | None = None) -> None:
        """The run needs them no more. `homes` are put on record before that, where there are any."""
        if not self._taken or mode is not Mode.APPLY:
            return
        if homes:
            wish = HomesWish(cluster=self._cluster, homes=dict(homes))
            await self._run.step(
                "Record homes in the ledger", LedgerBook.record_homes, wish, skip="no home is on record"
            )
        found = await self._run.step(
            "Re-enable what this run disabled",
            LedgerBook.give_back,
            GiveBackWish(cluster=self._cluster),
            within=SET_BACK_WITHIN,
            skip=LATER,
        )
        self.restored = tuple(map(str, found.restored)) if found else ()
        self.outstanding = found.outstanding if found else {str(one): LATER for one in self.off}
