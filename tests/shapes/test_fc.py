"""Fibre Channel: HBAs log in by themselves, zones say where, and nothing of open-iscsi is asked or needed."""

import pytest
from temporalio.client import Client

from tests.shapes.conftest import MakeShape, travelled
from tests.twin import over_fibre

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("example", "nodes"), [("lab", 6), ("metro", 8)])
async def test_a_cluster_on_fibre_channel_loses_a_site_and_gets_its_guests_home(
    client: Client, shape: MakeShape, example: str, nodes: int
):
    """Two fabrics, two HBA ports a node, four ports an array: four paths through each."""
    journey = await travelled(client, shape(example, over_fibre, which="fc"))

    assert journey.deployed.proof is not None
    assert len(journey.deployed.proof.paths) == nodes
    assert {(one.optimized, one.non_optimized) for one in journey.deployed.proof.paths.values()} == {(4, 4)}
    assert not [change for change in journey.site.change_lines() if " iscsi." in change]
