"""The engine's own rooms, unmodified, in front of one world: the real daemons, or the twin.

For the real one only the addresses and keys of SSH are others. PVE's API and the arrays are the twin's for both.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from temporalio.testing import ActivityEnvironment

from activities.clients.proxmox import PveApi
from activities.clients.purity import Arrays
from activities.clients.quick import LIMIT, Clients
from activities.clients.redfish import Controllers
from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as Ssh
from activities.errors import Word
from activities.hosts.nodes import Hosts
from activities.hosts.votes import Quorum
from activities.parsing import Said
from activities.parsing.votes import VoteCount, parse_votes
from activities.parsing.witness import parse_clients
from activities.watch.watcher import Watching
from cluster.contracts.hosts import DeviceWish
from cluster.inventory import Inventory, Witness
from cluster.plan import Mode
from cluster.verdict import Verdict
from cluster.watching import WatchWish
from tests.patience import STANDSTILL
from tests.real.network import WITNESS
from tests.real.stage import Stage, real_address

Answers = TypeVar("Answers")

# How often votes are read while somebody waits for them, seconds: what is measured is known as exactly as that.
POLL = 0.2
# Nobody is asked who has no power; who has it may be a busy computer's machine.
READS_WITHIN = 20.0


def at_real_addresses(inventory: Inventory, stage: Stage) -> Inventory:
    """The same cluster, with SSH to the real machines."""
    nodes = {node.name: node.model_copy(update={"address": real_address(node.address)}) for node in inventory.nodes}
    sites = tuple(
        site.model_copy(update={"nodes": tuple(nodes[node.name] for node in site.nodes)}) for site in inventory.sites
    )
    witness = Witness(name=inventory.decider, address=real_address(inventory.device))
    ssh = inventory.ssh.model_copy(
        update={"key": f"file:{stage.key}", "known_hosts": str(stage.known_hosts), "port": 22}
    )
    return inventory.model_copy(update={"sites": sites, "witness": witness, "ssh": ssh})


@dataclass(frozen=True)
class Told:
    """A verdict of the watch, and the seconds until it was told."""

    verdict: Verdict
    after: float


class Engine:
    """Activities in front of one world. `inventory` is that of the twin, `hosts` the one that SSH goes by."""

    def __init__(self, name: str, inventory: Inventory, hosts: Inventory, base: Path) -> None:
        self.name, self.inventory, self.reached = name, inventory, hosts
        secrets = Secrets(base)
        self.ssh = Ssh(hosts, secrets)
        self.quorum, self.hosts = Quorum(self.ssh), Hosts(self.ssh)
        self._threads = ThreadPoolExecutor(20)
        clients = Clients(
            ssh=Ssh(hosts, secrets, keepalive=timedelta(minutes=1)),
            api=PveApi(inventory, secrets, timeout=LIMIT),
            arrays=Arrays(inventory.arrays, secrets, read_timeout=LIMIT),
            power=Controllers(secrets).power,
            threads=self._threads,
        )
        self._clients = clients
        self.watching = Watching(inventory, clients)
        self.known = WatchWish()

    async def close(self) -> None:
        """Close its connections."""
        await self.ssh.close()
        await self._clients.ssh.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def do(self, activity: Callable[..., Awaitable[Answers]], wish: object) -> Answers:
        """Run an activity as a worker would; one of the seven words is raised as it is."""
        return await ActivityEnvironment().run(activity, wish)

    def device(self, mode: Mode = Mode.APPLY, witness: str = "") -> DeviceWish:
        """The quorum device as the deployment wishes for it."""
        return DeviceWish(
            mode=mode,
            witness=witness or self.reached.device,
            nodes=tuple(node.name for node in self.inventory.nodes),
            expected=self.inventory.votes,
            quorum=self.inventory.quorum,
        )

    # --- votes -----------------------------------------------------------------------------------------------------

    async def votes(self, node: str) -> VoteCount | None:
        """The votes as a node counts them, with the engine's own client and parser; None while it tells none."""
        try:
            return parse_votes((await self.ssh.run(node, "pvecm", "status", limit=READS_WITHIN)).stdout)
        except Word:
            return None

    @staticmethod
    def clients(text: str, cluster: str) -> tuple[int, ...]:
        """The cluster's clients in what qnetd lists, with the engine's own parser."""
        return parse_clients(Said.of(WITNESS, "corosync-qnetd-tool -l", text), cluster)

    async def counts(self, nodes: Iterable[str], members: int, total: int, *, since: float, within: float) -> float:
        """Seconds until each of these nodes shows so many members and votes, and both of the same moment."""
        names = list(nodes)
        while True:
            views = dict(zip(names, await asyncio.gather(*map(self.votes, names)), strict=True))
            if all(_shows(view, members, total) for view in views.values()):
                return time.monotonic() - since
            assert time.monotonic() - since < within + STANDSTILL, (
                f"{self.name}: not {members} members and {total} votes in {within:.0f} s: {views}"
            )
            await asyncio.sleep(POLL)

    async def total(self, node: str, total: int, *, since: float, within: float) -> float:
        """Seconds until a node counts so many votes, settled or not."""
        while (view := await self.votes(node)) is None or view.total != total:
            assert time.monotonic() - since < within + STANDSTILL, f"{self.name}: {node} has no {total} votes: {view}"
            await asyncio.sleep(POLL)
        return time.monotonic() - since

    # --- verdicts --------------------------------------------------------------------------------------------------

    async def tells(self, kind: str, *, since: float, within: float) -> Told:
        """Look as the watch does, verdict after verdict, until one of that kind is told."""
        while True:
            left = since + within + STANDSTILL - time.monotonic()
            assert left > 0, (
                f"{self.name}: the watch has told no {kind} in {within:.0f} s; the last: {self.known.known}"
            )
            wish = self.known.model_copy(update={"until": timedelta(seconds=min(left, 20))})
            seen = await self.do(self.watching.look, wish)
            self.known = WatchWish(memory=seen.memory, known=seen.verdict.key if seen.new else wish.known)
            if seen.new and seen.verdict.kind == kind:
                return Told(seen.verdict, time.monotonic() - since)

    async def looks(self) -> Verdict:
        """What everybody says at this moment, judged; the watch goes on from there."""
        wish = WatchWish(memory=self.known.memory, urgent=True, until=timedelta())
        seen = await self.do(self.watching.look, wish)
        self.known = WatchWish(memory=seen.memory, known=seen.verdict.key)
        return seen.verdict


def _shows(view: VoteCount | None, members: int, total: int) -> bool:
    return view is not None and view.settled and (view.nodes, view.total) == (members, total)
