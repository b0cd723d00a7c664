"""Pods through faults, as each array tells them (reference: flasharray-rest §6.2), on lab time that jumps."""

from typing import Any

import pytest

from lab.built import build
from lab.physics import jump
from lab.physics.power import switch_array
from lab.purity.views import arrays as views
from lab.purity.views import equipment, journal
from lab.purity.views import hosts as hostviews
from lab.world import World
from tests.lab.stage import INVENTORY

A, B = "X90R3-SiteA", "X90R3-SiteB"
POD = INVENTORY.pod.name


class Bench:
    """A built world whose links and arrays are bent."""

    def __init__(self, world: World) -> None:
        self.world = world

    def cut(self, *names: str) -> None:
        for name in names:
            self.world.links.cut(name)

    def mend(self, *names: str) -> None:
        for name in names:
            self.world.links.mend(name)

    async def wait(self, seconds: float) -> None:
        await self.world.clock.sleep(seconds)

    def row(self, teller: str, about: str) -> dict[str, Any]:
        pod = next(pod for pod in views.pods(self.world.arrays[teller]) if pod["name"] == POD)
        return next(member for member in pod["arrays"] if member["name"] == about)

    def told(self, teller: str) -> tuple[str, str]:
        """What an array says of A's copy and of B's."""
        return self.row(teller, A)["status"], self.row(teller, B)["status"]

    def both(self) -> tuple[tuple[str, str], tuple[str, str]]:
        return self.told(A), self.told(B)

    def paths(self, node: str) -> dict[str, int]:
        """Working paths of a node by array."""
        found = [path.array for path in self.world.paths(node)]
        return {A: found.count(A), B: found.count(B)}

    def prefer(self, array: str) -> None:
        self.world.arrays[array].pods[0].failover_preferences = [array]

    def winner(self) -> str:
        return next(array for array in (A, B) if self.row(array, array)["status"] == "online")


def play(story, seed: int = 1) -> None:
    """Tell a story on a built cluster whose pod prefers no array."""

    async def run() -> None:
        world = World(INVENTORY, clock=jump.clock(), seed=seed)
        await build(world)
        for array in world.arrays.values():
            array.pods[0].failover_preferences = []
        world.changes.clear()
        await story(Bench(world))

    jump.run(run())


SYNC = (("online", "online"), ("online", "online"))


def test_a_lost_link_is_decided_by_the_mediator():
    """Both are suspended for a moment; then one is online and calls the other offline, which knows nothing of it."""

    async def story(bench: Bench) -> None:
        bench.prefer(A)
        lost = bench.world.clock.now()
        bench.cut("replication")
        assert bench.both() == (("suspended", "suspended"), ("suspended", "suspended"))
        assert bench.paths("pxmx01-01") == {A: 4, B: 4}  # I/O waits, nothing fails yet
        await bench.wait(5)
        assert bench.both() == (("online", "offline"), ("unknown", "offline"))
        assert bench.row(A, B)["frozen_at"] == bench.row(B, B)["frozen_at"] == round(lost * 1000)
        assert bench.row(A, A)["frozen_at"] is None
        assert bench.paths("pxmx02-01") == {A: 4, B: 0}

        bench.mend("replication")
        assert bench.told(A) == ("online", "offline")
        await bench.wait(5)
        assert bench.both() == (("online", "resyncing"), ("online", "resyncing"))
        assert 0 <= bench.row(B, B)["progress"] < 1
        assert bench.paths("pxmx02-01") == {A: 4, B: 0}
        await bench.wait(20)
        assert bench.both() == SYNC
        assert [bench.row(t, o)[key] for t in (A, B) for o in (A, B) for key in ("frozen_at", "progress")] == [None] * 8

    play(story)


@pytest.mark.parametrize("preferred", [A, B])
def test_a_preference_wins_the_race(preferred: str):
    """Whatever the lots say."""

    async def story(bench: Bench) -> None:
        bench.prefer(preferred)
        bench.cut("replication")
        await bench.wait(12)
        assert bench.winner() == preferred

    for seed in range(5):
        play(story, seed)


def test_without_a_preference_the_race_is_open():
    """Either array wins now and then."""
    winners = set()

    async def story(bench: Bench) -> None:
        bench.cut("replication")
        await bench.wait(5)
        winners.add(bench.winner())

    for seed in range(12):
        play(story, seed)
    assert winners == {A, B}


def test_who_does_not_reach_the_mediator_cannot_win():
    """The preference does not help."""

    async def story(bench: Bench) -> None:
        bench.prefer(A)
        bench.cut("mediator:site-a", "replication")
        await bench.wait(20)
        assert bench.both() == (("offline", "unknown"), ("offline", "online"))

    play(story)


def test_a_short_glitch_leaves_no_trace():
    """Back within the moment of suspension: in sync again, no election, no resync."""

    async def story(bench: Bench) -> None:
        bench.cut("replication")
        await bench.wait(1)
        bench.mend("replication")
        assert bench.both() == SYNC
        await bench.wait(30)
        assert [change.what for change in bench.world.changes if change.what.startswith("pod.")] == [
            "pod.suspend",
            "pod.in_sync",
        ]

    play(story)


def test_a_dead_array_leaves_the_other_one_serving():
    """I/O pauses for seconds, goes on through the survivor, and comes back through both after the resync."""

    async def story(bench: Bench) -> None:
        switch_array(bench.world, A, on=False)
        assert bench.told(B) == ("suspended", "suspended")
        await bench.wait(5)
        assert bench.told(B) == ("offline", "online")
        assert bench.row(B, A)["mediator_status"] == "unknown"
        assert views.array_connections(bench.world.arrays[B])[0]["status"] == "connecting"
        assert bench.paths("pxmx01-01") == {A: 0, B: 4}

        switch_array(bench.world, A, on=True)
        await bench.wait(4)
        assert bench.both() == (("resyncing", "online"), ("resyncing", "online"))
        assert bench.paths("pxmx01-01") == {A: 0, B: 4}
        await bench.wait(30)
        assert bench.both() == SYNC
        assert bench.paths("pxmx01-01") == {A: 4, B: 4}

    play(story)


def test_a_lost_mediator_changes_nothing_but_who_would_survive():
    """Replication goes on, one array is pre-elected, and it is the one that stays when the link goes too."""

    async def story(bench: Bench) -> None:
        bench.prefer(B)
        bench.cut("mediator")
        await bench.wait(15)
        assert bench.both() == SYNC
        assert [bench.row(t, o)["mediator_status"] for t in (A, B) for o in (A, B)] == ["unreachable"] * 4
        assert [(bench.row(t, A)["pre_elected"], bench.row(t, B)["pre_elected"]) for t in (A, B)] == [(False, True)] * 2

        bench.cut("replication")
        await bench.wait(15)
        assert bench.both() == (("offline", "unknown"), ("offline", "online"))

        bench.mend("mediator", "replication")
        await bench.wait(40)
        assert bench.both() == SYNC
        assert not bench.row(A, B)["pre_elected"]

    play(story)


def test_the_loss_of_the_pre_elected_array_is_an_outage():
    """Nobody else may go on without the mediator; when that is back, the other one may."""

    async def story(bench: Bench) -> None:
        bench.prefer(B)
        bench.cut("mediator")
        await bench.wait(15)
        switch_array(bench.world, B, on=False)
        await bench.wait(60)
        assert bench.told(A) == ("offline", "unknown")
        bench.mend("mediator")
        await bench.wait(15)
        assert bench.told(A) == ("online", "offline")

    play(story)


def test_link_and_mediator_together_are_an_outage():
    """Until one of them returns; nobody has written, so nothing is copied."""

    async def story(bench: Bench) -> None:
        bench.cut("mediator", "replication")
        await bench.wait(60)
        assert bench.both() == (("offline", "unknown"), ("unknown", "offline"))
        assert bench.paths("pxmx01-01") == {A: 0, B: 0}
        bench.mend("replication")
        assert bench.both() == SYNC

    play(story)


def test_a_rolling_disaster_never_serves_old_data():
    """The survivor dies while the other one is being copied to: nobody serves, and the recovery point is shown."""

    async def story(bench: Bench) -> None:
        bench.prefer(A)
        lost = round(bench.world.clock.now() * 1000)
        bench.cut("replication")
        await bench.wait(120)
        bench.mend("replication")
        await bench.wait(3)
        assert bench.told(B) == ("online", "resyncing")
        switch_array(bench.world, A, on=False)
        await bench.wait(300)
        assert bench.told(B) == ("unknown", "offline")
        assert bench.row(B, B)["frozen_at"] == lost
        assert bench.paths("pxmx02-01") == {A: 0, B: 0}

        switch_array(bench.world, A, on=True)
        await bench.wait(40)
        assert bench.both() == SYNC

    play(story)


def test_both_arrays_off_and_on_again_are_in_sync():
    """They lost power together, so both have all of it; the first one back does not wait for the second."""

    async def story(bench: Bench) -> None:
        for array in (A, B):
            switch_array(bench.world, array, on=False)
        await bench.wait(100)
        switch_array(bench.world, B, on=True)
        await bench.wait(10)
        assert bench.told(B) == ("offline", "online")
        switch_array(bench.world, A, on=True)
        await bench.wait(40)
        assert bench.both() == SYNC

    play(story)


def test_a_lost_controller_takes_half_of_the_paths():
    """The pod does not notice; ports, controllers and hosts say what is wrong."""

    async def story(bench: Bench) -> None:
        array = bench.world.arrays[A]
        array.lose_controller("CT0")
        assert bench.both() == SYNC
        assert bench.paths("pxmx01-01") == {A: 2, B: 4}
        assert [(c["mode"], c["status"]) for c in equipment.controllers(array)] == [
            ("offline", "not ready"), ("primary", "ready"),
        ]  # fmt: skip
        assert [port["failover"] for port in equipment.ports(array)] == ["CT1.ETH4", "CT1.ETH5", None, None]
        connectivity = hostviews.all_hosts(array)[0]["port_connectivity"]
        assert connectivity == {"status": "unhealthy", "details": "Single Controller-Failover"}

        array.lose_controller("CT1")
        await bench.wait(10)
        assert bench.told(B) == ("offline", "online")
        array.restore_controller("CT0")
        array.restore_controller("CT1")
        await bench.wait(40)
        assert (bench.both(), bench.paths("pxmx01-01")) == (SYNC, {A: 4, B: 4})

    play(story)


def test_alerts_are_opened_and_closed():
    """One for each thing that is wrong, with its times."""

    async def story(bench: Bench) -> None:
        array = bench.world.arrays[A]
        began = round(bench.world.clock.now() * 1000)
        bench.cut("mediator:site-a", "replication")
        await bench.wait(100)
        bench.mend("mediator:site-a")
        found = {alert["code"]: alert for alert in journal.alerts(array)}
        assert {code: alert["state"] for code, alert in found.items()} == {122: "closed", 20: "open"}
        assert (found[122]["created"], found[122]["closed"]) == (began, began + 100_000)
        assert found[122]["component_name"] == POD
        assert journal.alerts(bench.world.arrays[B])[0]["code"] == 20

    play(story)


def test_a_wrong_mediator_flummoxes():
    """Something answers at its name that is not the mediator."""

    async def story(bench: Bench) -> None:
        bench.world.arrays[A].flummoxed = True
        assert bench.row(A, A)["mediator_status"] == "flummoxed"

    play(story)
