"""What hosts must have before anything is changed: packages, clocks, initiator, the way to the arrays. Reads only."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from activities.errors import NotFound, Refuted
from activities.hosts import reading
from activities.hosts.initiator import AT_ONCE, config, dark_portals, told_dark
from activities.hosts.reading import NODE_PACKAGES, VOTER_PACKAGES, WITNESS_PACKAGES
from activities.parsing.system import parse_number, parse_route
from activities.serving import serves
from cluster.contracts import hosts
from cluster.contracts.hosts import HostName, HostNames, NodeCheck, Portals, RoundTrip
from cluster.multipathing import harmful
from cluster.plan import Finding
from cluster.portals import host_and_port
from cluster.units import seconds

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

# What IP and ICMP add to the data of a ping, bytes.
_HEADERS = {4: 28, 6: 48}


class Hosts:
    """Activities on the nodes and the witness."""

    def __init__(self, ssh: "SshHosts") -> None:
        self._ssh = ssh

    @serves(hosts.preflight)
    async def preflight(self, check: NodeCheck) -> Finding:
        """Packages, initiator name and round trips of one node are as they must be."""
        if not check.storage:
            return await self._voter(check)
        await self._packages(check.node, NODE_PACKAGES)
        initiator = await reading.initiator(self._ssh, check.node)
        if initiator != check.iqn:
            raise Refuted(
                f"{check.node}: /etc/iscsi/initiatorname.iscsi says {initiator}, the inventory says {check.iqn}; "
                "correct the iqn of the node in the inventory"
            )
        if check.multipath == "check" and (wrong := harmful(await config(self._ssh, check.node))):
            raise Refuted(f"{check.node}: {'; '.join(wrong)}")
        for array in check.arrays:
            if dark := await dark_portals(self._ssh, check.node, array.portals):
                raise Refuted(told_dark(check.node, array.array, dark))
        trips = await asyncio.gather(*(self._round_trip(check.node, trip) for trip in check.round_trips))
        for array in check.arrays:
            await self._whole_packets(check, array)
        measured = ", ".join(
            f"{trip.what} {seconds(took)}" for trip, took in zip(check.round_trips, trips, strict=True)
        )
        return Finding(finding=f"{len(NODE_PACKAGES)} packages, initiator as stated; round trips: {measured}")

    async def _voter(self, check: NodeCheck) -> Finding:
        """A node that has a vote and no way to the arrays."""
        await self._packages(check.node, VOTER_PACKAGES)
        trips = await asyncio.gather(*(self._round_trip(check.node, trip) for trip in check.round_trips))
        measured = ", ".join(
            f"{trip.what} {seconds(took)}" for trip, took in zip(check.round_trips, trips, strict=True)
        )
        return Finding(finding=f"a vote and no path to the arrays; round trips: {measured}")

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
        there = await reading.installed(self._ssh, host, wanted)
        if missing := [name for name in wanted if name not in there]:
            raise NotFound(
                f"{host}: package {', '.join(missing)} is missing; install it: apt install {' '.join(missing)}"
            )

    async def _round_trip(self, node: str, trip: RoundTrip) -> timedelta:
        took = await reading.round_trip(self._ssh, node, trip.address)
        if took is None:
            raise Refuted(f"{node}: {trip.address} ({trip.what}) does not answer a ping")
        if took > trip.limit:
            raise Refuted(
                f"{node}: round trip to {trip.address} ({trip.what}) is {seconds(took)}, "
                f"limits.{trip.what} allows {seconds(trip.limit)}"
            )
        return took

    async def _whole_packets(self, check: NodeCheck, array: Portals) -> None:
        """The largest packet reaches each portal in one piece: else a login works, and the first I/O hangs."""
        node, first = check.node, host_and_port(array.portals[0])[0]
        device = parse_route(await self._ssh.read(node, "ip", "-o", "route", "get", first))
        mtu = parse_number(await self._ssh.read(node, "cat", f"/sys/class/net/{device}/mtu"))
        if check.mtu is not None and mtu < check.mtu:
            raise Refuted(
                f"{node}: {device}, which leads to {array.array}, has an MTU of {mtu}, paths.mtu says {check.mtu}; "
                f"set `mtu {check.mtu}` for it in /etc/network/interfaces, then `ifreload -a`"
            )
        limit = check.mtu or mtu
        there, slots = dict.fromkeys(host_and_port(portal)[0] for portal in array.portals), asyncio.Semaphore(AT_ONCE)

        async def arrives(host: str) -> bool:
            async with slots:
                return await self._arrives(node, host, limit)

        answers = await asyncio.gather(*map(arrives, there))
        if lost := [host for host, arrived in zip(there, answers, strict=True) if not arrived]:
            size = limit - _HEADERS[6 if ":" in lost[0] else 4]
            raise Refuted(
                f"{node}: packets of {limit} bytes, the MTU of {device}, do not reach {', '.join(lost)} of "
                f"{array.array} in one piece: a login would work and I/O hang; set one MTU from end to end "
                f"(try: ping -M do -s {size} {lost[0]})"
            )

    async def _arrives(self, node: str, host: str, mtu: int) -> bool:
        """Whether a ping of that size comes back; a host that answers no ping at all tells nothing."""
        data = str(mtu - _HEADERS[6 if ":" in host else 4])
        quiet = ("ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "2")
        whole = await self._ssh.run(node, *quiet, "-M", "do", "-s", data, host)
        if whole.ok:
            return True
        return not (await self._ssh.run(node, *quiet, host)).ok

    @serves(hosts.clocks)
    async def clocks(self, which: HostNames) -> Finding:
        """The clocks of all hosts agree: HA decides about fencing by wall clocks."""
        await asyncio.gather(*(self._ssh.run(host, "true") for host in which.hosts))  # connect before measuring
        readings = await asyncio.gather(*(reading.clock(self._ssh, host) for host in which.hosts))
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
