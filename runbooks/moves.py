"""Guests that a run has HA move: one step each, what is under way, and how it ended when the run lands meanwhile."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cluster.approval import Approval
    from cluster.contracts import ha
    from cluster.inventory import Inventory
    from cluster.move import Move, MoveWish, SettledWish
    from cluster.plan import Mode
    from runbooks.homecoming import Moved
    from workflows.runbook import Runbook

# A migration of a big guest over a slow link; HA itself sets no limit.
MOVED_WITHIN = timedelta(hours=2)
# What HA moves when a run lands is waited for, but not for ever; then it is named.
SETTLED_WITHIN = timedelta(minutes=30)


class Moves:
    """All moves of one run to nodes of one site. `why_not` is asked before each attempt of each of them."""

    def __init__(self, run: Runbook, inventory: Inventory, site: str, why_not: Callable[[], Awaitable[str]]) -> None:
        self._run, self._inventory, self._why_not = run, inventory, why_not
        own = inventory.site(site).array
        self._arrays = (own, *(array.name for array in inventory.arrays if array.name != own))
        self._transport = inventory.transport
        self._luns = {disk.volume_name: disk.lun(own) for disk in inventory.disks}
        self.moved: dict[str, Moved] = {}
        self.moving: dict[str, Move] = {}  # begun, and not proven yet: HA may have its command
        self.left: dict[str, str] = {}  # not moved by a person's answer

    async def one(self, title: str, move: Move, turn: int, approval: Approval | None, *, skip: str) -> bool:
        """Have HA move that guest, and prove where it runs; false when a person has left it where it is."""
        (volume, lun), *others = self._luns.items()
        wish = MoveWish(
            mode=Mode.APPLY,
            move=move,
            turn=turn,
            approval=approval,
            nodes=tuple(node.name for node in self._inventory.site_nodes),
            vg=self._inventory.groups,
            volume=volume,
            arrays=self._arrays,
            lun=lun,
            more=dict(others),
            transport=self._transport,
        )
        found = await self._run.step(
            title,
            ha.bring_home,
            wish,
            within=MOVED_WITHIN,
            attempt=MOVED_WITHIN,
            skip=skip,
            given=partial(self._may_begin, move),
            waiting=f"Moving {move.sid} from {move.source} to {move.home}",
        )
        self.moving.pop(move.sid, None)
        if found is None:
            self.left[move.sid] = "left where it is: the answer was skip"
            return False
        self.moved[move.sid] = Moved(
            sid=move.sid, source=move.source, home=move.home, seconds=found.seconds, downtime=found.downtime
        )
        return True

    async def _may_begin(self, move: Move) -> str:
        """Why not; a guest that may be moved counts as under way from then on."""
        if why := await self._why_not():
            return why
        self.moving[move.sid] = move
        return ""

    @property
    def done(self) -> set[str]:
        """Guests of which nothing is planned any more."""
        return {*self.moved, *self.moving, *self.left}

    @property
    def beyond(self) -> str:
        """What goes on at HA although nothing more is begun here."""
        going = [f"{move.sid} to {move.home}" for move in self.moving.values()]
        said = f"HA may still be moving {', '.join(going)}: Quorate cannot stop such a move; wait until it has ended."
        return said if going else ""

    async def ended(self) -> tuple[str, ...]:
        """How the moves ended that were under way, in a sentence each; waits for them."""
        if not self.moving:
            return ()
        found = await self._run.step(
            "Moves that were begun have ended",
            ha.settled,
            SettledWish(moves=tuple(self.moving.values())),
            within=SETTLED_WITHIN,
            attempt=SETTLED_WITHIN,
            waiting=f"Waiting for HA's moves to end: {', '.join(self.moving)}",
        )
        self.arrived = tuple(sid for sid, node in found.where.items() if node == self.moving[sid].home)
        return (f"{found.finding}.",)

    arrived: tuple[str, ...] = ()
