"""Behind the glass with two pods: what is restored is restored for all, and the quorum follows no single pod."""

from collections.abc import Iterator

import pytest
from temporalio.client import Client

from tests.breakglass.conftest import POLICY, Laws, breaking
from tests.breakglass.emergencies import logged_out, parted
from tests.breakglass.test_matrix import outcome
from tests.breakglass.test_others import healed
from tests.incidents.conftest import Site
from tests.pods import two_pods
from tests.twin import bent, inventory_file

pytestmark = pytest.mark.slow

TWO = "webb-ac-proxmox-01-two"
A, B = "X90R3-SiteA", "X90R3-SiteB"


@pytest.fixture(scope="module")
def running_pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = inventory_file(tmp_path_factory.mktemp("glass"), "glass-pods")
    one = Site(bent(path, lambda text: two_pods(text.partition("\n# Who may agree")[0] + POLICY)))
    yield one
    one.stop()


@pytest.fixture
def pods(running_pods: Site) -> Site:
    """As built, and healthy."""
    running_pods.rebuild()
    return running_pods


async def test_sessions_are_made_once_and_every_volume_has_its_paths(client: Client, pods: Site):
    """Two nodes have lost their sessions to an array, and with them paths to three volumes."""
    async with breaking(client, pods) as glass:
        await logged_out(glass, pods)
        report, _ = await healed(glass, Laws(pods), "RestoreSessions")
        await glass.watched.says("healthy", 90)

    assert {one.where for one in report.planned} == {"pxmx01-02", "pxmx02-03"}
    assert report.after == "every session is there"
    assert {len(pods.world.paths(node)) for node in pods.world.nodes} == {3 * 8}


async def test_an_array_is_given_what_it_lacks_of_the_second_pod(client: Client, pods: Site):
    """The first pod's volumes are connected as before."""
    array = pods.world.arrays[A]
    async with breaking(client, pods) as glass:
        (gone,) = [one for one in array.connections if one.volume.pod is not None and one.volume.pod.name == TWO]
        array.drop_connection(gone)
        report, _ = await healed(glass, Laws(pods), "ReconcileArrays")

    assert [str(one) for one in report.planned] == [f"{A}: connect volume {TWO}::apart (to pxmx-cluster-1 at LUN 51)"]
    assert {len(pods.world.paths(node)) for node in pods.world.nodes} == {3 * 8}


async def test_the_quorum_goes_to_the_site_that_has_every_pod(client: Client, pods: Site):
    """Both pods are at the other site."""
    async with breaking(client, pods) as glass:
        await parted(glass, pods)
        run = await glass.start("HandOverQuorum")
        await glass.both_agree(run)
        report = await glass.done(run)

    assert report.before == "The quorum is at site-a, the disks are at site-b"
    assert report.changed == 3


async def test_the_quorum_stays_while_one_pod_alone_is_at_the_other_site(client: Client, pods: Site):
    """Nodes whose guests have their disks would be powered off for one pod's guests."""
    async with breaking(client, pods) as glass:
        pods.fail("pod-preference", TWO, B)
        pods.fail("pod-preference", "webb-ac-proxmox-01", A)
        for fault in ("inter-site", "replication", "storage-network"):
            pods.fail(fault)
        await glass.watched.says("storage-elsewhere", 90)
        word, why = await outcome(glass, "HandOverQuorum")

    assert word == "NotCalledFor"
    assert f"The quorum is at site-a, the disks of pod {TWO} are at site-b" in why
    assert f"only pod {TWO} is at site-b: site-a has the disks of the others" in why
