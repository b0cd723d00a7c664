"""A site of one node, and a worker that stands in the dark itself."""

import pytest

from cluster.facts import Facts, Memory, remember
from cluster.inventory import Inventory
from cluster.verdict import Verdict, judge, turned
from tests.verdict.world import INVENTORY, NODES, OF, QDEVICE, A, B, World, healthy

ONE_A, ONE_B = OF[A][0], OF[B][0]
PAIR = (ONE_A, ONE_B)
SMALL: Inventory = INVENTORY.model_copy(
    update={"sites": tuple(site.model_copy(update={"nodes": site.nodes[:1]}) for site in INVENTORY.sites)}
)


class Small:
    """The example with one node a site: three votes, two are a quorum."""

    def __init__(self) -> None:
        self.world = World(known=False)
        others = [node for node in NODES if node not in PAIR]
        self.world.unasked(*others).views(PAIR, members=PAIR, expected=3, total=3, quorum=2)
        self.world.api(PAIR, node_states=dict.fromkeys(PAIR, "online"), ids={1: ONE_A, 4: ONE_B})
        self.world.clients(*PAIR).logins(*PAIR)
        self.memory = Memory(totem=self.world.memory.totem)

    @property
    def facts(self) -> Facts:
        return self.world.facts

    def looks(self) -> Verdict:
        self.memory = remember(self.memory, self.facts, PAIR)
        verdict = judge(self.facts, self.memory, SMALL)
        self.memory = turned(self.memory, verdict, self.world.now)
        return verdict

    def apart(self) -> None:
        """Each counts itself; the second one has the witness."""
        self.world.views([ONE_A], members=[ONE_A], total=1, quorate=False, device=False)
        self.world.views([ONE_B], members=[ONE_B], total=2, quorate=True, device=True)
        self.world.clients(ONE_B)


def test_a_small_cluster_is_healthy():
    """The example is a cluster like any other."""
    assert Small().looks().kind == "healthy"


def test_the_only_node_of_a_site_is_not_parted_at_once():
    """For the first seconds it may just be joining; then it is alive without quorum, and its site is parted."""
    small = Small()
    small.looks()
    small.apart()
    small.world.after(3)
    first = small.looks()
    small.world.after(15)
    later = small.looks()

    assert (first.main.key, first.settling) == ("undetermined settling", True)
    assert (later.main.key, later.settling) == (f"sites-parted {B} {A}", False)


def test_the_only_node_of_a_site_that_starts_again_is_not_parted():
    """It has been away for an hour and counts itself alone until it has joined."""
    small = Small()
    small.looks()
    small.apart()
    small.world.silent(ONE_A)
    small.world.after(3600)
    small.looks()
    small.world.votes[ONE_A] = Small().world.votes[ONE_A]
    small.world.cluster[ONE_A] = Small().world.cluster[ONE_A].model_copy(update={"quorate": False})
    small.apart()
    small.world.after(2)
    starts = small.looks()
    small.world.after(10)
    joins = small.looks()

    assert [starts.main.key, joins.main.key] == ["undetermined settling"] * 2
    assert f"{ONE_A} answers: it is alive, and may just be joining" in starts.main.reasons[0]


@pytest.mark.parametrize("place", [A, ONE_A, "X90R3-SiteA"])
def test_a_worker_at_the_dark_site_is_no_second_vantage_point(place: str):
    """The witness alone says that the site is dark: that the worker reaches nobody there may be its own fate."""
    verdict = healthy().dead(A).silent("X90R3-SiteB").stands(place).looks()

    assert verdict.main.key == "undetermined one domain"
    assert f"this worker says that it stands at {A} itself and does not count" in verdict.main.reasons[0]


def test_a_worker_at_the_dark_site_does_not_hinder_two_others():
    """Witness and array agree: the worker's place is of no matter."""
    verdict = healthy().dead(A).stands(A).looks()

    assert verdict.main.key == f"site-lost {A}"
    assert f"no node of {A} answers at {A}" not in verdict.main.reasons


@pytest.mark.parametrize("place", [QDEVICE, "witness"])
def test_a_worker_beside_the_witness_is_one_domain_with_it(place: str):
    """Named as the witness or as its place."""
    verdict = healthy().dead(A).silent("X90R3-SiteB").stands(place).looks()

    assert verdict.main.key == "undetermined one domain"
