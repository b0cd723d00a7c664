"""Two pods through faults: each is decided for itself, on lab time that jumps."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cluster.inventory import Inventory
from lab.built import build
from lab.control.drills import Drills
from lab.physics import jump
from lab.purity.rules import alerts
from lab.purity.views import arrays as views
from lab.world import World
from tests.pods import two_pods
from tests.twin import EXAMPLE
from workers.inventory_file import load

A, B = "X90R3-SiteA", "X90R3-SiteB"
ONE, TWO = "webb-ac-proxmox-01", "webb-ac-proxmox-01-two"
SYNC = {A: ("online", "online"), B: ("online", "online")}


class Bench:
    """A built world with two pods, whose faults are those of the table."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.drills = Drills(world)

    def fail(self, fault: str, *where: str) -> None:
        self.drills.fail(fault, list(where), by="test")

    def restore(self, fault: str, *where: str) -> None:
        self.drills.restore(fault, list(where), by="test")

    async def wait(self, seconds: float) -> None:
        await self.world.clock.sleep(seconds)

    def told(self, name: str, what: str = "status") -> dict[str, tuple[object, object]]:
        """What each array says of A's copy and of B's."""
        found = {}
        for teller in (A, B):
            pod = next(pod for pod in views.pods(self.world.arrays[teller]) if pod["name"] == name)
            rows = {row["name"]: row[what] for row in pod["arrays"]}
            found[teller] = (rows[A], rows[B])
        return found

    def serving(self, node: str) -> dict[str, set[str]]:
        """From which arrays a node gets each pod's volumes."""
        found: dict[str, set[str]] = {ONE: set(), TWO: set()}
        volumes = {v.serial: v.pod.name for v in self.world.arrays[A].all_volumes() if v.pod is not None}
        for path in self.world.paths(node):
            found[volumes[path.serial]].add(path.array)
        return found


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """Two pods with three volumes."""
    path = tmp_path / "inventory.yaml"
    path.write_text(two_pods(EXAMPLE.read_text()))
    return load(path)


def play(inventory: Inventory, story: Callable[[Bench], Awaitable[None]]) -> None:
    """Tell a story on a built cluster."""

    async def run() -> None:
        world = World(inventory, clock=jump.clock(), seed=1)
        await build(world)
        await story(Bench(world))

    jump.run(run())


def test_pods_that_prefer_different_arrays_part_to_different_arrays(inventory: Inventory):
    """One cut, two elections: the first pod is served at A alone, the second one at B alone."""

    async def story(bench: Bench) -> None:
        bench.fail("pod-preference", ONE, A)
        bench.fail("pod-preference", TWO, B)
        bench.fail("replication")
        await bench.wait(12)
        assert bench.told(ONE) == {A: ("online", "offline"), B: ("unknown", "offline")}
        assert bench.told(TWO) == {A: ("offline", "unknown"), B: ("offline", "online")}
        assert bench.serving("pxmx01-01") == {ONE: {A}, TWO: {B}}

        bench.restore("replication")
        await bench.wait(40)
        assert (bench.told(ONE), bench.told(TWO)) == (SYNC, SYNC)

    play(inventory, story)


def test_a_preference_that_was_changed_goes_back_to_what_it_was(inventory: Inventory):
    """Both pods were made with the same."""

    async def story(bench: Bench) -> None:
        pod = next(one for one in bench.world.arrays[A].pods if one.name == TWO)
        before = list(pod.failover_preferences)
        bench.fail("pod-preference", TWO, B)
        assert pod.failover_preferences == [B]
        bench.restore("pod-preference")
        assert pod.failover_preferences == before

    play(inventory, story)


def test_one_pod_parts_while_the_arrays_stay_connected(inventory: Inventory):
    """The other pod notices nothing; the parted one is copied again when it is mirrored again."""

    async def story(bench: Bench) -> None:
        bench.fail("pod-preference", TWO, B)
        bench.fail("pod-replication", TWO)
        await bench.wait(12)
        assert bench.told(ONE) == SYNC
        assert bench.told(TWO) == {A: ("offline", "unknown"), B: ("offline", "online")}
        assert [row["status"] for row in views.array_connections(bench.world.arrays[A])] == ["connected"]

        bench.restore("pod-replication", TWO)
        await bench.wait(4)
        assert bench.told(TWO) == dict.fromkeys((A, B), ("resyncing", "online"))
        assert bench.told(ONE) == SYNC
        await bench.wait(40)
        assert bench.told(TWO) == SYNC

    play(inventory, story)


def test_one_pod_loses_its_mediator_and_only_that_pod_is_pre_elected(inventory: Inventory):
    """The other pod goes on with its own, and its alert names the pod."""

    async def story(bench: Bench) -> None:
        bench.fail("pod-mediator", TWO)
        await bench.wait(15)
        assert bench.told(ONE, "mediator_status") == SYNC
        assert bench.told(TWO, "mediator_status") == dict.fromkeys((A, B), ("unreachable", "unreachable"))
        assert bench.told(ONE, "pre_elected")[A] == (False, False)
        assert sorted(map(bool, bench.told(TWO, "pre_elected")[A])) == [False, True]
        opened = [alert for alert in bench.world.arrays[A].alerts if alert.closed is None]
        assert [(alert.code, alert.component_name) for alert in opened] == [(alerts.MEDIATOR, TWO)]

    play(inventory, story)
