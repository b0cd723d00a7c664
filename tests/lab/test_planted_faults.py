"""The laws of the fuzz find what they are there for: a twin that knows too much, or forgets too little, breaks them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.physics import power
from lab.physics.membership import Membership
from lab.physics.world import UP_BEFORE, Host
from lab.pve.etc.pmxcfs import Pmxcfs
from lab.pve.models import Cluster
from lab.pve.work.broadcasts import Broadcasts
from lab.pve.work.guest import Guest
from lab.pve.work.tasks import Tasks
from lab.world import World
from tests.fuzz.run import run

pytestmark = pytest.mark.slow  # in `make test-twin`

Patch = pytest.MonkeyPatch


def one_truth(patch: Patch) -> None:
    """A node reads in its old files whether a guest runs anywhere, not whether it runs here."""
    patch.setattr(Guest, "as_filed", lambda self, kept: replace(kept, running=self.running, since=self.since))


def at_once(patch: Patch) -> None:
    """What a node without power or behind a cut link does is known to the others: they hear it all the time."""
    patch.setattr(Broadcasts, "hears", lambda *_: True)


def one_database(patch: Patch) -> None:
    """Who is cut off reads what the others write."""
    patch.setattr(Pmxcfs, "ha", lambda self, _: self._cluster.ha.files)


def one_ring(patch: Patch) -> None:
    """Every node names the ring of them all."""
    patch.setattr(Membership, "ring_id", lambda *_: "1.16")


def a_vote_for_all(patch: Patch) -> None:
    """The witness says of every client that it has the vote."""
    patch.setattr(Membership, "granted", lambda self: frozenset(self.clients()))


def no_boot(patch: Patch) -> None:
    """Uptimes go on over a reboot."""
    patch.setattr(power, "_boot", _booted_as_if_never_off(power._boot))


def _booted_as_if_never_off(boot: Callable[[World, Host], None]) -> Callable[[World, Host], None]:
    def again(world: World, host: Host) -> None:
        since = host.up_since
        boot(world, host)
        host.up_since = since

    return again


def no_time(patch: Patch) -> None:
    """An uptime is a figure."""
    patch.setattr(World, "uptime", lambda *_: UP_BEFORE)


def immortal_tasks(patch: Patch) -> None:
    """A task does not notice that its node has died."""
    patch.setattr(Tasks, "node_died", lambda *_: None)


def tidy_death(patch: Patch) -> None:
    """What was locked when its node died is free."""
    died = Cluster.node_died

    def tidily(self: Cluster, node: str) -> None:
        died(self, node)
        for guest in self.guests.values():
            guest.lock = None if guest.node == node else guest.lock

    patch.setattr(Cluster, "node_died", tidily)


# Each fault with a seed that finds it, and a word of what it says.
PLANTED = {
    "one truth for all nodes": (one_truth, 8695, "which runs on"),
    "news without a way": (at_once, 24, "from where nothing comes"),
    "one database for all": (one_database, 24, "is cut off and reads"),
    "one ring for all": (one_ring, 24, "rings"),
    "a vote for all": (a_vote_for_all, 137, "the witness"),
    "no boot": (no_boot, 24, "was booted"),
    "no time": (no_time, 137, "s have passed"),
    "tasks without a node": (immortal_tasks, 154, "outlived its node"),
    "a tidy death": (tidy_death, 154, "has left no lock"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found(what: str, monkeypatch: pytest.MonkeyPatch):
    """Played with the seed that the table names, the schedule breaks the law that is about it."""
    plant, seed, word = PLANTED[what]
    plant(monkeypatch)

    outcome = run(seed)

    assert any(word in said for said in outcome.contradictions), (seed, outcome.contradictions)
