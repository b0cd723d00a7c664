"""The article's transport: what holds for every other one holds for it first."""

import pytest
from temporalio.client import Client

from tests.shapes.conftest import MakeShape, travelled

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("example", "nodes"), [("lab", 6), ("metro", 8)])
async def test_a_cluster_on_iscsi_loses_a_site_and_gets_its_guests_home(
    client: Client, shape: MakeShape, example: str, nodes: int
):
    """Three and three, and four and four with PVE's defaults: four paths through each array, built once."""
    journey = await travelled(client, shape(example))

    assert journey.deployed.proof is not None
    assert len(journey.deployed.proof.paths) == nodes
    assert {(one.optimized, one.non_optimized) for one in journey.deployed.proof.paths.values()} == {(4, 4)}
