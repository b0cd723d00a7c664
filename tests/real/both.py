"""The real daemons and the twin, side by side: the same faults at the same moment, and what each took."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from lab.built import build
from lab.control.drills import Drills
from tests.patience import Deadline
from tests.real.engine import Engine, Told, at_real_addresses
from tests.real.network import WITNESS, WITNESS_ADDRESS
from tests.real.stage import OTHER, Stage
from tests.twin import TwinThread

T = TypeVar("T")
Pair = tuple[T, T]

# A node of the twin boots for seventeen lab seconds.
BOOTS_WITHIN = 60.0
EVERY_VOTE = 7
# How long a verdict that is no loss has to last before it is told: a third of the default, to save the tests' time.
PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True)
class Row:
    """One measurement: seconds in the real cluster and in the twin."""

    what: str
    real: float
    twin: float


@dataclass
class Both:
    """Both worlds, with an engine in front of each."""

    stage: Stage
    thread: TwinThread
    real: Engine
    twin: Engine
    rows: list[Row]
    since: Pair[float] = (0.0, 0.0)
    drills: Drills = field(init=False)

    def __post_init__(self) -> None:
        self.drills = Drills(self.thread.world)

    @property
    def nodes(self) -> list[str]:
        """Of both sites."""
        return list(self.stage.ours.nodes)

    # --- faults ----------------------------------------------------------------------------------------------------

    def power_off_site(self, site: str) -> None:
        """All its machines at once; in the twin its array too."""
        self._at_once(lambda: self.stage.power_off(*self.stage.sites[site]), "site-power", site)

    def part_the_sites(self) -> None:
        """Neither reaches the other; both reach the witness."""
        self._at_once(lambda: self._cut("inter-site"), "inter-site")

    def lose_the_witness(self) -> None:
        """Its power."""
        self._at_once(lambda: self.stage.power_off(WITNESS), "witness")

    def _cut(self, way: str) -> float:
        self.stage.network.cut(way)
        return time.monotonic()

    def _at_once(self, really: Callable[[], float], drill: str, *where: str) -> None:
        began = really()
        self.thread.call(self._drill(self.drills.fail, drill, where))
        self.since = began, time.monotonic()

    async def _drill(self, order: Callable[..., object], drill: str, where: tuple[str, ...]) -> None:
        order(drill, list(where), by="test")

    async def mend(self) -> None:
        """End every fault that holds, in both, and count from the moment at which daemons run and links carry."""
        self.thread.call(self._mended())
        await self._booted()
        twin = time.monotonic()
        off = [name for name, machine in self.stage.machines.items() if not machine.powered]
        self.stage.power_on(*off)
        self.stage.network.mend("inter-site")
        self.since = time.monotonic(), twin

    async def _mended(self) -> None:
        self.drills.restore_all(by="test")

    async def _booted(self) -> None:
        deadline = Deadline(BOOTS_WITHIN)
        world = self.thread.world
        while not (all(host.powered for host in world.nodes.values()) and world.witness.powered):
            assert not deadline.over, "the twin's machines are not up again"
            await deadline.a_while()

    async def whole(self) -> None:
        """All nodes of both worlds show all seven votes."""
        await self.counts(self.nodes, len(self.nodes), EVERY_VOTE, within=60)

    async def look(self) -> None:
        """Both watches know of now."""
        await asyncio.gather(self.real.looks(), self.twin.looks())

    # --- measuring -------------------------------------------------------------------------------------------------

    async def counts(self, nodes: list[str], members: int, total: int, *, within: float, row: str = "") -> None:
        """Until these nodes show so many members and votes, in both."""
        await self.measured(row, lambda one, since: one.counts(nodes, members, total, since=since, within=within))

    async def totals(self, node: str, total: int, *, within: float, row: str = "") -> None:
        """Until a node counts so many votes, whatever members it shows, in both."""
        await self.measured(row, lambda one, since: one.total(node, total, since=since, within=within))

    async def tell(self, kind: str, *, within: float, row: str = "") -> Pair[Told]:
        """Until the watch tells of it, in both."""
        told = await self._in_both(lambda one, since: one.tells(kind, since=since, within=within))
        self.note(row, (told[0].after, told[1].after))
        return told

    async def measured(self, row: str, takes: Callable[[Engine, float], Awaitable[float]]) -> None:
        """A row of the table, unless its name is empty."""
        self.note(row, await self._in_both(takes))

    async def _in_both(self, takes: Callable[[Engine, float], Awaitable[T]]) -> Pair[T]:
        real, twin = self.since
        one, other = await asyncio.gather(takes(self.real, real), takes(self.twin, twin))
        return one, other

    def note(self, row: str, took: Pair[float]) -> None:
        """A row of the table, unless its name is empty."""
        if row:
            self.rows.append(Row(row, *took))

    # --- how they begin --------------------------------------------------------------------------------------------

    async def deployed(self) -> None:
        """As after the deployment: the twin's arrays and PVE as well, and another cluster at both witnesses."""
        self.thread.reset()
        self.thread.world.clock.speed = 1.0
        self.thread.call(build(self.thread.world))
        self.drills = Drills(self.thread.world)
        self.stage.let_log_in(OTHER)
        first = self.stage.machines[next(iter(OTHER.nodes))]
        first.do("pvecm", "qdevice", "setup", WITNESS_ADDRESS)
        self.thread.world.neighbours[OTHER.name] = len(OTHER.nodes)
        self.since = time.monotonic(), time.monotonic()


@contextmanager
def side_by_side(path: Path, folder: Path, rows: list[Row]) -> Iterator[Both]:
    """Both worlds as before the deployment, and nothing of them afterwards."""
    thread = TwinThread(path, speed=1.0)
    stage = Stage(thread.inventory, folder)
    watch = thread.inventory.watch.model_copy(update={"patience": PATIENCE})
    inventory = thread.inventory.model_copy(update={"watch": watch})
    try:
        stage.up()
        real = Engine("real", inventory, at_real_addresses(inventory, stage), path.parent)
        yield Both(stage, thread, real, Engine("twin", inventory, inventory, path.parent), rows)
    finally:
        stage.down()
        thread.stop()
