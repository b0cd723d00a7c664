"""All questions at once: who answers, whether it is recognised, then what it says. Nobody waits for anybody else."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from activities.clients import shown
from activities.clients.proxmox import PveApi
from activities.clients.purity import FlashArray
from activities.clients.redfish import Controllers
from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts
from activities.doctor import arrays, cluster, controllers, hosts
from activities.doctor.asking import Threads
from activities.errors import Word
from cluster.doctor.arrays import ArrayTold
from cluster.doctor.check import AREAS, Area
from cluster.doctor.controllers import ControllerTold
from cluster.doctor.hosts import Told
from cluster.doctor.nodes import ClusterTold
from cluster.doctor.recognised import Shown, Sshd
from cluster.doctor.whole import Read
from cluster.inventory import Inventory
from cluster.trust import Kind, Trust, endpoints
from workers.cli.doctor import here
from workers.cli.doctor.temporal import temporal
from workers.settings import Settings

T = TypeVar("T")
# Told after each answer: how many there are, of how many.
Progress = Callable[[int, int], None]
# Seconds that one answer over HTTPS may take: several times what a healthy management API takes.
HTTPS_LIMIT = 10.0
_AREA: dict[Kind, Area] = {"node": "cluster", "array": "arrays", "controller": "controllers"}


class Asking:
    """One look at a site: the clients of its inventory, and what has been asked and answered so far."""

    def __init__(self, inventory: Inventory, path: Path, settings: Settings, progress: Progress) -> None:
        self._inventory, self._path, self._settings = inventory, path, settings
        self._secrets = Secrets(path.parent)
        self._threads, self._progress = Threads(), progress
        self._asked, self._answered = 0, 0

    async def read(self, areas: Sequence[Area] = AREAS) -> Read:
        """Everything in those areas."""
        ssh = Hosts(self._inventory, self._secrets)
        try:
            found, (sshds, told), server = await asyncio.gather(
                self._endpoints(areas),
                self._hosts(ssh, asked="hosts" in areas),
                self._counted(temporal(self._settings)) if "temporal" in areas else _nothing(),
            )
        finally:
            await ssh.close()
            self._threads.close()
        own = here.told(self._inventory, self._path, self._settings) if "here" in areas else None
        return found.model_copy(
            update={
                "areas": tuple(area for area in AREAS if area in areas),
                "sshds": sshds,
                "hosts": told,
                "temporal": server,
                "here": own,
            }
        )

    async def _counted(self, question: Awaitable[T]) -> T:
        self._asked += 1
        self._progress(self._answered, self._asked)
        try:
            return await question
        finally:
            self._answered += 1
            self._progress(self._answered, self._asked)

    # --- over TLS ----------------------------------------------------------------------------------------------

    async def _endpoints(self, areas: Sequence[Area]) -> Read:
        wanted = [trust for _, trust in endpoints(self._inventory) if _AREA[trust.kind] in areas]
        found = await asyncio.gather(*(self._counted(self._shown(trust)) for trust in wanted))
        well = {one.trust.who for one in found if one.certificate is not None and not one.refusal}
        api, told, machines = await asyncio.gather(
            self._cluster(well) if "cluster" in areas else _nothing(),
            self._arrays(well if "arrays" in areas else set()),
            self._controllers(well if "controllers" in areas else set()),
        )
        places = {one.name: arrays.place(self._inventory.array(one.name)) for one in told}
        return Read(shown=tuple(found), cluster=api, arrays=told, places=places, controllers=machines)

    async def _shown(self, trust: Trust) -> Shown:
        def look() -> Shown:
            try:
                certificate = shown.certificate(trust)
            except Word as word:
                return Shown(trust=trust, silence=word.message)
            refused = shown.refusal(trust, self._secrets)
            return Shown(trust=trust, certificate=certificate, refusal=refused.message if refused else "")

        return await self._threads.run(look)

    async def _cluster(self, well: set[str]) -> ClusterTold | None:
        names = [node.name for node in self._inventory.nodes if node.name in well]
        if not names:
            return None
        api = PveApi(self._inventory, self._secrets, timeout=HTTPS_LIMIT)
        return await self._counted(cluster.cluster(api, self._inventory, names, self._threads))

    async def _arrays(self, well: set[str]) -> tuple[ArrayTold, ...]:
        clients = [
            FlashArray(one, self._secrets, read_timeout=HTTPS_LIMIT)
            for one in self._inventory.arrays
            if one.name in well
        ]

        def ask(client: FlashArray) -> Callable[[], ArrayTold]:
            return lambda: arrays.array(client, self._inventory)

        return tuple(await asyncio.gather(*(self._counted(self._threads.run(ask(client))) for client in clients)))

    async def _controllers(self, well: set[str]) -> tuple[ControllerTold, ...]:
        client, known = Controllers(self._secrets), dict(_controllers(self._inventory))
        nodes = [node for who, node in known.items() if who in well]

        def ask(name: str) -> Callable[[], ControllerTold]:
            bmc = self._inventory.node(name).bmc
            assert bmc is not None  # noqa: S101  # it has just been looked at
            return lambda: controllers.controller(client, name, bmc)

        return tuple(await asyncio.gather(*(self._counted(self._threads.run(ask(node))) for node in nodes)))

    # --- over SSH ----------------------------------------------------------------------------------------------

    async def _hosts(self, ssh: Hosts, *, asked: bool) -> tuple[tuple[Sshd, ...], tuple[Told, ...]]:
        if not asked:
            return (), ()
        inventory = self._inventory
        nodes = [(node.name, node.address) for node in inventory.nodes]
        everybody = [*nodes, (inventory.witness.name, inventory.witness.address)]
        found = await asyncio.gather(*(self._counted(self._host(ssh, name, at)) for name, at in everybody))
        return tuple(sshd for sshd, _ in found), tuple(told for _, told in found if told is not None)

    async def _host(self, ssh: Hosts, name: str, address: str) -> tuple[Sshd, Told | None]:
        known, port = self._known_hosts(), self._inventory.ssh.port
        sshd = Sshd(who=name, address=address, known=shown.known_keys(known, address, port))
        try:
            key = await shown.host_key(name, address, port, known)
        except Word as word:
            return sshd.model_copy(update={"silence": word.message}), None
        sshd = sshd.model_copy(update={"key": key.fingerprint})
        if key.fingerprint not in sshd.known:
            return sshd, None
        if (refused := await hosts.login(ssh, name)) is not None:
            return sshd.model_copy(update={"login": refused}), None
        is_witness = name == self._inventory.witness.name
        return sshd, await (hosts.witness(ssh, name) if is_witness else hosts.node(ssh, self._inventory, name))

    def _known_hosts(self) -> str:
        try:
            return self._secrets.path(self._inventory.ssh.known_hosts).read_text()
        except (OSError, UnicodeDecodeError):
            return ""


async def _nothing() -> None:
    """It was not asked for."""


def _controllers(inventory: Inventory) -> list[tuple[str, str]]:
    """Controllers as they are called among the endpoints, and their nodes."""
    places = [(place, trust.who) for place, trust in endpoints(inventory) if trust.kind == "controller"]
    return [(who, inventory.sites[int(place[1])].nodes[int(place[3])].name) for place, who in places]
