"""Corosync and qnetd in their own times, as a table (reference: proxmox-api §10), and who wins a split (pve-ha §2)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lab.physics import jump
from lab.physics.membership import Votes
from lab.physics.power import switch_off, switch_on, switch_witness
from lab.world import World
from tests.lab.stage import INVENTORY, SITE_A, SITE_B

SEEDS = range(1, 11)
OLD, NEW = 650, 125  # token_coefficient of a cluster from before pve-cluster 9.1.0, and since


class Cluster:
    """Six nodes and a witness; nothing else runs."""

    def __init__(self, coefficient: int, *, device: bool, seed: int) -> None:
        self.world = World(INVENTORY, clock=jump.clock(), seed=seed)
        self.world.corosync.token_coefficient = coefficient
        if device:
            self.world.membership.set_up_device(settled=True)

    def votes(self, node: str) -> Votes:
        return self.world.votes(node)

    async def takes(self, condition) -> float:
        """Seconds until it is so."""
        began = self.world.clock.now()
        while not condition():
            assert self.world.clock.now() < began + 120, "it did not come"
            await self.world.clock.sleep(0.1)
        return self.world.clock.now() - began

    def settled(self, node: str, members: int, votes: int) -> bool:
        view = self.votes(node)
        return (len(view.members), view.total) == (members, votes) and not self.world.membership.stalled(node)


Event = Callable[[Cluster], Awaitable[None]]
Condition = Callable[[Cluster], bool]
Range = tuple[float, float]


def measure(event: Event, condition: Condition, *, coefficient: int = OLD, device: bool = True) -> Range:
    """Shortest and longest time from an event to a condition."""

    async def once(seed: int) -> float:
        cluster = Cluster(coefficient, device=device, seed=seed)
        await cluster.world.clock.sleep(30)
        await event(cluster)
        return await cluster.takes(lambda: condition(cluster))

    found = [jump.run(once(seed)) for seed in SEEDS]
    return min(found), max(found)


async def site_off(cluster: Cluster) -> None:
    switch_off(cluster.world, SITE_A)


async def node_off(cluster: Cluster) -> None:
    switch_off(cluster.world, SITE_A[:1])


async def witness_off(cluster: Cluster) -> None:
    switch_witness(cluster.world, on=False)


async def witness_then_site(cluster: Cluster) -> None:
    switch_witness(cluster.world, on=False)
    await cluster.world.clock.sleep(60)
    switch_off(cluster.world, SITE_A)


async def witness_and_site(cluster: Cluster) -> None:
    switch_witness(cluster.world, on=False)
    switch_off(cluster.world, SITE_A)


async def parted(cluster: Cluster) -> None:
    cluster.world.links.cut("inter-site")


async def path_to_witness(cluster: Cluster) -> None:
    cluster.world.links.cut("witness:site-b")


async def site_back(cluster: Cluster) -> None:
    switch_off(cluster.world, SITE_A)
    await cluster.world.clock.sleep(60)
    await switch_on(cluster.world, SITE_A)


def b_has_four(cluster: Cluster) -> bool:
    return cluster.settled("pxmx02-01", 3, 4)


def b_has_none(cluster: Cluster) -> bool:
    return not cluster.votes("pxmx02-01").quorate


def b_is_blocked(cluster: Cluster) -> bool:
    return cluster.settled("pxmx02-01", 3, 3)


# What was measured on the real daemons, with what lies around it: heartbeats come every 8 s in their own phase.
MEASURED: dict[str, tuple[Event, Condition, dict[str, Any], Range]] = {
    "site off": (site_off, b_has_four, {"coefficient": OLD}, (12.2, 13.3)),
    "site off, new clusters": (site_off, b_has_four, {"coefficient": NEW}, (8.2, 13.0)),
    "one node off": (node_off, lambda c: c.settled("pxmx02-01", 5, 6), {"coefficient": OLD}, (12.2, 13.3)),
    "one node off, new clusters": (node_off, lambda c: c.settled("pxmx02-01", 5, 6), {"coefficient": NEW}, (7.7, 13.0)),
    "cut, the loser": (parted, b_has_none, {"coefficient": OLD}, (12.2, 13.3)),
    "cut, the winner": (parted, lambda c: c.settled("pxmx01-01", 3, 4), {"coefficient": OLD}, (12.2, 13.3)),
    "witness lost": (witness_off, lambda c: c.votes("pxmx02-01").total == 6, {}, (8.0, 16.1)),
    "witness first, then the site": (witness_then_site, b_is_blocked, {}, (12.2, 17.4)),
    "witness first, new clusters": (witness_then_site, b_is_blocked, {"coefficient": NEW}, (7.6, 12.8)),
    "witness and site at once": (witness_and_site, b_has_none, {}, (12.2, 18.8)),
    "a site's path to the witness": (path_to_witness, lambda c: c.votes("pxmx02-01").total == 6, {}, (8.0, 16.1)),
    "no device, half is lost": (site_off, b_has_none, {"device": False}, (12.2, 12.5)),
    "back again": (site_back, lambda c: c.settled("pxmx01-01", 6, 7), {"coefficient": OLD}, (4.4, 5.8)),
    "back again, new clusters": (site_back, lambda c: c.settled("pxmx01-01", 6, 7), {"coefficient": NEW}, (3.0, 4.4)),
}  # fmt: skip


@pytest.mark.parametrize("what", MEASURED)
def test_votes_change_in_their_time(what: str):
    """From the event to the settled view, over many phases."""
    event, condition, setting, (earliest, latest) = MEASURED[what]
    shortest, longest = measure(event, condition, **setting)

    assert earliest <= shortest <= longest <= latest


def test_the_total_falls_before_the_members_do():
    """In between the survivor shows six members, four votes and quorum."""

    async def play() -> None:
        cluster = Cluster(NEW, device=True, seed=1)
        await site_off(cluster)
        await cluster.takes(lambda: cluster.votes("pxmx02-01").total == 4)
        view = cluster.votes("pxmx02-01")
        assert (len(view.members), view.quorate) == (6, True)

    jump.run(play())


def test_corosync_waits_for_the_poll_of_a_device_that_has_lost_its_witness():
    """Its polls come every five seconds, in a phase of their own: the members follow the new ring some time later."""
    shortest, longest = measure(witness_then_site, b_is_blocked, coefficient=NEW)

    assert shortest + 1 < longest < shortest + 5.1


def test_a_node_that_joins_a_quorate_cluster_does_not_tell_its_device_of_the_seventh_vote():
    """It takes the expected votes over from the others: its own count is seven, its qdevice goes on with six."""

    async def play() -> None:
        cluster = Cluster(NEW, device=True, seed=1)
        await site_back(cluster)
        await cluster.takes(lambda: all(cluster.settled(node, 6, 7) for node in (*SITE_A, *SITE_B)))
        expected = {node: cluster.world.membership.device_expects(node) for node in (SITE_A[0], SITE_B[0])}
        assert expected == {SITE_A[0]: 6, SITE_B[0]: 7}
        assert cluster.votes(SITE_A[0]).expected == 7

    jump.run(play())


def test_every_device_is_told_of_the_seventh_vote_that_it_brings():
    """After a set-up nobody has taken it over from anybody."""

    async def play() -> None:
        cluster = Cluster(NEW, device=False, seed=1)
        cluster.world.membership.set_up_device()
        assert {cluster.world.membership.device_expects(node) for node in (*SITE_A, *SITE_B)} == {6}
        await cluster.takes(lambda: all(cluster.settled(node, 6, 7) for node in (*SITE_A, *SITE_B)))
        assert {cluster.world.membership.device_expects(node) for node in (*SITE_A, *SITE_B)} == {7}

    jump.run(play())


def winner_of(*cuts: str, before=None, device: bool = True) -> dict[str, str]:
    """What each site's first node says of its vote, long after the cuts."""

    async def play() -> dict[str, str]:
        cluster = Cluster(NEW, device=device, seed=3)
        if before is not None:
            await before(cluster)
        for name in cuts:
            cluster.world.links.cut(name)
        await cluster.world.clock.sleep(60)
        views = {node: cluster.votes(node) for node in ("pxmx01-02", "pxmx02-01")}
        return {node: f"{view.device} {'quorate' if view.quorate else 'blocked'}" for node, view in views.items()}

    return jump.run(play())


def test_an_even_split_goes_to_the_lowest_node():
    """Both sites reach the witness: the one with node 1 gets the vote."""
    assert winner_of("inter-site") == {"pxmx01-02": "voting quorate", "pxmx02-01": "refused blocked"}


def test_who_reaches_the_witness_alone_wins():
    """Whatever its numbers."""
    assert winner_of("uplink:site-a") == {"pxmx01-02": "connecting blocked", "pxmx02-01": "voting quorate"}


def test_more_nodes_win():
    """Three against two, though the two have node 1."""

    async def one_less(cluster: Cluster) -> None:
        switch_off(cluster.world, ["pxmx01-03"])
        await cluster.world.clock.sleep(30)

    assert winner_of("inter-site", before=one_less) == {"pxmx01-02": "refused blocked", "pxmx02-01": "voting quorate"}


def test_who_had_the_vote_keeps_it():
    """Site B went on alone; site A comes back without a link to it and does not get the vote for its low numbers."""

    async def b_alone(cluster: Cluster) -> None:
        switch_off(cluster.world, SITE_A)
        await cluster.world.clock.sleep(60)
        cluster.world.links.cut("inter-site")
        await switch_on(cluster.world, SITE_A)

    assert winner_of(before=b_alone) == {"pxmx01-02": "refused blocked", "pxmx02-01": "voting quorate"}


def test_less_than_half_never_gets_the_vote():
    """Two nodes of six with the witness are three votes, and not even those."""

    async def play() -> None:
        cluster = Cluster(NEW, device=True, seed=1)
        switch_off(cluster.world, [*SITE_A, "pxmx02-03"])
        await cluster.world.clock.sleep(60)
        view = cluster.votes("pxmx02-01")
        assert (view.total, view.device, view.quorate) == (2, "refused", False)

    jump.run(play())


def test_one_ring_is_enough():
    """The second one carries; with both cut the node is alone."""

    async def play() -> None:
        cluster = Cluster(NEW, device=True, seed=1)
        cluster.world.links.cut("ring0:pxmx02-03")
        await cluster.world.clock.sleep(60)
        assert cluster.settled("pxmx02-03", 6, 7)
        cluster.world.links.cut("ring1:pxmx02-03")
        await cluster.world.clock.sleep(60)
        assert (cluster.votes("pxmx02-03").total, len(cluster.votes("pxmx02-03").members)) == (1, 1)
        assert cluster.settled(SITE_B[0], 5, 6)

    jump.run(play())


def test_a_blip_shorter_than_the_token_is_not_noticed():
    """No membership is formed."""

    async def play() -> None:
        cluster = Cluster(NEW, device=True, seed=1)
        before = cluster.world.membership.ring_id("pxmx01-01")
        cluster.world.links.cut("inter-site")
        await cluster.world.clock.sleep(3)
        cluster.world.links.mend("inter-site")
        await cluster.world.clock.sleep(60)
        assert (cluster.world.membership.ring_id("pxmx01-01"), cluster.settled("pxmx01-01", 6, 7)) == (before, True)

    jump.run(play())


def test_a_dead_node_is_in_no_ring_whoever_asks_for_it():
    """A call that it was answering when it lost its power still asks whom it reaches."""

    async def story() -> frozenset[str]:
        cluster = Cluster(NEW, device=True, seed=1)
        switch_off(cluster.world, SITE_A[:1])
        assert not cluster.world.membership.reaches(SITE_A[0], SITE_B[0])
        await cluster.world.clock.sleep(60)
        return frozenset(cluster.votes(SITE_B[0]).members)

    assert jump.run(story()) == frozenset((*SITE_A[1:], *SITE_B))
