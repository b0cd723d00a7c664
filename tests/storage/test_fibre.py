"""A node's paths over Fibre Channel on the twin, bent in one way after the other: what is told, changed, and stays."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as SshHosts
from activities.errors import Conflict, Refuted
from lab.control.places import Unfit
from lab.physics import fabric
from tests.incidents.conftest import Site
from tests.storage.conftest import NODE, A, B, Stand
from tests.twin import bent, inventory_file, over_fibre

WHOLE = "4 optimized, 4 non-optimized, there again after a reboot"
SPEED = 50.0
ONE, TWO = "21:00:00:24:FF:00:01:00", "21:00:00:24:FF:00:01:01"


@pytest.fixture(scope="module")
def with_hbas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = bent(inventory_file(tmp_path_factory.mktemp("fibre"), "fibre"), over_fibre)
    one = Site(path, SPEED)
    yield one
    one.stop()


@pytest_asyncio.fixture
async def stand(with_hbas: Site) -> AsyncIterator[Stand]:
    """A built cluster whose HBAs are logged in at both arrays."""
    with_hbas.rebuild()
    ssh = SshHosts(with_hbas.inventory, Secrets(Path(with_hbas.path.parent)))
    yield Stand(with_hbas, ssh, with_hbas.inventory)
    await ssh.close()


async def test_a_built_node_is_as_it_must_be(stand: Stand):
    """Nothing to change, and every proof holds; iSCSI is asked for nowhere."""
    assert await stand.plan() == []
    assert await stand.proof() == WHOLE
    assert (await stand.preflight()).startswith(
        "3 packages, 2 HBA ports as stated, logged in at 8 ports of the arrays; round trips: corosync_rtt"
    )
    assert (await stand.found())[A].finding == (
        f"Purity 6.9.3, {B} connected for sync replication, 4 Fibre Channel ports"
    )
    assert stand.access() == []


async def test_its_paths_are_there_again_after_a_reboot(stand: Stand):
    """HBAs log in by themselves, and multipath has noted the volume."""
    stand.reboot()

    assert await stand.proof() == WHOLE


async def test_a_node_without_disks_scans_and_maps(stand: Stand):
    """What a LUN that came later needs: no login, no record, no unit of open-iscsi."""
    stand.host.scanned.clear()
    stand.host.wwids.clear()

    assert await stand.plan() == [f"{NODE}: map multipath device {stand.wwid}"]
    assert (await stand.ensure()).finding == f"4 optimized through {A}, 4 non-optimized"
    assert [line.split()[1] for line in stand.changes] == ["fc.scan", "fc.scan", "multipath.add"]
    assert await stand.plan() == []


async def test_an_hba_port_without_a_link_stops_preflight_and_paths(stand: Stand):
    """It is named with its SCSI host, and nothing is tried again that no command mends."""
    stand.site.fail("hba", NODE, "0")
    said = (
        f"HBA port {ONE} (host2) is Linkdown, not Online: check its cable, its transceiver and the port of the switch"
    )

    with pytest.raises(Refuted) as preflight:
        await stand.preflight()
    with pytest.raises(Refuted) as paths:
        await stand.ensure()
    with pytest.raises(Refuted) as proof:
        await stand.proof()
    assert {one.value.message for one in (preflight, paths, proof)} == {f"{NODE}: {said}"}

    stand.site.restore("hba", NODE, "0")
    assert await stand.proof() == WHOLE


async def test_a_wwpn_of_the_inventory_that_is_not_on_the_node_is_told(stand: Stand):
    """An HBA that was exchanged has new names."""
    fabric.exchange(stand.site.world, stand.host, (ONE, "21:00:00:24:FF:00:99:01"))

    with pytest.raises(Refuted) as caught:
        await stand.preflight()
    assert caught.value.message == (
        f"{NODE}: no HBA has the WWPN {TWO} of the inventory, there is {ONE}, 21:00:00:24:FF:00:99:01; correct wwns of "
        "the node in the inventory"
    )


async def test_a_wwpn_that_belongs_to_another_host_of_the_array_is_told(stand: Stand):
    """Purity knows each WWN once; whose it is stands in the refusal."""
    host = next(one for one in stand.site.world.arrays[A].hosts if one.name == NODE)
    host.name = "old-server"

    with pytest.raises(Conflict) as caught:
        stand.access()
    assert caught.value.message == f"{A}: initiator {ONE}, {TWO} of {NODE} belongs to the host old-server"


async def test_a_wwpn_that_a_host_lacks_is_added(stand: Stand):
    """The second port of an HBA, on both arrays."""
    for array in stand.site.world.arrays.values():
        next(one for one in array.hosts if one.name == NODE).wwns.remove(TWO)

    assert stand.access() == [f"{name}: add initiator {TWO} (to host {NODE})" for name in (A, B)]
    assert stand.access() == []


async def test_a_port_of_an_array_that_is_down_is_seen_by_both_sides(stand: Stand):
    """One login less for the HBA port in its fabric."""
    stand.site.fail("portal", A, "2")

    with pytest.raises(Refuted) as caught:
        await stand.proof()
    assert caught.value.message == (
        f"{NODE}: each HBA port needs the same number of ports of {A}: {ONE} has 1 (CT0.FC0), others have 2"
    )


async def test_a_controller_that_restarts_leaves_a_path_in_each_fabric(stand: Stand):
    """And comes back without anybody's doing."""
    stand.site.fail("controller", A, "CT1")
    with pytest.raises(Refuted, match=f"no HBA port is logged in at controller CT1 of {A}"):
        await stand.proof()
    assert len(stand.site.world.paths(NODE)) == 6

    stand.site.restore("controller", A, "CT1")
    assert await stand.proof() == WHOLE


async def test_what_only_iscsi_has_is_no_fault_here(stand: Stand):
    """The table says which transports have such a thing."""
    with pytest.raises(
        Unfit, match="logins-by-hand is a fault of iSCSI or NVMe/TCP, and these nodes use Fibre Channel"
    ):
        stand.site.fail("logins-by-hand", NODE)
