"""Losses and returns: what corosync and qnetd make of them, and what the engine's watch makes of that."""

import asyncio

import pytest

from tests.real.both import Both, Pair
from tests.real.engine import Told
from tests.real.network import WITNESS
from tests.real.texts import differences

pytestmark = pytest.mark.real

SITE_A, SITE_B = "site-a", "site-b"


def mains(told: Pair[Told]) -> list[str]:
    """The main condition of each verdict, as a person reads it first."""
    return [one.verdict.sentence for one in told]


async def test_a_witness_that_is_lost_takes_its_vote_along_and_brings_it_back(both: Both):
    """Six votes are enough, and the reserve is gone."""
    both.lose_the_witness()
    told, *_ = await asyncio.gather(
        both.tell("witness-lost", within=120, row="witness off: the watch tells it (after 10 s of patience)"),
        both.counts(both.nodes, 6, 6, within=60, row="witness off: its vote is gone on all nodes"),
    )

    assert mains(told) == ["witness lost (qdevice)"] * 2
    assert await differences(both.real, both.twin, ("pxmx01-01", "pxmx02-01")) == ""

    await both.mend()
    await both.counts(both.nodes, 6, 7, within=60, row="witness starts again: seven votes on all nodes")


async def test_of_two_sites_that_part_the_one_with_the_lowest_node_keeps_the_quorum(both: Both):
    """Both reach the witness: site A gets its vote, site B is blocked, and the watch tells who is cut off."""
    both.part_the_sites()
    winners, losers = both.stage.sites[SITE_A], both.stage.sites[SITE_B]
    told, *_ = await asyncio.gather(
        both.tell("sites-parted", within=60, row="sites parted: the watch tells it"),
        both.counts(winners, 3, 4, within=60, row="sites parted: site A settled with four votes"),
        both.counts(losers, 3, 3, within=60, row="sites parted: site B settled without quorum"),
    )

    assert mains(told) == ["sites parted (site-a, site-b)"] * 2
    assert await differences(both.real, both.twin, (winners[0], losers[0], WITNESS)) == ""

    await both.mend()
    await both.counts(both.nodes, 6, 7, within=60, row="sites meet again: seven votes on all nodes")


async def test_a_site_that_loses_its_power_is_told_lost_and_comes_back(both: Both):
    """All daemons of site A end at once: site B keeps four votes, and the watch tells the loss from them."""
    survivors = both.stage.sites[SITE_B]
    both.power_off_site(SITE_A)
    told, *_ = await asyncio.gather(
        both.tell("site-lost", within=60, row="site A off: the watch tells it"),
        both.totals(survivors[0], 4, within=60, row="site A off: four votes counted at site B"),
        both.counts(survivors, 3, 4, within=60, row="site A off: site B settled with three members"),
    )

    assert mains(told) == ["site lost (site-a)"] * 2
    assert await differences(both.real, both.twin, (survivors[0], WITNESS)) == ""

    await both.mend()
    await both.counts(both.nodes, 6, 7, within=60, row="site A starts again: seven votes on all nodes")


async def test_a_site_that_is_lost_after_the_witness_takes_the_quorum_along(both: Both):
    """Three of seven are too few: nothing runs on, and the watch says so above all else."""
    survivors = both.stage.sites[SITE_B]
    both.lose_the_witness()
    await both.counts(both.nodes, 6, 6, within=60)
    both.power_off_site(SITE_A)
    told, *_ = await asyncio.gather(
        both.tell("quorum-lost", within=60, row="witness, then site A off: the watch tells it"),
        both.counts(survivors, 3, 3, within=60, row="witness, then site A off: site B has no quorum"),
    )

    assert [one.verdict.kind for one in told] == ["quorum-lost"] * 2
    assert await differences(both.real, both.twin, survivors[:1]) == ""
