"""How a look at a node's paths is judged, and how their change ends, where multipathd joins them.

What brings the paths there, iSCSI or Fibre Channel, says what it sees and what a reboot would lose of it.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from temporalio import activity

from activities.attempt import Changes, look_again
from activities.errors import Refuted
from activities.hosts import initiator
from activities.hosts.multipath import Multipath
from activities.parsing.multipath import Map
from cluster.contracts.hosts import ArrayPaths, PathsFinding, PathsWish
from cluster.multipathing import harmful, slow
from cluster.units import counted

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts


class Look(Protocol):
    """What a node has before it is judged; `map` is None where multipath knows no such device."""

    @property
    def map(self) -> Map | None:
        """The volume's map."""

    def usable(self, array: ArrayPaths) -> int:
        """The usable paths through an array, of the priority that it should give them."""

    def wrong(self, wish: PathsWish) -> str:
        """What differs from the wished paths, in words; empty when nothing does."""


Seen = TypeVar("Seen", bound=Look)


class MappedPaths(ABC, Generic[Seen]):
    """A node's paths, mapped by multipathd."""

    def __init__(self, ssh: "SshHosts") -> None:
        self._ssh, self._multipath = ssh, Multipath(ssh)

    @abstractmethod
    async def _seen(self, wish: PathsWish) -> Seen:
        """One look."""

    @abstractmethod
    async def _lost(self, wish: PathsWish) -> str:
        """What a reboot would lose, in words; in an emergency that can wait."""

    async def prove(self, wish: PathsWish) -> PathsFinding:
        """Every path is there, as ALUA should give it; `lasting` asks as well whether a reboot keeps it. Reads only."""
        seen = await self._seen(wish)
        if wrong := seen.wrong(wish):
            raise Refuted(f"{wish.node}: {wrong}")
        remark = ""
        if wish.lasting:
            config = await initiator.config(self._ssh, wish.node)
            if wrong := "; ".join(filter(None, (*harmful(config, wish.wwid), await self._lost(wish)))):
                raise Refuted(f"{wish.node}: {wrong}")
            told = "".join(f"; {one}" for one in slow(config, wish.wwid))
            remark = f", there again after a reboot{told}{await self._multipath.remark(wish, seen.map)}"
        near, far = (seen.usable(array) for array in wish.arrays)
        return PathsFinding(
            finding=f"{near} optimized, {far} non-optimized{remark}",
            node=wish.node,
            optimized=near,
            non_optimized=far,
        )

    async def _settled(self, wish: PathsWish) -> Seen:
        """Udev needs a moment after a scan: look again for some seconds before judging."""
        for pause in (0.2, 0.5, 1, 2, 4):
            seen = await self._seen(wish)
            if not seen.wrong(wish):
                return seen
            await look_again(pause, seen.wrong(wish))
        return await self._seen(wish)

    async def _ended(self, ledger: Changes, wish: PathsWish, seen: Seen) -> PathsFinding:
        """What the change has come to. Refuted when that is not what is wished, now or after a reboot."""
        await self._multipath.tune(ledger, wish)
        activity.heartbeat("verifying")
        if ledger.only_planned:
            return PathsFinding(
                finding=f"{counted(len(ledger.changes), 'change')} planned", changes=ledger.changes, node=wish.node
            )
        if wrong := seen.wrong(wish) or (await self._lost(wish) if ledger.changed else ""):
            raise Refuted(f"{wish.node}: {wrong}")
        remark = await self._multipath.remark(wish, seen.map)
        near, far = (seen.usable(array) for array in wish.arrays)
        return PathsFinding(
            finding=f"{near} optimized through {wish.arrays[0].array}, {far} non-optimized{remark}",
            changed=ledger.changed,
            changes=ledger.changes,
            node=wish.node,
            optimized=near,
            non_optimized=far,
        )
