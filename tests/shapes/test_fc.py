"""Fibre Channel: HBAs log in by themselves, zones say where, and nothing of open-iscsi is asked or needed."""

import pytest
from temporalio.client import Client

from cluster.answers.advice import answers
from tests.incidents.conftest import watching
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


async def test_the_watch_sees_an_hba_port_without_a_link(client: Client, shape: MakeShape):
    """Two of four logins are left at each array; whoever is told, is told in the words of Fibre Channel."""
    site = shape("lab", over_fibre, which="fc-watched")
    site.rebuild()
    async with watching(client, site) as watch:
        site.fail("hba", "pxmx01-02", "0")
        state = await watch.says("paths-degraded")
        assert state.verdict is not None
        (found,) = answers(state.verdict, state.memory, site.inventory)
        assert found.why == (
            "pxmx01-02 has 2 of 4 sessions to X90R3-SiteA",
            "pxmx01-02 has 2 of 4 sessions to X90R3-SiteB",
        )
        assert found.tasks[0].do == "find the HBA port, cable or zone that is missing, then scan for LUNs"
        site.restore("hba", "pxmx01-02", "0")
        await watch.says("healthy")
