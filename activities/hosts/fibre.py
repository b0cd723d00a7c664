"""A node's paths over Fibre Channel: HBAs log in by themselves, so what is left is to scan, to map, and to judge.

What a switch, a cable or a zone keeps away is told and never tried again from here: no command on the node mends it.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from activities.attempt import Changes
from activities.errors import Refuted
from activities.hosts import initiator
from activities.hosts.mapped import MappedPaths
from activities.parsing.fabric import parse_fabric
from activities.parsing.multipath import Map
from cluster import fabric as judging
from cluster.booting import lost_by_a_reboot
from cluster.contracts.hosts import ArrayPaths, PathsFinding, PathsWish
from cluster.fabric import Fabric

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

# HBA ports with the state of their links, and what they are logged in at. -L, as both folders hold links alone.
_FIND = (
    "find", "-L", "/sys/class/fc_host", "/sys/class/fc_remote_ports", "-maxdepth", "2",
    "(", "-name", "port_name", "-o", "-name", "port_state", "-o", "-name", "scsi_target_id", ")",
    "-exec", "grep", "-H", ".", "{}", "+",
)  # fmt: skip
_MISSING = "No such file or directory"


async def fabric_of(ssh: "SshHosts", node: str) -> Fabric:
    """The node's HBA ports and logins; none where the kernel knows no HBA."""
    answer = await ssh.run(node, *_FIND)
    if not answer.ok and not answer.stdout and _MISSING in answer.stderr:
        return Fabric()
    # a port that goes away while it is read is no error: what is left is told
    return parse_fabric(answer.stdout if answer.stdout else answer.or_rejected().stdout)


async def rescan(ssh: "SshHosts", node: str, fabric: Fabric, wwns: tuple[str, ...]) -> None:
    """Let the HBA ports look for LUNs.

    A scan adds what is new and touches no path that carries. `issue_lip` would log every port out and in again, and
    stop I/O meanwhile; `rescan-scsi-bus.sh` is in a package that a node need not have.
    """
    for hba in fabric.hbas:
        if hba.wwn in wwns:
            await ssh.write(node, f"/sys/class/scsi_host/host{hba.host}/scan", "- - -\n")


def zoned(fabric: Fabric, wwns: tuple[str, ...], arrays: dict[str, dict[str, str]]) -> str:
    """What of HBA ports, cables and zones keeps the node from an array, in words; empty when nothing."""
    return judging.lacking(fabric, wwns) or judging.unzoned(fabric, wwns, arrays)


@dataclass(frozen=True)
class Seen:
    """What a node has before it is judged; `map` is None where multipath knows no such device."""

    map: Map | None
    fabric: Fabric

    def usable(self, array: ArrayPaths) -> int:
        """The usable paths through an array, of the priority that it should give them."""
        return self.map.usable(array.priority, array.lun) if self.map else 0

    def wrong(self, wish: PathsWish) -> str:
        """What differs from the wished paths, in words; empty when nothing does."""
        ports = _ports(wish)
        if said := zoned(self.fabric, wish.wwns, ports) or judging.uneven(self.fabric, wish.wwns, ports):
            return said
        if self.map is None:
            return f"multipath shows no device {wish.wwid}"
        wrong = [] if self.map.handler == "1 alua" else [f"hwhandler is '{self.map.handler}', not '1 alua'"]
        wrong += filter(None, (self._lacking(wish, array) for array in wish.arrays))
        total = sum(len(group.paths) for group in self.map.groups)
        if not wrong and (len(self.map.groups) != len(wish.arrays) or total != self._expected(wish)):
            wrong.append(f"{len(self.map.groups)} path groups with {total} paths instead of 2 groups")
        return "; ".join(wrong)

    def _lacking(self, wish: PathsWish, array: ArrayPaths) -> str:
        logins = self.fabric.at(wish.wwns, array.wwns)
        usable = self.usable(array)
        if usable == len(logins):
            return ""
        said = f"{usable} of {len(logins)} paths with prio={array.priority} through {array.shown}"
        there = {path.place for group in self.map.groups for path in group.paths} if self.map else set()
        gone = [f"{one.hba} to {array.wwns[one.target]}" for one in logins if one.place not in there]
        return f"{said}, no disk from {', '.join(gone)}" if gone else said

    def _expected(self, wish: PathsWish) -> int:
        return sum(len(self.fabric.at(wish.wwns, array.wwns)) for array in wish.arrays)


def _ports(wish: PathsWish) -> dict[str, dict[str, str]]:
    return {one.array: one.wwns for one in wish.arrays}


class FcPaths(MappedPaths[Seen]):
    """What `Paths` does, for nodes with HBAs."""

    async def ensure(self, wish: PathsWish) -> PathsFinding:
        """Every login of an HBA port has its path, and multipath shows what ALUA should give."""
        ledger = Changes(wish.mode)
        await self._multipath.settle(ledger, wish)
        seen = await self._seen(wish)
        if not wish.emergency and (said := zoned(seen.fabric, wish.wwns, _ports(wish))):
            raise Refuted(f"{wish.node}: {said}")
        if (wish.wwid is None or seen.wrong(wish)) and ledger.intend(
            wish.node, "map multipath device", wish.wwid or "of the new volume", verb="create"
        ):
            await rescan(self._ssh, wish.node, seen.fabric, wish.wwns)
            await self._multipath.bring_up(wish)
            seen = await self._settled(wish)
        if not wish.emergency:
            boot = await initiator.boot(self._ssh, wish.node, "fc")
            await self._multipath.keep(ledger, wish, boot)
        return await self._ended(ledger, wish, seen)

    async def _seen(self, wish: PathsWish) -> Seen:
        found, fabric = await asyncio.gather(self._multipath.map_of(wish), fabric_of(self._ssh, wish.node))
        return Seen(map=found, fabric=fabric)

    async def _lost(self, wish: PathsWish) -> str:
        """What a reboot would lose, in words; in an emergency that can wait. HBAs log in again by themselves."""
        if wish.emergency:
            return ""
        return "; ".join(lost_by_a_reboot(await initiator.boot(self._ssh, wish.node, "fc"), wish.wwid, ()))
