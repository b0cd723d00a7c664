"""A node's paths: logged in to every portal, mapped, judged, and there again after a reboot.

What multipathd goes by is judged first: nothing is changed on a node whose settings would do harm. Nothing is logged
out, deleted or overwritten here but the files that carry our name.
"""

import asyncio

from activities.attempt import Changes
from activities.errors import NotFound, Refuted, Unauthorized
from activities.hosts import initiator
from activities.hosts.fibre import FcPaths
from activities.hosts.mapped import MappedPaths
from activities.hosts.nvme_paths import NvmePaths
from activities.hosts.seen import Seen
from activities.parsing.iscsi import Target, parse_targets
from activities.serving import serves
from cluster.booting import Boot, lost_by_a_reboot
from cluster.contracts import hosts
from cluster.contracts.hosts import ArrayPaths, PathsFinding, PathsWish
from cluster.plan import Ledger
from cluster.portals import host_and_port
from cluster.sessions import Record, Session, manual, strangers, unconnected, unused

# iscsiadm's own statuses: 15 the session exists already, 24 the target refused who logs in (iscsi_err.h).
ISCSI_EXISTS, ISCSI_REFUSED = 15, 24
# Where open-iscsi keeps its records: from Debian 13 (Proxmox VE 9) on, and before.
RECORDS = ("/var/lib/iscsi/nodes", "/etc/iscsi/nodes")
# A login to a portal that answers nothing: 15 s, eight times (iscsid.conf), and some air.
LOGIN_LIMIT = 150.0


class Paths(MappedPaths[Seen]):
    """Activities on a node's paths; those of iSCSI are its own."""

    @serves(hosts.ensure_paths)
    async def ensure_paths(self, wish: PathsWish) -> PathsFinding:
        """The node is logged in to every portal of both arrays, and multipath shows what ALUA should give."""
        if wish.nvme:
            return await NvmePaths(self._ssh).ensure(wish)
        if wish.wwns:
            return await FcPaths(self._ssh).ensure(wish)
        ledger = Changes(wish.mode)
        await self._multipath.settle(ledger, wish)
        seen = await self._seen(wish)
        records = await initiator.records(self._ssh, wish.node)
        for array in wish.arrays:
            await self._log_in(ledger, wish, array, seen.sessions, records)
        if ledger.changed:
            seen = await self._seen(wish)
        if (wish.wwid is None or seen.wrong(wish)) and ledger.intend(
            wish.node, "map multipath device", wish.wwid or "of the new volume", verb="create"
        ):
            await self._ssh.read(wish.node, "iscsiadm", "-m", "session", "--rescan")
            await self._multipath.bring_up(wish)
            seen = await self._settled(wish)
        await self._keep(ledger, wish)
        return await self._ended(ledger, wish, seen)

    @serves(hosts.paths)
    async def paths(self, wish: PathsWish) -> PathsFinding:
        """The same verification, reading only."""
        if wish.nvme:
            return await NvmePaths(self._ssh).prove(wish)
        if wish.wwns:
            return await FcPaths(self._ssh).prove(wish)
        return await self.prove(wish)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _seen(self, wish: PathsWish) -> Seen:
        found, sessions = await asyncio.gather(self._multipath.map_of(wish), initiator.sessions(self._ssh, wish.node))
        return Seen(map=found, sessions=sessions)

    async def _lost(self, wish: PathsWish) -> str:
        """What a reboot would lose, in words; in an emergency that can wait."""
        if wish.emergency:
            return ""
        boot, records = await self._after_boot(wish)
        left = [one for array in wish.arrays for one in manual(array.iqn, array.portals, records)]
        return "; ".join(lost_by_a_reboot(boot, wish.wwid, left))

    async def _after_boot(self, wish: PathsWish) -> tuple[Boot, tuple[Record, ...]]:
        return await asyncio.gather(initiator.boot(self._ssh, wish.node), initiator.records(self._ssh, wish.node))

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
            dark = await initiator.dark_portals(self._ssh, node, asked)
            if dark and not wish.emergency:
                raise Refuted(initiator.told_dark(node, array.array, dark))
            missing = tuple(portal for portal in missing if portal not in dark)
            answers = next((portal for portal in array.portals if portal not in dark), "")
            if missing and ledger.intend(node, "discover targets", array.array, answers, verb="add"):
                await self._discover(node, array, answers, missing)
            for portal in missing:
                if ledger.intend(node, "log in", portal, array.array, verb="connect"):
                    await self._session(wish, array, portal)
        for way in unused(array.iqn, array.portals, sessions, records):
            if ledger.intend(node, "log in", way.portal, f"{array.array}, {way.iface}", verb="connect"):
                await self._session(wish, array, way.portal, way.iface)

    async def _discover(self, node: str, array: ArrayPaths, portal: str, missing: tuple[str, ...]) -> None:
        """Records of new portals. Without `-o new` those that are there would be set back to iscsid.conf's defaults."""
        command = ("iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", portal, "-o", "new")
        offered = parse_targets(await self._ssh.read(node, *command))
        for wanted in missing:
            if Target(portal=wanted, iqn=array.iqn) not in offered:
                raise NotFound(f"{node}: {array.array} does not offer the portal {wanted} in its discovery")

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
            path = await self._record_file(wish.node, one)
            # By method and user a record is known to be done, so the secret goes before them. And on a line of its own
            # whatever an earlier attempt has left without an end.
            lines = (
                "\nnode.session.auth.password = (secret)\n"
                f"node.session.auth.username = {wish.chap.user}\n"
                "node.session.auth.authmethod = CHAP\n"
            )
            await self._ssh.write(wish.node, path, lines, secrets={"(secret)": wish.chap.password}, append=True)

    async def _record_file(self, node: str, one: Record) -> str:
        address, port = host_and_port(one.portal)
        new, old = (f"{root}/{one.iqn}/{address},{port},{one.group}/{one.iface}" for root in RECORDS)
        return new if (await self._ssh.run(node, "readlink", "-e", new)).ok else old

    # --- after a reboot ----------------------------------------------------------------------------------------------

    async def _keep(self, ledger: Ledger, wish: PathsWish) -> None:
        """Records, units and WWIDs that bring the paths back after a boot; no matter of an emergency."""
        if wish.emergency:
            return
        boot, records = await self._after_boot(wish)
        for array in wish.arrays:
            for portal in dict.fromkeys(one.portal for one in manual(array.iqn, array.portals, records)):
                await self._startup(ledger, wish.node, array, portal, "automatic")
            for portal in dict.fromkeys(one.portal for one in strangers(array.iqn, array.portals, records)):
                await self._startup(ledger, wish.node, array, portal, "manual")
            await self._same_name(ledger, wish, array, records)
        await self._multipath.keep(ledger, wish, boot)

    async def _startup(self, ledger: Ledger, node: str, array: ArrayPaths, portal: str, how: str) -> None:
        detail = f"{how}, {array.array}" + ("" if portal in array.portals else ", not in arrays.portals")
        if ledger.intend(node, "set node.startup", portal, detail, verb="set"):
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


def _who(wish: PathsWish) -> str:
    if wish.chap is None:
        return "it asks for CHAP, and the inventory has no paths.chap"
    return (
        f"compare user {wish.chap.user} and the secret of paths.chap ({wish.chap.password}) with CHAP of the host "
        f"{wish.node} there"
    )
