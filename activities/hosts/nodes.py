"""What hosts must have before anything is changed: packages, clocks, initiator, the way to the arrays. Reads only."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from activities.errors import NotFound, Refuted
from activities.hosts import fibre, nvme, reading
from activities.hosts.initiator import AT_ONCE, config, dark_portals, told_dark
from activities.hosts.reading import FC_PACKAGES, NODE_PACKAGES, NVME_PACKAGES, VOTER_PACKAGES, WITNESS_PACKAGES, needed
from activities.parsing.system import parse_number, parse_route
from activities.serving import serves
from cluster.contracts import hosts
from cluster.contracts.hosts import HostName, HostNames, NodeCheck, Portals, RoundTrip
from cluster.multipathing import harmful
from cluster.nvme import subsystems_differ
from cluster.plan import Finding
from cluster.portals import host_and_port
from cluster.units import counted, seconds

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
        if check.nqn:
            return await self._nvme_preflight(check)
        if check.wwns:
            return await self._fibre(check)
        packages = await self._packages(check.node, needed(NODE_PACKAGES, device=check.device))
        initiator = await reading.initiator(self._ssh, check.node)
        if initiator != check.iqn:
            raise Refuted(
                f"{check.node}: /etc/iscsi/initiatorname.iscsi says {initiator}, the inventory says {check.iqn}; "
                "correct the iqn of the node in the inventory"
            )
        if check.multipath == "check" and (wrong := harmful(await config(self._ssh, check.node))):
            raise Refuted(f"{check.node}: {'; '.join(wrong)}")
        measured = await self._network(check)
        return Finding(finding=f"{packages} packages, initiator as stated; round trips: {measured}")

    async def _nvme_preflight(self, check: NodeCheck) -> Finding:
        """The same with NVMe/TCP: its module and its own name, and one subsystem on both arrays."""
        packages = await self._packages(check.node, needed(NVME_PACKAGES, device=check.device))
        if len(nqns := {array.nqn for array in check.arrays}) > 1:
            raise Refuted(f"{check.node}: {subsystems_differ(nqns)}")
        await nvme.module(self._ssh, check.node)
        await nvme.must_be(self._ssh, check.node, check.nqn)
        native = await nvme.native(self._ssh, check.node)
        measured = await self._network(check)
        paths = "native multipathing" if native else "paths by multipathd"
        return Finding(finding=f"{packages} packages, NQN as stated, {paths}; round trips: {measured}")

    async def _network(self, check: NodeCheck) -> str:
        """Every portal takes connections and whole packets; the round trips, measured."""
        for array in check.arrays:
            if dark := await dark_portals(self._ssh, check.node, array.portals):
                raise Refuted(told_dark(check.node, array.array, dark))
        measured = await self._round_trips(check)
        for array in check.arrays:
            await self._whole_packets(check, array)
        return measured

    async def _fibre(self, check: NodeCheck) -> Finding:
        """The same for a node with HBAs: each is there, has a link, and is logged in at both arrays."""
        packages = await self._packages(check.node, needed(FC_PACKAGES, device=check.device))
        if check.multipath == "check" and (wrong := harmful(await config(self._ssh, check.node))):
            raise Refuted(f"{check.node}: {'; '.join(wrong)}")
        fabric = await fibre.fabric_of(self._ssh, check.node)
        if said := fibre.zoned(fabric, check.wwns, {one.array: one.wwns for one in check.arrays}):
            raise Refuted(f"{check.node}: {said}")
        logins = sum(len(fabric.at(check.wwns, one.wwns)) for one in check.arrays)
        return Finding(
            finding=f"{packages} packages, {counted(len(check.wwns), 'HBA port')} as stated, logged in at "
            f"{logins} ports of the arrays; round trips: {await self._round_trips(check)}"
        )

    async def _round_trips(self, check: NodeCheck) -> str:
        trips = await asyncio.gather(*(self._round_trip(check.node, trip) for trip in check.round_trips))
        return ", ".join(f"{trip.what} {seconds(took)}" for trip, took in zip(check.round_trips, trips, strict=True))

    async def _voter(self, check: NodeCheck) -> Finding:
        """A node that has a vote and no way to the arrays."""
        await self._packages(check.node, VOTER_PACKAGES)
        measured = await self._round_trips(check)
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

    async def _packages(self, host: str, wanted: tuple[str, ...]) -> int:
        """How many there are; NotFound names those that are missing."""
        there = await reading.installed(self._ssh, host, wanted)
        if missing := [name for name in wanted if name not in there]:
            raise NotFound(
                f"{host}: package {', '.join(missing)} is missing; install it: apt install {' '.join(missing)}"
            )
        return len(wanted)

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
