"""What moves guests by itself, for any runbook that must not be disturbed by it: known, switched off, set back."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.freeze import Freeze
    from activities.inventory import ClusterName
    from cluster.plan import Mode
    from cluster.recovery import FreezeWish, Frozen, ThawWish
    from workflows.runbook import Runbook


class Switches:
    """The switches of one cluster. `off` are those that this run, or the one that it goes on from, has switched off."""

    def __init__(self, run: Runbook, off: tuple[Frozen, ...] = ()) -> None:
        self._run, self.off = run, off
        self.restored: tuple[str, ...] = ()
        self.outstanding: dict[str, str] = {}

    async def freeze(
        self, mode: Mode, cluster: str, only: tuple[Frozen, ...] | None = None, *, skip: str | None = None
    ) -> None:
        """Switch off what is on, or only these. What somebody has switched off meanwhile is not ours to set back."""
        which = ClusterName(cluster=cluster)
        known = await self._run.step("What moves guests by itself is known", Freeze.known, which, skip=skip)
        ours = tuple(one for one in known.on if only is None or one in only) if known else ()
        if not ours:
            return
        if mode is Mode.APPLY:
            # kept before the first change: a worker that dies between change and answer takes nothing with it
            self.off = tuple(dict.fromkeys((*self.off, *ours)))
        wish = FreezeWish(mode=mode, switches=ours)
        await self._run.step("What moves guests by itself is frozen", Freeze.freeze, wish, skip=skip)

    async def set_back(self, mode: Mode, placement: dict[str, str]) -> None:
        """Each as it was, where that moves nobody; `placement` is where guests belong."""
        wish = ThawWish(mode=mode, frozen=self.off, placement=placement)
        found = await self._run.step("What was frozen is set back", Freeze.thaw, wish, skip="it stays frozen")
        self.restored = tuple(map(str, found.restored)) if found else ()
        self.outstanding = found.outstanding if found else {str(one): "skipped" for one in self.off}
