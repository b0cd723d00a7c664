"""A node's paths: logged in to every portal, mapped, judged, and there again after a reboot.

What multipathd goes by is judged first: nothing is changed on a node whose settings would do harm. Nothing is logged
out, deleted or overwritten here but the files that carry our name.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempt import Changes, look_again
from activities.errors import NotFound, Refuted, Unauthorized
from activities.hosts import initiator
from activities.hosts.maps import map_of
from activities.parsing.iscsi import Target, parse_targets
from activities.parsing.multipath import Map
from activities.serving import serves
from cluster.booting import Boot, lost_by_a_reboot
from cluster.contracts import hosts
from cluster.contracts.hosts import ArrayPaths, PathsFinding, PathsWish
from cluster.multipathing import CONF, harmful, settings_of
from cluster.plan import Ledger
from cluster.portals import host_and_port
from cluster.sessions import Record, Session, beside, manual, strangers, unconnected, uneven, unused, widest
from cluster.tuning import RULES, RULES_FILE, differs
from cluster.units import counted

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

# iscsiadm's own statuses: 15 the session exists already, 24 the target refused who logs in (iscsi_err.h).
ISCSI_EXISTS, ISCSI_REFUSED = 15, 24
# A login to a portal that answers nothing: 15 s, eight times (iscsid.conf), and some air.
LOGIN_LIMIT = 150.0


@dataclass(frozen=True)
class Seen:
    """What a node has before it is judged."""

    map: Map | None
    sessions: tuple[Session, ...]


class Paths:
    """Activities on a node's paths."""

    def __init__(self, ssh: "SshHosts") -> None:
        self._ssh = ssh

    @serves(hosts.ensure_paths)
    async def ensure_paths(self, wish: PathsWish) -> PathsFinding:
        """The node is logged in to every portal of both arrays, and multipath shows what ALUA should give."""
        ledger = Changes(wish.mode)
        await self._settle_multipath(ledger, wish)
        seen = await self._seen(wish)
        records = await initiator.records(self._ssh, wish.node)
        for array in wish.arrays:
            await self._log_in(ledger, wish, array, seen.sessions, records)
        if ledger.changed:
            seen = await self._seen(wish)
        if (wish.wwid is None or _wrong(wish, seen)) and ledger.intend(
            wish.node, "map multipath device", wish.wwid or "of the new volume", verb="create"
        ):
            await self._bring_up(wish)
            seen = await self._settled(wish)
        await self._keep(ledger, wish)
        await self._tune(ledger, wish)
        activity.heartbeat("verifying")
        if ledger.only_planned:
            return PathsFinding(
                finding=f"{counted(len(ledger.changes), 'change')} planned", changes=ledger.changes, node=wish.node
            )
        if wrong := _wrong(wish, seen) or ("; ".join(await self._lost(wish)) if ledger.changed else ""):
            raise Refuted(f"{wish.node}: {wrong}")
        near, far = (_count(wish, array, seen) for array in wish.arrays)
        remark = await self._remark(wish, seen)
        return PathsFinding(
            finding=f"{near} optimized through {wish.arrays[0].array}, {far} non-optimized{remark}",
            changed=ledger.changed,
            changes=ledger.changes,
            node=wish.node,
            optimized=near,
            non_optimized=far,
        )

    @serves(hosts.paths)
    async def paths(self, wish: PathsWish) -> PathsFinding:
        """The same verification, reading only."""
        seen = await self._seen(wish)
        if wrong := _wrong(wish, seen):
            raise Refuted(f"{wish.node}: {wrong}")
        remark = ""
        if wish.lasting:
            if wrong := "; ".join((*await self._harm(wish), *await self._lost(wish))):
                raise Refuted(f"{wish.node}: {wrong}")
            remark = f", there again after a reboot{await self._remark(wish, seen)}"
        near, far = (_count(wish, array, seen) for array in wish.arrays)
        return PathsFinding(
            finding=f"{near} optimized, {far} non-optimized{remark}",
            node=wish.node,
            optimized=near,
            non_optimized=far,
        )

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _seen(self, wish: PathsWish) -> Seen:
        found, sessions = await asyncio.gather(self._map(wish), initiator.sessions(self._ssh, wish.node))
        return Seen(map=found, sessions=sessions)

    async def _map(self, wish: PathsWish) -> Map | None:
        return await map_of(self._ssh, wish.node, wish.wwid) if wish.wwid else None

    async def _settled(self, wish: PathsWish) -> Seen:
        """Udev needs a moment after a rescan: look again for some seconds before judging."""
        for pause in (0.2, 0.5, 1, 2, 4):
            seen = await self._seen(wish)
            if not _wrong(wish, seen):
                return seen
            await look_again(pause, _wrong(wish, seen))
        return await self._seen(wish)

    async def _harm(self, wish: PathsWish) -> tuple[str, ...]:
        return harmful(await initiator.config(self._ssh, wish.node), wish.wwid)

    async def _lost(self, wish: PathsWish) -> tuple[str, ...]:
        """What a reboot would lose."""
        boot, records = await self._after_boot(wish)
        left = [one for array in wish.arrays for one in manual(array.iqn, array.portals, records)]
        return lost_by_a_reboot(boot, wish.wwid, left)

    async def _after_boot(self, wish: PathsWish) -> tuple[Boot, tuple[Record, ...]]:
        return await asyncio.gather(initiator.boot(self._ssh, wish.node), initiator.records(self._ssh, wish.node))

    async def _remark(self, wish: PathsWish, seen: Seen) -> str:
        """What the vendor recommends otherwise, which is no fault."""
        disks = sorted(path.removeprefix("/dev/") for path in seen.map.disks) if seen.map else []
        said = differs(await initiator.disk_settings(self._ssh, wish.node, disks))
        return f"; the vendor recommends other settings: {said}" if said else ""

    # --- multipath ---------------------------------------------------------------------------------------------------

    async def _settle_multipath(self, ledger: Ledger, wish: PathsWish) -> None:
        """What multipathd goes by does no harm; where the inventory says so, it is told what counts for the volume."""
        if wish.multipath == "set":
            await self._write(ledger, wish, "set multipath settings", CONF, settings_of(wish.wwid) if wish.wwid else "")
        if (wish.multipath == "check" or not ledger.only_planned) and (wrong := await self._harm(wish)):
            raise Refuted(f"{wish.node}: {'; '.join(wrong)}")

    async def _write(self, ledger: Ledger, wish: PathsWish, what: str, path: str, text: str) -> None:
        """A file of ours, and the daemon that reads it; nothing where it stands there already."""
        there = await self._ssh.run(wish.node, "cat", path)
        if (text and there.ok and there.stdout == text) or not ledger.intend(wish.node, what, path, verb="set"):
            return
        await self._ssh.read(wish.node, "mkdir", "-p", path.rpartition("/")[0])
        await self._ssh.write(wish.node, path, text)
        if path == CONF:
            await self._ssh.read(wish.node, "multipathd", "reconfigure")
        else:
            await self._ssh.read(wish.node, "udevadm", "control", "--reload")
            await self._ssh.read(wish.node, "udevadm", "trigger", "--action=change", "--subsystem-match=block")
            await self._ssh.read(wish.node, "udevadm", "settle", "--timeout=10")

    async def _bring_up(self, wish: PathsWish) -> None:
        await self._ssh.read(wish.node, "iscsiadm", "-m", "session", "--rescan")
        # Proxmox VE's multipath maps only what was named (find_multipaths strict).
        await self._ssh.read(wish.node, "multipath", "-a", str(wish.wwid))
        await self._ssh.read(wish.node, "multipath", "-r")

    # --- sessions ----------------------------------------------------------------------------------------------------

    async def _log_in(
        self,
        ledger: Ledger,
        wish: PathsWish,
        array: ArrayPaths,
        sessions: tuple[Session, ...],
        records: tuple[Record, ...],
    ) -> None:
        node = wish.node
        if missing := unconnected(array.iqn, array.portals, sessions):
            asked = tuple(dict.fromkeys((array.portals[0], *missing)))
            if dark := await initiator.dark_portals(self._ssh, node, asked):
                raise Refuted(initiator.told_dark(node, array.array, dark))
            if ledger.intend(node, "discover targets", array.array, array.portals[0], verb="add"):
                await self._discover(node, array, missing)
            for portal in missing:
                if ledger.intend(node, "log in", portal, array.array, verb="connect"):
                    await self._session(wish, array, portal)
        for way in unused(array.iqn, array.portals, sessions, records):
            if ledger.intend(node, "log in", way.portal, f"{array.array}, {way.iface}", verb="connect"):
                await self._session(wish, array, way.portal, way.iface)

    async def _discover(self, node: str, array: ArrayPaths, missing: tuple[str, ...]) -> None:
        """Records of new portals. Without `-o new` those that are there would be set back to iscsid.conf's defaults."""
        command = ("iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", array.portals[0], "-o", "new")
        offered = parse_targets(await self._ssh.read(node, *command))
        for portal in missing:
            if Target(portal=portal, iqn=array.iqn) not in offered:
                raise NotFound(f"{node}: {array.array} does not offer the portal {portal} in its discovery")

    async def _session(self, wish: PathsWish, array: ArrayPaths, portal: str, iface: str = "") -> None:
        """Log in now and after every boot."""
        record = ("iscsiadm", "-m", "node", "-T", array.iqn, "-p", portal, *(("-I", iface) if iface else ()))
        await self._ssh.read(wish.node, *record, "--op", "update", "-n", "node.startup", "-v", "automatic")
        if wish.chap:
            records = await initiator.records(self._ssh, wish.node)
            await self._introduce(wish, [one for one in records if (one.iqn, one.portal) == (array.iqn, portal)])
        answer = await self._ssh.run(wish.node, *record, "--login", limit=LOGIN_LIMIT)
        if answer.status == ISCSI_REFUSED:
            raise Unauthorized(f"{wish.node}: {array.array} refuses the login at {portal}: {_who(wish)}")
        if answer.status != ISCSI_EXISTS:
            answer.or_rejected()

    async def _introduce(self, wish: PathsWish, records: list[Record]) -> None:
        """Put name and secret into records: a line that comes later counts, and iscsiadm's next update tidies up.

        `iscsiadm` takes a value on its command line alone, where every user of the node could read it.
        """
        for one in records if wish.chap else ():
            assert wish.chap is not None  # noqa: S101  (mypy)
            address, port = host_and_port(one.portal)
            path = f"/etc/iscsi/nodes/{one.iqn}/{address},{port},{one.group}/{one.iface}"
            lines = (
                "node.session.auth.authmethod = CHAP\n"
                f"node.session.auth.username = {wish.chap.user}\n"
                "node.session.auth.password = (secret)\n"
            )
            await self._ssh.write(wish.node, path, lines, secrets={"(secret)": wish.chap.password}, append=True)

    # --- after a reboot ----------------------------------------------------------------------------------------------

    async def _keep(self, ledger: Ledger, wish: PathsWish) -> None:
        """Records, units and WWIDs that bring the paths back after a boot."""
        boot, records = await self._after_boot(wish)
        for array in wish.arrays:
            for portal in dict.fromkeys(one.portal for one in manual(array.iqn, array.portals, records)):
                await self._startup(ledger, wish.node, array, portal, "automatic")
            for portal in dict.fromkeys(one.portal for one in strangers(array.iqn, array.portals, records)):
                await self._startup(ledger, wish.node, array, portal, "manual")
            await self._same_name(ledger, wish, array, records)
        for unit in boot.disabled:
            if ledger.intend(wish.node, "enable unit", unit, verb="enable"):
                await self._ssh.read(wish.node, "systemctl", "enable", unit)
        mapped = any(one.what == "map multipath device" for one in ledger.changes)
        known = wish.wwid is None or wish.wwid in boot.wwids or mapped
        if not known and ledger.intend(wish.node, "remember multipath device", str(wish.wwid), verb="add"):
            await self._ssh.read(wish.node, "multipath", "-a", str(wish.wwid))

    async def _startup(self, ledger: Ledger, node: str, array: ArrayPaths, portal: str, how: str) -> None:
        detail = array.array if how == "automatic" else f"{array.array}, not in arrays.portals"
        if ledger.intend(node, f"set {how} login at boot", portal, detail, verb="set"):
            record = ("iscsiadm", "-m", "node", "-T", array.iqn, "-p", portal)
            await self._ssh.read(node, *record, "--op", "update", "-n", "node.startup", "-v", how)

    async def _same_name(self, ledger: Ledger, wish: PathsWish, array: ArrayPaths, records: tuple[Record, ...]) -> None:
        """The next login of sessions that are there already has the name that the arrays ask for."""
        if wish.chap is None:
            return
        ours = [one for one in records if one.iqn == array.iqn and one.portal in array.portals]
        wrong = [one for one in ours if (one.auth_method, one.username) != ("CHAP", wish.chap.user)]
        for portal in dict.fromkeys(one.portal for one in wrong):
            if ledger.intend(wish.node, "set CHAP", portal, f"{array.array}, user {wish.chap.user}", verb="set"):
                await self._introduce(wish, [one for one in wrong if one.portal == portal])

    async def _tune(self, ledger: Ledger, wish: PathsWish) -> None:
        if wish.tuning == "set":
            await self._write(ledger, wish, "set disk settings", RULES_FILE, RULES)


def _who(wish: PathsWish) -> str:
    if wish.chap is None:
        return "it asks for CHAP, and the inventory has no paths.chap"
    return (
        f"compare user {wish.chap.user} and the secret of paths.chap ({wish.chap.password}) with CHAP of the host "
        f"{wish.node} there"
    )


def _expected(wish: PathsWish, array: ArrayPaths, seen: Seen) -> int:
    """How many paths there should be through an array: as many to each portal as any portal has."""
    iqns = {one.array: one.iqn for one in wish.arrays}
    return len(array.portals) * widest(iqns, {one.array: one.portals for one in wish.arrays}, seen.sessions)


def _count(wish: PathsWish, array: ArrayPaths, seen: Seen) -> int:
    return seen.map.usable(array.priority, array.lun) if seen.map else 0


def _wrong(wish: PathsWish, seen: Seen) -> str:
    """What differs from the wished paths, in words; empty when nothing does."""
    found = seen.map
    if found is None:
        return f"multipath shows no device {wish.wwid}"
    wrong = []
    if found.handler != "1 alua":
        wrong.append(f"hwhandler is '{found.handler}', not '1 alua'")
    for array in wish.arrays:
        usable, expected = _count(wish, array, seen), _expected(wish, array, seen)
        if more := beside(array.iqn, array.portals, seen.sessions):
            wrong.append(
                f"there are sessions to {', '.join(more)} of {array.array}, which arrays.portals leaves out; log them "
                f"out by hand: iscsiadm -m node -T {array.iqn} -p {more[0]} --logout"
            )
        elif usable != expected:
            wrong.append(
                f"{usable} of {expected} paths with prio={array.priority} through {array.array} (LUN {array.lun})"
            )
    total = sum(len(group.paths) for group in found.groups)
    if not wrong and (len(found.groups) != 2 or total != sum(_expected(wish, one, seen) for one in wish.arrays)):
        wrong.append(f"{len(found.groups)} path groups with {total} paths instead of 2 groups")
    return "; ".join(wrong) or _sessions_differ(wish, seen)


def _sessions_differ(wish: PathsWish, seen: Seen) -> str:
    """Paths may be whole while sessions are not: a LUN that is not shown on one of them."""
    iqns = {one.array: one.iqn for one in wish.arrays}
    return uneven(iqns, {one.array: one.portals for one in wish.arrays}, seen.sessions)
