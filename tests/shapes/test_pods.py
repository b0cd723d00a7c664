"""Two pods with three volumes, a storage on each, over every transport and beside a third place."""

from collections.abc import Callable

import pytest
from temporalio.client import Client

from tests.places import third_place
from tests.pods import two_pods
from tests.shapes.conftest import MakeShape, travelled
from tests.twin import over_fibre, over_nvme

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("change", "nodes"),
    [
        (two_pods, 6),
        (lambda text: over_fibre(two_pods(text)), 6),
        (lambda text: over_nvme(two_pods(text)), 6),
        (lambda text: two_pods(third_place(text)), 4),
    ],
    ids=["iscsi", "fc", "nvme", "third-place"],
)
async def test_a_cluster_with_two_pods_loses_a_site_and_gets_its_guests_home(
    client: Client, shape: MakeShape, change: Callable[[str], str], nodes: int
):
    """Three volumes and a storage on each with a guest of its own; the second run of the deployment changes nothing."""
    journey = await travelled(client, shape(change=change))

    report, site = journey.deployed, journey.site
    assert report.proof is not None
    assert set(report.wwids) == {disk.volume_name for disk in site.inventory.disks}
    assert len(set(report.wwids.values())) == 3
    assert len(report.proof.paths) == nodes
    assert {(one.optimized, one.non_optimized) for one in report.proof.paths.values()} == {(4, 4)}
    assert {one.sid for one in journey.home.moved} == {"vm:300", "vm:301", "vm:302"}
