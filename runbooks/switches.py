"""What moves guests by itself, for any runbook that must not be disturbed by it: recorded, turned off, given back.

The cluster's ledger owns the switches: this run says that it needs them off before it touches the first one, and that
it needs them no more. When they go back is the ledger's to decide; what does not go back is listed there.
"""

from collections.abc import Mapping
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Approval
    from cluster.contracts import ha, records
    from cluster.contracts.records import ClusterName
    from cluster.ledger_calls import GiveBackWish, HomesWish, TakeWish
    from cluster.plan import Mode
    from cluster.recovery import FreezeWish, Frozen, SwitchesState, SwitchOutcome
    from workflows.runbook import Runbook
    from workflows.steps import Given

# The ledger compares itself with the cluster and sets back what it may.
SET_BACK_WITHIN = timedelta(minutes=5)
LATER = "it stays in the ledger, which tries again: see `quorate switches`"


class Switches:
    """The switches of one cluster, as this run needs them.

    `off` are those that this run has turned off, or was about to; `kept` those that were off after that and have to
    stay so; `refused` those that stay on and why; `unseen`: there may be others, which the token may not read. After
    `set_back`: `restored`, and `outstanding` with what holds each back, those of earlier runs among them.
    """

    def __init__(self, run: Runbook) -> None:
        self._run, self._cluster = run, ""
        self._taken = False
        self.off: tuple[Frozen, ...] = ()
        self.kept: tuple[Frozen, ...] = ()
        self.refused: dict[str, str] = {}
        self.unseen = False
        self._giving_back = False
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
        given: Given | None = None,
    ) -> None:
        """Turn off what is on, or only what of `known` is on; what is off already is held off while this run works.

        With an `approval` each change is checked against it. `given` is asked before the first change.
        """
        self._cluster, run = cluster, self._run
        found = await run.step(
            "Automatic moves are listed",
            ha.switches,
            ClusterName(cluster=cluster),
            skip=skip,
            waiting="Listing automatic moves",
        )
        self.unseen = bool(found and found.unread)
        ours = tuple(one for one in found.on if known is None or one in known) if found else ()
        if mode is Mode.APPLY:
            # before the first change: a run or a worker that dies between two changes leaves nothing unknown
            taken = await run.step(
                "Switches are recorded in the ledger",
                records.take,
                TakeWish(cluster=cluster, why=run.about.name, switches=ours),
                skip=skip,
                waiting="Recording switches in the ledger",
            )
            if taken is None:
                return
            self._taken, self.off = True, tuple(dict.fromkeys((*self.off, *ours)))
        if ours:
            frozen = await run.step(
                "Automatic moves are disabled",
                ha.freeze,
                FreezeWish(mode=mode, switches=ours, approval=approval),
                skip=skip,
                given=given,
                waiting="Disabling automatic moves",
            )
            self._learn(frozen.outcomes if frozen else ())

    def planned_anew(self, switches: tuple[Frozen, ...]) -> None:
        """Another plan is about to be asked for, which turns these off: they are on, and that is known."""
        again = {(one.kind, one.name) for one in switches}
        self.kept = tuple(one for one in self.kept if (one.kind, one.name) not in again)

    @property
    def lacks_some(self) -> bool:
        """Something moves guests still, or may do so unseen, and the run has not begun to give back."""
        return (self.unseen or bool(self.refused)) and not self._giving_back

    def _learn(self, outcomes: tuple[SwitchOutcome, ...]) -> None:
        """What stays on has a line of its own."""
        not_ours = {one.switch for one in outcomes if one.state in ("refused", "gone")}
        self.off = tuple(one for one in self.off if one not in not_ours)
        self.kept = tuple(dict.fromkeys((*self.kept, *(one.switch for one in outcomes if one.done))))
        for one in outcomes:
            self.refused.pop(str(one.switch), None)
            if one.state == "refused":
                self.refused[str(one.switch)] = one.text
                line = self._run.record.line(f"{one.switch.name} {one.switch.field} stays on")
                line.end("warned", one.text, self._run.record.elapsed)

    def carries(self) -> SwitchesState:
        """What the next run has to know, when this one continues as new."""
        return SwitchesState(
            cluster=self._cluster, taken=self._taken, off=self.off, refused=self.refused, unseen=self.unseen
        )

    def resumes(self, known: SwitchesState) -> None:
        """As the earlier run has left them."""
        self._cluster, self._taken, self.off = known.cluster, known.taken, known.off
        self.refused, self.unseen = dict(known.refused), known.unseen

    async def set_back(self, mode: Mode, homes: Mapping[str, str] | None = None) -> None:
        """The run needs them no more. `homes` are put on record before that, where there are any."""
        self._giving_back = True
        if not self._taken or mode is not Mode.APPLY:
            return
        if homes:
            wish = HomesWish(cluster=self._cluster, homes=dict(homes))
            skip = "no home is on record"
            await self._run.step("Homes are recorded in the ledger", records.record_homes, wish, skip=skip)
        found = await self._run.step(
            "What this run disabled is re-enabled",
            records.give_back,
            GiveBackWish(cluster=self._cluster),
            within=SET_BACK_WITHIN,
            skip=LATER,
            waiting="Re-enabling what this run disabled",
        )
        self.restored = tuple(map(str, found.restored)) if found else ()
        self.outstanding = found.outstanding if found else {str(one): LATER for one in self.off}
