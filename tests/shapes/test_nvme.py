"""NVMe/TCP with the kernel's own multipathing: what holds for iSCSI holds for it, without any step of iSCSI's."""

import pytest
from temporalio.client import Client

from tests.shapes.conftest import MakeShape, travelled
from tests.twin import over_nvme

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("example", "nodes"), [("lab", 6), ("metro", 8)])
async def test_a_cluster_on_nvme_tcp_loses_a_site_and_gets_its_guests_home(
    client: Client, shape: MakeShape, example: str, nodes: int
):
    """Four optimized paths through the near array and four through the other, with native multipathing."""
    journey = await travelled(client, shape(example, over_nvme))

    assert journey.deployed.proof is not None
    assert len(journey.deployed.proof.paths) == nodes
    assert {(one.optimized, one.non_optimized) for one in journey.deployed.proof.paths.values()} == {(4, 4)}
    assert {line.split()[1] for line in journey.site.change_lines() if "iscsi" in line} == set()
