"""One witness, two clusters: what happens to the other one is nothing to ours."""

import asyncio
import time

import pytest

from tests.patience import Deadline
from tests.real.both import Both
from tests.real.network import WITNESS
from tests.real.stage import OTHER

pytestmark = pytest.mark.real


async def clients(both: Both, cluster: str) -> tuple[int, ...]:
    """The node ids that the real qnetd lists under a cluster's name, read as the watch reads them."""
    said = await both.real.ssh.read(WITNESS, "corosync-qnetd-tool", "-l", "-c", cluster)
    return both.real.clients(said, cluster)


async def test_node_ids_of_the_other_cluster_are_not_taken_for_ours(both: Both):
    """Both count from 1; the whole list is read by name, and so is the part of one cluster."""
    whole = await both.real.ssh.read(WITNESS, "corosync-qnetd-tool", "-l")

    assert both.real.clients(whole, both.stage.ours.name) == (1, 2, 3, 4, 5, 6)
    assert both.real.clients(whole, OTHER.name) == (1, 2)
    assert await clients(both, OTHER.name) == (1, 2)


async def test_the_loss_of_the_other_cluster_leaves_ours_healthy(both: Both):
    """Its nodes go dark together: qnetd drops them, and our votes and our verdict stay as they were."""
    began = time.monotonic()
    both.stage.power_off(*OTHER.nodes)
    deadline = Deadline(30)
    while await clients(both, OTHER.name):
        assert not deadline.over, "qnetd still lists the clients of a cluster that is off"
        await asyncio.sleep(0.2)
    print(f"qnetd dropped the other cluster's nodes after {time.monotonic() - began:.1f} s")

    assert await clients(both, both.stage.ours.name) == (1, 2, 3, 4, 5, 6)
    await both.whole()
    assert (await both.real.looks()).sentence == "healthy"
