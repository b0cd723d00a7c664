"""A node's paths over NVMe/TCP: a controller for each portal, judged by ANA, and there again after a reboot.

Nothing is disconnected, deleted or overwritten here but the file that carries our name: lines are added to
discovery.conf. Where the kernel's own multipathing is off, multipathd puts the paths together.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempt import Changes, look_again
from activities.errors import Refuted
from activities.hosts import initiator, nvme
from activities.hosts.maps import mapped
from activities.hosts.multipath import Multipath
from activities.hosts.nvme import Namespace
from cluster import nvme as rules
from cluster.booting import lost_by_a_reboot
from cluster.contracts.hosts import ArrayPaths, PathsFinding, PathsWish
from cluster.multipathing import harmful
from cluster.nvme import DISCOVERY, LOSS, NON_OPTIMIZED, OPTIMIZED, POLICY, RULES, RULES_FILE, Way, line_of
from cluster.plan import Ledger
from cluster.units import counted

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

# A portal that answers nothing is given up after 3 s (Linux, drivers/nvme/host/tcp.c: one SYN more), one that takes the
# connection and then falls silent after 60 s (nvme_core.admin_timeout); we probe before, this is the rest and some air.
CONNECT_LIMIT = 150.0


@dataclass(frozen=True)
class _Judged:
    """What is wrong with a node's paths, and how many are usable through the near array and the other."""

    wrong: str
    near: int = 0
    far: int = 0


class NvmePaths:
    """A node's paths over NVMe/TCP, for the activities on paths."""

    def __init__(self, ssh: "SshHosts") -> None:
        self._ssh, self._multipath = ssh, Multipath(ssh)

    async def ensure(self, wish: PathsWish) -> PathsFinding:
        """The node is connected to every portal of both arrays, and ANA says what the preferred arrays should give."""
        ledger = Changes(wish.mode)
        one_subsystem(wish)
        native, seen = await asyncio.gather(nvme.native(self._ssh, wish.node), self._seen(wish))
        if not native:
            await self._multipath.settle(ledger, wish)
        ways = await self._missing(wish, seen)
        for array in wish.arrays:
            await self._connect(ledger, wish, array, [way for way in ways if way.portal in array.portals])
        if ledger.changed:
            seen = await self._settled(wish, native=native)
        if not native:
            await self._map(ledger, wish)
        await self._keep(ledger, wish, seen, ways, native=native)
        await self._tune(ledger, wish)
        activity.heartbeat("verifying")
        if ledger.only_planned:
            return PathsFinding(
                finding=f"{counted(len(ledger.changes), 'change')} planned", changes=ledger.changes, node=wish.node
            )
        found = await self._judged(wish, seen, native=native)
        if found.wrong:
            raise Refuted(f"{wish.node}: {found.wrong}")
        near, far = found.near, found.far
        return PathsFinding(
            finding=f"{near} optimized through {wish.arrays[0].array}, {far} non-optimized"
            f"{await self._remark(wish, seen, native=native)}",
            changed=ledger.changed,
            changes=ledger.changes,
            node=wish.node,
            optimized=near,
            non_optimized=far,
        )

    async def prove(self, wish: PathsWish) -> PathsFinding:
        """The same verification, reading only."""
        one_subsystem(wish)
        native, seen = await asyncio.gather(nvme.native(self._ssh, wish.node), self._seen(wish))
        found = await self._judged(wish, seen, native=native)
        if found.wrong:
            raise Refuted(f"{wish.node}: {found.wrong}")
        remark = ""
        if wish.lasting:
            if lost := "; ".join(await self._lost(wish, seen, native=native)):
                raise Refuted(f"{wish.node}: {lost}")
            remark = f", there again after a reboot{await self._remark(wish, seen, native=native)}"
        near, far = found.near, found.far
        return PathsFinding(
            finding=f"{near} optimized, {far} non-optimized{remark}",
            node=wish.node,
            optimized=near,
            non_optimized=far,
        )

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _seen(self, wish: PathsWish) -> Namespace:
        return await nvme.namespace(self._ssh, wish.node, wish.wwid)

    async def _settled(self, wish: PathsWish, *, native: bool) -> Namespace:
        """The kernel scans a new controller by itself: look again for some seconds before judging."""
        seen = await self._seen(wish)
        for pause in (0.2, 0.5, 1, 2, 4):
            wrong = _lacking(wish, seen) if native else f"no NVMe namespace {wish.wwid}"
            if wish.wwid is None or not wrong or (not native and seen.device):
                break
            await look_again(pause, wrong)
            seen = await self._seen(wish)
        return seen

    async def _missing(self, wish: PathsWish, seen: Namespace) -> tuple[Way, ...]:
        _, lines = await nvme.lines(self._ssh, wish.node)
        portals = rules.every(_portals(wish))
        return rules.missing(portals, seen.controllers, [one.iface for one in lines if one.portal in portals])

    async def _judged(self, wish: PathsWish, seen: Namespace, *, native: bool) -> "_Judged":
        """What differs from the wished paths, and how many are usable: as ANA has it, or as multipathd groups it."""
        near, far = wish.arrays
        if native:
            ways = seen.controllers
            counts = rules.usable(near.portals, OPTIMIZED, ways), rules.usable(far.portals, NON_OPTIMIZED, ways)
            return _Judged(_lacking(wish, seen), *counts)
        found = await mapped(self._ssh, wish.node, str(wish.wwid))
        if found is None:
            return _Judged(
                f"native NVMe multipathing is off (nvme_core.multipath=N) and multipath shows no device {wish.wwid}; "
                f"make it: multipath -a {wish.wwid}; multipath -r"
            )
        each = rules.widest(rules.every(_portals(wish)), seen.controllers)
        counted_ = {array.array: found.usable(array.priority, 0) for array in wish.arrays}
        said = [
            f"{counted_[array.array]} of {expected} paths with prio={array.priority} through {array.array}"
            for array in wish.arrays
            if counted_[array.array] != (expected := len(array.portals) * each)
        ]
        return _Judged("; ".join(said), counted_[near.array], counted_[far.array])

    async def _lost(self, wish: PathsWish, seen: Namespace, *, native: bool) -> tuple[str, ...]:
        """What a reboot would lose, in words; in an emergency that can wait."""
        if wish.emergency:
            return ()
        enabled, (_, lines) = await asyncio.gather(
            nvme.autoconnects(self._ssh, wish.node), nvme.lines(self._ssh, wish.node)
        )
        lost = rules.lost_by_a_reboot(rules.unlisted(_ways(wish, seen), lines), enabled=enabled)
        if native:
            return lost
        boot, config = await asyncio.gather(
            initiator.boot(self._ssh, wish.node, "fc"), initiator.config(self._ssh, wish.node)
        )
        return (*harmful(config, wish.wwid), *lost, *lost_by_a_reboot(boot, wish.wwid, ()))

    async def _remark(self, wish: PathsWish, seen: Namespace, *, native: bool) -> str:
        """What the vendor recommends otherwise, and what stands in discovery.conf to its harm; neither is a fault."""
        _, lines = await nvme.lines(self._ssh, wish.node)
        said = ""
        if short := rules.impatient(rules.every(_portals(wish)), lines):
            said += (
                f"; {DISCOVERY} lets the kernel give up controllers at {', '.join(short)} for good: "
                f"write {' '.join(LOSS)} in these lines"
            )
        if more := rules.beside(rules.every(_portals(wish)), seen.controllers):
            said += f"; also connected to {', '.join(more)}, which arrays.portals leaves out"
        if native and (now := await nvme.policy(self._ssh, wish.node, seen)):
            said += f"; the vendor recommends another path policy: {now} (recommended: {POLICY})"
        return said

    # --- changing ----------------------------------------------------------------------------------------------------

    async def _connect(self, ledger: Ledger, wish: PathsWish, array: ArrayPaths, ways: list[Way]) -> None:
        if not ways:
            return
        dark = await initiator.dark_portals(self._ssh, wish.node, tuple(dict.fromkeys(way.portal for way in ways)))
        if dark and not wish.emergency:
            raise Refuted(initiator.told_dark(wish.node, array.array, dark))
        for way in ways:
            if way.portal in dark:
                continue
            if ledger.intend(wish.node, "connect", way.shown, array.array, verb="connect"):
                await self._ssh.read(
                    wish.node, "nvme", "connect", *way.words, f"--nqn={array.nqn}", *LOSS, limit=CONNECT_LIMIT
                )

    async def _map(self, ledger: Ledger, wish: PathsWish) -> None:
        """Proxmox VE's multipath maps only what was named (find_multipaths strict)."""
        there = await mapped(self._ssh, wish.node, wish.wwid) if wish.wwid else None
        if there is None and ledger.intend(
            wish.node, "map multipath device", wish.wwid or "of the new volume", verb="create"
        ):
            await self._multipath.bring_up(wish)

    async def _keep(
        self, ledger: Ledger, wish: PathsWish, seen: Namespace, planned: tuple[Way, ...], *, native: bool
    ) -> None:
        """What a boot needs to connect again; no matter of an emergency."""
        if wish.emergency:
            return
        text, lines = await nvme.lines(self._ssh, wish.node)
        ways = tuple(dict.fromkeys((*_ways(wish, seen), *planned)))
        for way in rules.unlisted(ways, lines):
            if ledger.intend(wish.node, "add portal to reconnect", way.shown, DISCOVERY, verb="add"):
                begin = "" if not text or text.endswith("\n") else "\n"
                text = f"{begin}{line_of(way)}\n"
                await self._ssh.write(wish.node, DISCOVERY, text, append=True)
        if not await nvme.autoconnects(self._ssh, wish.node) and ledger.intend(
            wish.node, "enable unit", rules.AUTOCONNECT, verb="enable"
        ):
            await self._ssh.read(wish.node, "systemctl", "enable", rules.AUTOCONNECT)
        if not native:
            await self._multipath.keep(ledger, wish, await initiator.boot(self._ssh, wish.node, "fc"))

    async def _tune(self, ledger: Ledger, wish: PathsWish) -> None:
        """The vendor's path policy by a rule of udev, where the inventory says so."""
        node = wish.node
        if wish.emergency or wish.tuning != "set":
            return
        there = await self._ssh.run(node, "cat", RULES_FILE)
        if there.ok and there.stdout == RULES:
            return
        if ledger.intend(node, "set path policy", RULES_FILE, verb="set"):
            await self._ssh.write(node, RULES_FILE, RULES)
            await self._ssh.read(node, "udevadm", "control", "--reload")
            await self._ssh.read(node, "udevadm", "trigger", "--action=change", "--subsystem-match=nvme-subsystem")
            await self._ssh.read(node, "udevadm", "settle", "--timeout=10")


def one_subsystem(wish: PathsWish) -> None:
    """Refuted where the arrays' paths could never be put together."""
    if len(nqns := {one.nqn for one in wish.arrays}) > 1:
        raise Refuted(f"{wish.node}: {rules.subsystems_differ(nqns)}")


def _lacking(wish: PathsWish, seen: Namespace) -> str:
    return rules.lacking(_portals(wish), wish.arrays[0].array, seen.controllers, seen.device, str(wish.wwid))


def _ways(wish: PathsWish, seen: Namespace) -> tuple[Way, ...]:
    portals = rules.every(_portals(wish))
    return tuple(Way(portal=one.portal, iface=one.iface) for one in seen.controllers if one.portal in portals)


def _portals(wish: PathsWish) -> dict[str, tuple[str, ...]]:
    return {one.array: one.portals for one in wish.arrays}
