"""What Quorate asks of the hosts and changes on them over SSH: packages, clocks, iSCSI and multipath.

Guests are never touched from here, and nothing is ever forced: no `-ff`, no `pvecm expected`, no `vgchange -ay`.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import activity

from activities.attempt import Changes, look_again
from activities.errors import NotFound, Refuted
from activities.hosts.maps import map_of
from activities.parsing.iscsi import Target, parse_initiator, parse_sessions, parse_targets
from activities.parsing.multipath import Map
from activities.parsing.system import parse_clock, parse_installed, parse_round_trip
from activities.serving import serves
from cluster.contracts import hosts
from cluster.contracts.hosts import (
    ArrayPaths,
    HostName,
    HostNames,
    NodeCheck,
    PathsFinding,
    PathsWish,
    RoundTrip,
)
from cluster.plan import Finding, Ledger
from cluster.units import counted, seconds

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

NODE_PACKAGES = ("corosync-qdevice", "lvm2", "multipath-tools", "open-iscsi")
WITNESS_PACKAGES = ("corosync-qnetd",)

# iscsiadm's own statuses: 15 the session exists already, 21 nothing of that kind was found.
ISCSI_EXISTS, ISCSI_NONE = 15, 21
# A shell's own, where there is no such program.
NO_PROGRAM = 127


class Hosts:
    """Activities on the nodes and the witness."""

    def __init__(self, ssh: "SshHosts") -> None:
        self._ssh = ssh

    @serves(hosts.preflight)
    async def preflight(self, check: NodeCheck) -> Finding:
        """Packages, initiator name and round trips of one node are as they must be."""
        await self._packages(check.node, NODE_PACKAGES)
        initiator = parse_initiator(await self._ssh.read(check.node, "cat", "/etc/iscsi/initiatorname.iscsi"))
        if initiator != check.iqn:
            raise Refuted(
                f"{check.node}: /etc/iscsi/initiatorname.iscsi says {initiator}, the inventory says {check.iqn}; "
                "correct the iqn of the node in the inventory"
            )
        trips = await asyncio.gather(*(self._round_trip(check.node, trip) for trip in check.round_trips))
        measured = ", ".join(
            f"{trip.what} {seconds(took)}" for trip, took in zip(check.round_trips, trips, strict=True)
        )
        return Finding(finding=f"{len(NODE_PACKAGES)} packages, initiator as stated; round trips: {measured}")

    @serves(hosts.witness_preflight)
    async def witness_preflight(self, witness: HostName) -> Finding:
        """The witness has corosync-qnetd, and it runs."""
        await self._packages(witness.host, WITNESS_PACKAGES)
        answer = await self._ssh.run(witness.host, "systemctl", "is-active", "corosync-qnetd")
        state = answer.stdout.strip()
        if not state:
            raise Refuted(
                f"{witness.host}: systemd does not say whether corosync-qnetd runs: {answer.stderr.strip()[:200]}; a "
                "witness in a container needs systemd in it"
            )
        if state != "active":
            raise Refuted(f"{witness.host}: corosync-qnetd is {state}; start it: systemctl enable --now corosync-qnetd")
        return Finding(finding="corosync-qnetd is installed and active")

    async def _packages(self, host: str, wanted: tuple[str, ...]) -> None:
        wish = "${Package} ${db:Status-Status} ${Version}\\n"
        answer = await self._ssh.run(host, "dpkg-query", "-W", "-f", wish, *wanted)
        if answer.status == NO_PROGRAM:
            raise Refuted(
                f"{host}: has no dpkg-query, so it is neither Debian nor made from it; Quorate needs "
                f"one with {', '.join(wanted)}"
            )
        if missing := [name for name in wanted if name not in parse_installed(answer.stdout)]:
            raise NotFound(
                f"{host}: package {', '.join(missing)} is missing; install it: apt install {' '.join(missing)}"
            )

    async def _round_trip(self, node: str, trip: RoundTrip) -> timedelta:
        answer = await self._ssh.run(node, "ping", "-n", "-q", "-c", "5", "-i", "0.2", trip.address)
        took = parse_round_trip(answer.stdout)
        if took is None:
            raise Refuted(f"{node}: {trip.address} ({trip.what}) does not answer a ping")
        if took > trip.limit:
            raise Refuted(
                f"{node}: round trip to {trip.address} ({trip.what}) is {seconds(took)}, "
                f"limits.{trip.what} allows {seconds(trip.limit)}"
            )
        return took

    @serves(hosts.clocks)
    async def clocks(self, which: HostNames) -> Finding:
        """The clocks of all hosts agree: HA decides about fencing by wall clocks."""
        await asyncio.gather(*(self._ssh.run(host, "true") for host in which.hosts))  # connect before measuring
        readings = await asyncio.gather(*(self._offset(host) for host in which.hosts))
        offsets = dict(zip(which.hosts, (offset for offset, _ in readings), strict=True))
        doubt = max(doubt for _, doubt in readings)
        ahead, behind = max(offsets, key=lambda h: offsets[h]), min(offsets, key=lambda h: offsets[h])
        spread = offsets[ahead] - offsets[behind]
        if spread - 2 * doubt > which.limit:
            raise Refuted(
                f"clocks differ: {ahead} is {seconds(spread)} ahead of {behind}, "
                f"limits.clock_offset allows {seconds(which.limit)}; check chrony on both"
            )
        return Finding(finding=f"{len(offsets)} clocks agree within {seconds(max(spread, doubt))}")

    async def _offset(self, host: str) -> tuple[timedelta, timedelta]:
        """How far the host's clock is ahead of this worker's, and the doubt the round trip leaves."""
        before, started = datetime.now(UTC), time.monotonic()
        clock = parse_clock(await self._ssh.read(host, "date", "+%s.%N"))
        half = timedelta(seconds=(time.monotonic() - started) / 2)
        return clock - (before + half), half

    # --- paths -------------------------------------------------------------------------------------------------

    @serves(hosts.ensure_paths)
    async def ensure_paths(self, wish: PathsWish) -> PathsFinding:
        """The node is logged in to every portal of both arrays, and multipath shows what ALUA should give."""
        ledger = Changes(wish.mode)
        for array in wish.arrays:
            await self._log_in(ledger, wish.node, array)
        found = await self._map(wish)
        if (wish.wwid is None or _wrong(wish, found)) and ledger.intend(
            wish.node, "map multipath device", wish.wwid or "of the new volume", verb="create"
        ):
            await self._bring_up(wish)
            found = await self._settled_map(wish)
        activity.heartbeat("verifying")
        if ledger.only_planned:
            return PathsFinding(
                finding=f"{counted(len(ledger.changes), 'change')} planned", changes=ledger.changes, node=wish.node
            )
        if wrong := _wrong(wish, found):
            raise Refuted(f"{wish.node}: {wrong}")
        kinds = {array.optimized: len(array.portals) for array in wish.arrays}
        local = next(array.array for array in wish.arrays if array.optimized)
        return PathsFinding(
            finding=f"{kinds[True]} optimized through {local}, {kinds[False]} non-optimized",
            changed=ledger.changed,
            changes=ledger.changes,
            node=wish.node,
            optimized=kinds[True],
            non_optimized=kinds[False],
        )

    @serves(hosts.paths)
    async def paths(self, wish: PathsWish) -> PathsFinding:
        """The same verification, reading only."""
        if wrong := _wrong(wish, await self._map(wish)):
            raise Refuted(f"{wish.node}: {wrong}")
        kinds = {array.optimized: len(array.portals) for array in wish.arrays}
        return PathsFinding(
            finding=f"{kinds[True]} optimized, {kinds[False]} non-optimized",
            node=wish.node,
            optimized=kinds[True],
            non_optimized=kinds[False],
        )

    async def _log_in(self, ledger: Ledger, node: str, array: ArrayPaths) -> None:
        sessions = await self._sessions(node)
        missing = [portal for portal in array.portals if Target(portal=portal, iqn=array.iqn) not in sessions]
        if not missing:
            return
        if ledger.intend(node, "discover targets", array.array, array.portals[0], verb="add"):
            command = ("iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", array.portals[0])
            offered = parse_targets(await self._ssh.read(node, *command))
            for portal in missing:
                if Target(portal=portal, iqn=array.iqn) not in offered:
                    raise NotFound(f"{node}: {array.array} does not offer the portal {portal} in its discovery")
        for portal in missing:
            if ledger.intend(node, "log in", portal, array.array, verb="connect"):
                await self._session(node, array.iqn, portal)

    async def _sessions(self, node: str) -> list[Target]:
        answer = await self._ssh.run(node, "iscsiadm", "-m", "session")
        return [] if answer.status == ISCSI_NONE else parse_sessions(answer.or_rejected().stdout)

    async def _session(self, node: str, iqn: str, portal: str) -> None:
        """Log in now and after every boot."""
        record = ("iscsiadm", "-m", "node", "-T", iqn, "-p", portal)
        await self._ssh.read(node, *record, "--op", "update", "-n", "node.startup", "-v", "automatic")
        answer = await self._ssh.run(node, *record, "--login")
        if answer.status != ISCSI_EXISTS:
            answer.or_rejected()

    async def _bring_up(self, wish: PathsWish) -> None:
        await self._ssh.read(wish.node, "iscsiadm", "-m", "session", "--rescan")
        # Proxmox VE's multipath maps only what was named (find_multipaths strict).
        await self._ssh.read(wish.node, "multipath", "-a", str(wish.wwid))
        await self._ssh.read(wish.node, "multipath", "-r")

    async def _map(self, wish: PathsWish) -> Map | None:
        return await map_of(self._ssh, wish.node, wish.wwid) if wish.wwid else None

    async def _settled_map(self, wish: PathsWish) -> Map | None:
        """Udev needs a moment after a rescan: look again for some seconds before judging."""
        for pause in (0.2, 0.5, 1, 2, 4):
            found = await self._map(wish)
            if not _wrong(wish, found):
                return found
            await look_again(pause, _wrong(wish, found))
        return await self._map(wish)


def _wrong(wish: PathsWish, found: Map | None) -> str:
    """What differs from the wished paths, in words; empty when nothing does."""
    if found is None:
        return f"multipath shows no device {wish.wwid}"
    wrong = []
    if found.handler != "1 alua":
        wrong.append(f"hwhandler is '{found.handler}', not '1 alua'")
    for array in wish.arrays:
        usable = found.usable(array.priority, array.lun)
        if usable != len(array.portals):
            wrong.append(
                f"{usable} of {len(array.portals)} paths with prio={array.priority} "
                f"through {array.array} (LUN {array.lun})"
            )
    total = sum(len(group.paths) for group in found.groups)
    if not wrong and (len(found.groups) != 2 or total != sum(len(array.portals) for array in wish.arrays)):
        wrong.append(f"{len(found.groups)} path groups with {total} paths instead of 2 groups")
    return "; ".join(wrong)
