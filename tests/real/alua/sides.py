"""The engine's own activities in front of the emulated guests and of the twin, and the same faults in both."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from temporalio.testing import ActivityEnvironment

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as Ssh
from activities.errors import Word
from activities.hosts.lvm import Lvm
from activities.hosts.maps import map_of
from activities.hosts.nodes import Hosts
from activities.hosts.paths import Paths
from cluster.contracts.hosts import (
    NON_OPTIMIZED,
    OPTIMIZED,
    ArrayPaths,
    GroupWish,
    NodeCheck,
    PathsWish,
    Portals,
    RoundTrip,
)
from cluster.inventory import Inventory
from cluster.plan import Mode
from lab.built import build
from lab.control.drills import Drills
from lab.physics import nvme
from lab.physics.power import switch_off, switch_on
from tests.patience import STANDSTILL
from tests.real.alua.image import Image
from tests.real.alua.stage import Stage
from tests.real.both import Row
from tests.twin import TwinThread

Answer = TypeVar("Answer")
# A command on an emulated guest takes a second or two under load; that is how exactly a moment is known.
POLL = 0.3
TRIES = 4
STOOD_STILL = ("does not answer within", "does not answer over SSH in time")
FAR = timedelta(seconds=10)  # round trips are not judged: an emulated processor's are long


@dataclass
class Side:
    """One world, by the engine's own SSH client. `arrays` tells what a node should have."""

    name: str
    inventory: Inventory
    ssh: Ssh
    wwid: str
    arrays: Callable[[str], tuple[ArrayPaths, ...]]
    nodes: tuple[str, ...]

    async def do(self, activity: Callable[..., Awaitable[Answer]], wish: object) -> Answer:
        """Run an activity as a worker would; one of the seven words is raised as it is."""
        return await ActivityEnvironment().run(activity, wish)

    async def refusal(self, activity: Callable[..., Awaitable[object]], wish: object) -> str:
        """The word and the sentence with which an activity ends; empty when it ends well."""
        try:
            await self.do(activity, wish)
        except Word as word:
            return f"{word.type}: {word.message}"
        return ""

    def check(self, node: str) -> NodeCheck:
        """What the preflight asks of a node."""
        arrays = self.arrays(node)
        far = arrays[1].portals[0].rsplit(":", 1)[0]
        return NodeCheck(
            node=node,
            iqn=self.inventory.node(node).iqn or "",
            nqn=self.inventory.node(node).nqn or "",
            round_trips=(RoundTrip(what="array_rtt", address=far, limit=FAR),),
            arrays=tuple(Portals(array=one.array, portals=one.portals, nqn=one.nqn) for one in arrays),
        )

    def paths(self, node: str, mode: Mode = Mode.APPLY, *, lasting: bool = False) -> PathsWish:
        """A node's paths."""
        return PathsWish(mode=mode, node=node, wwid=self.wwid, arrays=self.arrays(node), lasting=lasting)

    def group(self, mode: Mode = Mode.APPLY) -> GroupWish:
        """The volume group on both nodes."""
        return GroupWish(mode=mode, vg=self.inventory.storage.vg, wwid=self.wwid, nodes=self.nodes)

    def rooms(self) -> tuple[Paths, Hosts, Lvm]:
        """The activities."""
        return Paths(self.ssh), Hosts(self.ssh), Lvm(self.ssh)

    async def ensure(self, node: str, mode: Mode = Mode.APPLY) -> list[str]:
        """Make a node's paths; what that changed in the end."""
        found = await self.patiently(Paths(self.ssh).ensure_paths, self.paths(node, mode))
        return [str(one) for one in found.changes]

    async def patiently(self, activity: Callable[..., Awaitable[Answer]], wish: object) -> Answer:
        """Run an activity; again where an emulated machine has stood still for longer than the engine waits."""
        for _ in range(TRIES - 1):
            try:
                return await self.do(activity, wish)
            except Word as word:
                print(f"{self.name}: {word}")
                if not any(sign in str(word) for sign in STOOD_STILL):
                    raise
        return await self.do(activity, wish)

    async def counts(
        self,
        node: str,
        near: int,
        far: int,
        *,
        within: float,
        saying: "Saying | None" = None,
        said: set[str] | None = None,
    ) -> float:
        """Wait until the node shows so many usable paths at both arrays; the seconds that took.

        What `saying` tells in the meantime is added to `said`.
        """
        began = time.monotonic()
        while (seen := await self._usable(node)) != (near, far):
            took = time.monotonic() - began
            assert took < within + STANDSTILL, f"{self.name}: {node} has {seen}, not {(near, far)}, after {took:.0f} s"
            if saying and said is not None:
                said.add(await saying(self, node))
            await asyncio.sleep(POLL)
        return time.monotonic() - began

    async def _usable(self, node: str) -> tuple[int, int]:
        """By the engine's own reading; none while multipath does not answer, as it may when paths have just gone."""
        near, far = self.arrays(node)
        try:
            found = await map_of(self.ssh, node, self.wwid)
        except Word:
            return 0, 0
        if found is None:
            return 0, 0
        return found.usable(OPTIMIZED, near.lun), found.usable(NON_OPTIMIZED, far.lun)


Saying = Callable[[Side, str], Awaitable[str]]


@dataclass
class Both:
    """Both worlds."""

    stage: Stage
    thread: TwinThread
    real: Side
    twin: Side
    rows: list[Row]
    drills: Drills = field(init=False)

    def __post_init__(self) -> None:
        self.drills = Drills(self.thread.world)

    @property
    def a_node(self) -> str:
        """Of the first site."""
        return self.real.nodes[0]

    def note(self, what: str, real: float, twin: float) -> None:
        """A row of the table."""
        self.rows.append(Row(what, real, twin))

    async def measured(self, what: str, takes: Callable[[Side], Awaitable[Answer]]) -> tuple[Answer, Answer]:
        """The same in both, one after the other, with a row of the seconds that each took."""
        answers, took = [], []
        for side in (self.real, self.twin):
            began = time.monotonic()
            answers.append(await takes(side))
            took.append(time.monotonic() - began)
        self.note(what, *took)
        return answers[0], answers[1]

    async def both_count(
        self, near: int, far: int, *, within: float, row: str, saying: Saying | None = None
    ) -> tuple[set[str], set[str]]:
        """Until the first node shows so many usable paths, in both; what `saying` told on the way there."""
        said: tuple[set[str], set[str]] = (set(), set())
        real, twin = await asyncio.gather(
            self.real.counts(self.a_node, near, far, within=within, saying=saying, said=said[0]),
            self.twin.counts(self.a_node, near, far, within=within, saying=saying, said=said[1]),
        )
        self.note(row, real, twin)
        return said

    # --- faults ----------------------------------------------------------------------------------------------------

    def fail(self, drill: str, *where: str) -> None:
        """A fault in the twin."""
        self.thread.call(self._order(self.drills.fail, drill, list(where)))

    def restore(self, drill: str, *where: str) -> None:
        """Its end."""
        self.thread.call(self._order(self.drills.restore, drill, list(where)))

    async def _order(self, order: Callable[..., object], drill: str, where: list[str]) -> None:
        order(drill, where, by="test")

    async def rebooted(self, node: str, *, row: str) -> None:
        """The node boots again in both worlds, and has all of its paths."""
        began = time.monotonic()
        self.stage.guests[node].reboot()
        took = time.monotonic() - began + await self.real.counts(node, 4, 4, within=180)
        began = time.monotonic()
        self.reboot_twin(node)
        self.note(row, took, time.monotonic() - began + await self.twin.counts(node, 4, 4, within=60))

    def reboot_twin(self, node: str) -> None:
        """The twin's node loses its power and boots."""

        async def again() -> None:
            switch_off(self.thread.world, [node])
            await switch_on(self.thread.world, [node])

        self.thread.call(again())


@contextmanager
def side_by_side(path: Path, folder: Path, image: Image, rows: list[Row]) -> Iterator[Both]:
    """Both worlds with arrays that offer the volume, and nodes that know nothing of it."""
    thread = TwinThread(path, speed=1.0)
    thread.call(_offered(thread))
    disk = next(iter(thread.world.disks.values()))
    targets = {name: array.nqn or array.target_iqn for name, array in thread.world.arrays.items()}
    stage = Stage(thread.inventory, targets, disk, image, folder)
    try:
        took = stage.up()
        print(f"four guests are up after {took:.0f} s")
        inventory, nodes, wwid = thread.inventory, tuple(stage.nodes), thread.world.called(disk)
        real = Side("real", inventory, stage.ssh(path.parent), wwid, stage.arrays, nodes)
        ssh = Ssh(inventory, Secrets(path.parent))
        twin = Side("twin", inventory, ssh, wwid, _twins_arrays(thread), nodes)
        yield Both(stage, thread, real, twin, rows)
    finally:
        stage.down()
        thread.stop()


async def _offered(thread: TwinThread) -> None:
    """As built, but nodes have never logged in, and nothing is written on the volume."""
    world = thread.world
    await build(world)
    world.cluster.guests.clear()
    world.cluster.ha.resources.clear()
    for disk in world.disks.values():
        disk.signature, disk.vg = "", None
    for host in world.nodes.values():
        for kept in (host.records, host.sessions, host.scanned, host.wwids, host.mapped):
            kept.clear()
        host.nvme.namespaces.clear()
        if nvme.used(world):
            host.files[nvme.DISCOVERY] = nvme.PREPARED[nvme.DISCOVERY]


def _twins_arrays(thread: TwinThread) -> Callable[[str], tuple[ArrayPaths, ...]]:
    inventory = thread.inventory

    def arrays(node: str) -> tuple[ArrayPaths, ...]:
        local = inventory.site_of(node).array
        return tuple(
            ArrayPaths(
                array=name,
                iqn="" if thread.world.arrays[name].nqn else thread.world.arrays[name].target_iqn,
                portals=thread.world.arrays[name].portals,
                lun=inventory.pod.volume.luns.get(name, 0),
                optimized=name == local,
                nqn=thread.world.arrays[name].nqn,
            )
            for name in (local, inventory.peer(local).name)
        )

    return arrays
