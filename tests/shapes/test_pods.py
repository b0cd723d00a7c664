"""Two pods with three volumes, a storage on each."""

import pytest
from temporalio.client import Client

from tests.pods import two_pods
from tests.shapes.conftest import MakeShape, travelled

pytestmark = pytest.mark.slow


async def test_a_cluster_with_two_pods_loses_a_site_and_gets_its_guests_home(client: Client, shape: MakeShape):
    """Three volumes and a storage on each with a guest of its own; the second run of the deployment changes nothing."""
    journey = await travelled(client, shape(change=two_pods))

    report, site = journey.deployed, journey.site
    assert report.proof is not None
    assert set(report.wwids) == {disk.volume_name for disk in site.inventory.disks}
    assert len(set(report.wwids.values())) == 3
    assert {(one.optimized, one.non_optimized) for one in report.proof.paths.values()} == {(4, 4)}
    assert {one.sid for one in journey.home.moved} == {"vm:300", "vm:301", "vm:302"}
