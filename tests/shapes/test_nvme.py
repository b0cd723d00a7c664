"""NVMe/TCP: what holds for iSCSI holds for it, without any step of iSCSI's."""

import pytest
from temporalio.client import Client

from tests.breakglass.conftest import POLICY, Laws, breaking
from tests.breakglass.test_others import healed
from tests.shapes.conftest import MakeShape, deployed, travelled
from tests.twin import over_nvme

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("example", "nodes"), [("lab", 6), ("metro", 8)])
async def test_a_cluster_on_nvme_tcp_loses_a_site_and_gets_its_guests_home(
    client: Client, shape: MakeShape, example: str, nodes: int
):
    """Four optimized paths through the near array and four through the other, joined by the kernel."""
    journey = await travelled(client, shape(example, over_nvme))

    assert journey.deployed.proof is not None
    assert len(journey.deployed.proof.paths) == nodes
    assert {(one.optimized, one.non_optimized) for one in journey.deployed.proof.paths.values()} == {(4, 4)}
    assert [line for line in journey.site.change_lines() if "iscsi" in line] == []


async def test_a_cluster_is_built_where_multipathd_joins_the_paths_of_nvme_tcp(client: Client, shape: MakeShape):
    """The kernel's own multipathing is off on every node: maps by NGUID, settings of the pod's volume alone."""
    site = shape("lab", lambda text: over_nvme(text).replace("\nstorage:", "\npaths:\n  multipath: set\n\nstorage:", 1))
    for host in site.world.nodes.values():
        host.nvme.native = False

    first, _ = await deployed(client, site)

    assert first.proof is not None
    assert {(one.optimized, one.non_optimized) for one in first.proof.paths.values()} == {(4, 4)}
    assert {host.wwids == {first.wwid} for host in site.world.nodes.values()} == {True}


async def test_controllers_that_the_kernel_has_given_up_are_connected_again(client: Client, shape: MakeShape):
    """The storage network comes back after they were removed; two people agree, and every path is proven."""
    site = shape("lab", lambda text: over_nvme(text).partition("\n# Who may agree")[0] + POLICY)
    site.rebuild()
    host = site.world.nodes["pxmx01-02"]
    for way in host.sessions:
        host.nvme.patience[way] = 20.0  # somebody has connected them with a limit

    async with breaking(client, site) as glass:
        for portal in range(4):
            site.fail("portal", "X90R3-SiteA", str(portal))
        await glass.watched.until(lambda _: len(host.sessions) == 4, "the kernel to give four controllers up")
        for portal in range(4):
            site.restore("portal", "X90R3-SiteA", str(portal))
        await glass.watched.says("paths-lost", 90)
        report, found = await healed(glass, Laws(site), "RestoreSessions")
        await glass.watched.says("healthy", 90)

    assert {one.where for one in report.planned} == {"pxmx01-02"}
    assert {one.what for one in report.planned} == {"connect"}
    assert report.after == "every session is there"
    assert "4 optimized through X90R3-SiteA, 4 non-optimized" in {step.finding for step in found}
    assert "Connect 1 node again" in {step.title for step in found}
