"""Fibre Channel: HBAs log in by themselves, zones say where, and nothing of open-iscsi is asked or needed."""

import pytest
from temporalio.client import Client

from cluster.answers.advice import answers
from tests.failback.people import Person, list_of
from tests.incidents.conftest import watching
from tests.runs import parked_or_ended, until
from tests.shapes.conftest import MakeShape, travelled
from tests.twin import over_fibre
from workflows.page import StepRecord

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
            "pxmx01-02 has 2 of 4 logins to X90R3-SiteA",
            "pxmx01-02 has 2 of 4 logins to X90R3-SiteB",
        )
        assert found.tasks[0].do == "find the HBA port, cable or zone that is missing, then scan for LUNs"
        site.restore("hba", "pxmx01-02", "0")
        await watch.says("healthy")


def scan_is_asked_for(found: list[StepRecord]) -> bool:
    """The gate is open, and says what is done."""
    return any(one.title.startswith("Scan 1 node again") and one.state == "asked" for one in found)


async def test_a_node_whose_disks_are_gone_scans_behind_the_glass(client: Client, shape: MakeShape):
    """Nobody logs in: two people agree to a scan, and multipath shows every path again."""
    site = shape("lab", over_fibre, which="fc-glass")
    site.rebuild()
    node = site.world.nodes["pxmx01-03"]
    people = [Person(name) for name in ("ana", "ben", "cleo")]
    list_of(site.path.parent / str(site.inventory.approvals.allowed_signers), *people)
    async with watching(client, site) as watch:
        node.scanned.clear()
        await watch.says("storage-inactive")
        run = await client.start_workflow(
            "RestoreSessions",
            {"by": "ana", "why": "disks of pxmx01-03 are gone", "mode": "apply"},
            id="restore-sessions/fc",
            task_queue=watch.queue,
        )
        await until(run, scan_is_asked_for, "the gate", 120)
        for person in people[1:]:
            await person.says(run)
        assert await parked_or_ended(run, 120) is None
        report = await run.result()
        await watch.says("healthy", 60)
    assert [one["what"] for one in report["planned"]] == ["map multipath device"]
    assert len(site.world.paths(node.name)) == 8
