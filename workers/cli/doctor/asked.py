"""All questions at once: who answers, whether it is recognised, then what it says. Nobody waits for anybody else."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from activities.clients import shown
from activities.clients.controllers import Controllers
from activities.clients.proxmox import PveApi
from activities.clients.purity import FlashArray
from activities.clients.secrets import Secrets
from activities.doctor import arrays, cluster, controllers, hosts
from activities.doctor.asking import Threads, within
from activities.errors import Word
from cluster.doctor.arrays import ArrayTold
from cluster.doctor.check import AREAS, Area, Unread
from cluster.doctor.controllers import ControllerTold
from cluster.doctor.hosts import Told, has_device
from cluster.doctor.nodes import ClusterTold
from cluster.doctor.recognised import Shown, Sshd
from cluster.doctor.storage import PathsTold
from cluster.doctor.whole import Read
from cluster.inventory import Array, Bmc, Inventory
from cluster.trust import Trust, of_array, of_controller, of_node
from workers.cli.doctor import here
from workers.cli.doctor.temporal import temporal
from workers.settings import Settings

T = TypeVar("T")
# Told after each answer: how many there are, of how many.
Progress = Callable[[int, int], None]
# Seconds that one answer over HTTPS may take: several times what a healthy management API takes.
HTTPS_LIMIT = 10.0

Storage = list[tuple[Shown, ArrayTold | None]]


@dataclass(frozen=True)
class OverSsh:
    """What the hosts have said; `group`: a node was asked for the volume group."""

    sshds: tuple[Sshd, ...] = ()
    hosts: tuple[Told, ...] = ()
    paths: tuple[PathsTold, ...] = ()
    volumes: tuple[str, ...] | Unread | None = None
    group: bool = False
    hindrance: Unread | None = None


class Asking:
    """One look at a site: the clients of its inventory, and what has been asked and answered so far."""

    def __init__(self, inventory: Inventory, path: Path, settings: Settings, progress: Progress) -> None:
        self._inventory, self._path, self._settings = inventory, path, settings
        self._secrets = Secrets(path.parent)
        self._threads, self._progress = Threads(), progress
        self._asked, self._answered = 0, 0

    async def read(self, areas: Sequence[Area] = AREAS) -> Read:
        """Everything in those areas, and of others what is needed to judge it."""
        ssh = hosts.Paced(self._inventory, self._secrets)
        # nodes are asked for their way to the portals, which arrays tell; arrays for whom corosync's ids prefer
        storage = asyncio.ensure_future(self._arrays() if {"arrays", "hosts"} & set(areas) else _none())
        try:
            (nodes, api), told, machines, seen, server = await asyncio.gather(
                self._cluster(rights="cluster" in areas) if {"cluster", "arrays"} & set(areas) else _no_cluster(),
                storage,
                self._controllers() if "controllers" in areas else _none(),
                self._hosts(ssh, storage) if "hosts" in areas else _no_hosts(),
                self._counted(temporal(self._settings)) if "temporal" in areas else _nothing(),
            )
        finally:
            storage.cancel()
            await ssh.close()
            self._threads.close()
        return Read(
            areas=tuple(area for area in AREAS if area in areas),
            here=here.told(self._inventory, self._path, self._settings) if "here" in areas else None,
            shown=(*nodes, *(one for one, _ in told), *(one for one, _ in machines if one is not None)),
            cluster=api,
            arrays=tuple(one for _, one in told if one is not None),
            places={one.name: arrays.place(self._inventory.array(one.name)) for _, one in told if one is not None},
            controllers=tuple(one for _, one in machines if one is not None),
            sshds=seen.sshds,
            hosts=seen.hosts,
            paths=seen.paths,
            volumes=seen.volumes,
            group=seen.group,
            hindrance=seen.hindrance,
            temporal=server,
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

    async def _shown(self, trust: Trust, limit: float = shown.LIMIT) -> Shown:
        def look() -> Shown:
            try:
                certificate = shown.certificate(trust, limit)
            except Word as word:
                return Shown(trust=trust, silence=word.message)
            refused = shown.refusal(trust, self._secrets, limit)
            return Shown(trust=trust, certificate=certificate, refusal=refused.message if refused else "")

        return await self._counted(self._threads.run(look))

    async def _cluster(self, *, rights: bool) -> tuple[tuple[Shown, ...], ClusterTold | None]:
        trusts = [of_node(self._inventory, node.name) for node in self._inventory.nodes]
        found = tuple(await asyncio.gather(*map(self._shown, trusts)))
        names = [one.trust.who for one in found if one.recognised]
        if not names:
            return found, None
        api = PveApi(self._inventory, self._secrets, timeout=HTTPS_LIMIT)
        asked = cluster.cluster(api, self._inventory, names, self._threads, rights=rights)
        return found, await self._counted(within(asked, "the API of the cluster", cluster.nothing))

    async def _arrays(self) -> list[tuple[Shown, ArrayTold | None]]:
        return await asyncio.gather(*map(self._array, self._inventory.arrays))

    async def _array(self, one: Array) -> tuple[Shown, ArrayTold | None]:
        found = await self._shown(of_array(one))
        if not found.recognised:
            return found, None
        client = FlashArray(one, self._secrets, read_timeout=HTTPS_LIMIT)
        asked = self._threads.run(lambda: arrays.array(client, self._inventory))
        return found, await self._counted(within(asked, one.name, _silent_array(one.name)))

    async def _controllers(self) -> list[tuple[Shown | None, ControllerTold | None]]:
        client = Controllers(self._secrets)
        known = [(node.name, node.bmc) for node in self._inventory.nodes if node.bmc is not None]
        return await asyncio.gather(*(self._controller(client, name, bmc) for name, bmc in known))

    async def _controller(self, client: Controllers, name: str, bmc: Bmc) -> tuple[Shown | None, ControllerTold | None]:
        found = None
        if bmc.protocol == "redfish":  # IPMI has no certificates
            limit = max(shown.LIMIT, bmc.answers_within.total_seconds())
            found = await self._shown(of_controller(bmc, f"management controller of {name}"), limit)
            if not found.recognised:
                return found, None
        asked = self._threads.run(lambda: controllers.controller(client, name, bmc))
        return found, await self._counted(within(asked, bmc.address, _silent_controller(name, bmc)))

    # --- over SSH ----------------------------------------------------------------------------------------------

    async def _hosts(self, ssh: hosts.Paced, storage: "asyncio.Future[Storage]") -> OverSsh:
        inventory = self._inventory
        everybody = [(node.name, node.address) for node in inventory.nodes]
        if inventory.witness:
            everybody.append((inventory.witness.name, inventory.witness.address))
        found = await asyncio.gather(*(self._counted(self._host(ssh, name, at, storage)) for name, at in everybody))
        reached = [told.name for _, told, way in found if told is not None and way is not None]
        group, volumes, hindrance = bool(reached), None, None
        if reached:
            volumes = await self._counted(hosts.volumes(ssh, reached[0], inventory.groups))
        if len(reached) == len(inventory.site_nodes) and not any(has_device(told) for _, told, _ in found):
            hindrance = await self._counted(hosts.hindrance(ssh, inventory))
        return OverSsh(
            sshds=tuple(sshd for sshd, _, _ in found),
            hosts=tuple(told for _, told, _ in found if told is not None),
            paths=tuple(way for _, _, way in found if way is not None),
            volumes=volumes,
            group=group,
            hindrance=hindrance,
        )

    async def _host(
        self, ssh: hosts.Paced, name: str, address: str, storage: "asyncio.Future[Storage]"
    ) -> tuple[Sshd, Told | None, PathsTold | None]:
        known, port = self._known_hosts(), self._inventory.ssh.port
        sshd = Sshd(who=name, address=address, known=tuple(dict.fromkeys(shown.known_keys(known, address, port))))
        try:
            key = await shown.host_key(name, address, port, known)
        except Word as word:
            return sshd.model_copy(update={"silence": word.message}), None, None
        sshd = sshd.model_copy(update={"key": key.fingerprint})
        if key.fingerprint not in sshd.known:
            return sshd, None, None
        if (refused := await hosts.login(ssh, name)) is not None:
            return sshd.model_copy(update={"login": refused}), None, None
        if name == self._inventory.decider:
            return sshd, await hosts.witness(ssh, name), None
        told = await hosts.node(ssh, self._inventory, name)
        if name not in {node.name for node in self._inventory.site_nodes}:
            return sshd, told, None  # of a third place: it has no way to the arrays
        answered = [one for _, one in await asyncio.shield(storage) if one is not None]
        return sshd, told, await hosts.paths(ssh, self._inventory, name, answered)

    def _known_hosts(self) -> str:
        try:
            return self._secrets.path(self._inventory.ssh.known_hosts).read_text()
        except (OSError, UnicodeDecodeError):
            return ""


def _silent_array(name: str) -> Callable[[Unread], ArrayTold]:
    return lambda why: ArrayTold(name=name, levels=why, called=why)


def _silent_controller(name: str, bmc: Bmc) -> Callable[[Unread], ControllerTold]:
    return lambda why: ControllerTold(node=name, address=bmc.address, on=why, machine=why)


async def _nothing() -> None:
    """It was not asked for."""


async def _none() -> list[Any]:
    return []


async def _no_cluster() -> tuple[tuple[Shown, ...], ClusterTold | None]:
    return (), None


async def _no_hosts() -> OverSsh:
    return OverSsh()
