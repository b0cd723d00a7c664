"""A node's paths over NVMe/TCP on the twin, bent in one way after the other: what is told, changed, and what stays."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as SshHosts
from activities.errors import Conflict, NotFound, Refuted
from lab.physics import nvme
from lab.physics.initiator import Way
from tests.incidents.conftest import Site
from tests.storage.conftest import NODE, A, B, Stand
from tests.twin import bent, inventory_file, over_nvme

WHOLE = "4 optimized, 4 non-optimized, there again after a reboot"
SPEED = 50.0


@pytest.fixture(scope="module")
def over_tcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = bent(inventory_file(tmp_path_factory.mktemp("nvme"), "nvme"), over_nvme)
    one = Site(path, SPEED)
    yield one
    one.stop()


@pytest_asyncio.fixture
async def stand(over_tcp: Site) -> AsyncIterator[Stand]:
    """A built cluster whose nodes are connected to every portal."""
    over_tcp.rebuild()
    ssh = SshHosts(over_tcp.inventory, Secrets(Path(over_tcp.path.parent)))
    yield Stand(over_tcp, ssh, over_tcp.inventory)
    await ssh.close()


def disconnected(stand: Stand, *portals: str) -> None:
    """The kernel has given controllers up."""
    for portal in portals:
        nvme.disconnect(stand.host, Way(A, portal))


def two_subsystems(stand: Stand) -> None:
    """Array B shows its namespaces under an NQN of its own, and boots have met that."""
    stand.site.world.arrays[B].nqn = "nqn.2010-06.com.purestorage:flasharray.13f7c2b96e04d8a5"
    stand.host.scanned.clear()


# --- as it is built ---


async def test_a_built_node_is_as_it_must_be(stand: Stand):
    """Nothing to change, and every proof holds; iSCSI is asked for nowhere."""
    assert await stand.plan() == []
    assert await stand.proof() == WHOLE
    assert (await stand.preflight()).startswith("3 packages, NQN as stated, native multipathing; round trips: ")
    assert (await stand.found())[A].finding == f"Purity 6.9.3, {B} connected for sync replication, 4 NVMe/TCP portals"
    assert await stand.offered() == []


async def test_the_namespace_is_called_by_its_nguid(stand: Stand):
    """The serial's digits with the vendor's id between them, and the same device behind udev's name."""
    assert stand.wwid == "eui.00730d187406c14724a9377500a7aa92"
    assert (await stand.says(f"readlink -e /dev/disk/by-id/nvme-{stand.wwid}")).strip() == "/dev/nvme1n1"
    assert (await stand.group()).finding == "pxmx-ac-vg, 10 TiB, seen by 6 nodes"


async def test_a_node_whose_lvm_does_not_show_the_group_is_told_why(stand: Stand):
    """A devices file knows the disks that somebody has added on that node alone."""
    stand.site.world.nodes["pxmx01-02"].hidden_groups.add("pxmx-ac-vg")

    with pytest.raises(Refuted) as caught:
        await stand.group()

    assert caught.value.message == (
        "pxmx01-02: volume group pxmx-ac-vg is not seen on /dev/nvme1n1; where LVM goes by a devices file or a filter "
        "there, add it: lvmdevices --adddev /dev/nvme1n1"
    )


async def test_its_paths_are_there_again_after_a_reboot(stand: Stand):
    """The unit asks each portal of discovery.conf."""
    stand.reboot()

    assert await stand.proof() == WHOLE


# --- a node that is not connected ---


async def test_a_node_without_controllers_is_connected_and_kept(stand: Stand):
    """One connection for each portal, one line for the next boot, the unit; a second time nothing."""
    for way in list(stand.host.sessions):
        nvme.disconnect(stand.host, way)
    stand.host.files[nvme.DISCOVERY] = "# made by hand"
    stand.host.disabled.add(nvme.UNIT)
    portals = [portal for name in (A, B) for portal in stand.site.world.arrays[name].portals]

    assert await stand.plan() == [
        *(f"{NODE}: connect {portal} ({A})" for portal in portals[:4]),
        *(f"{NODE}: connect {portal} ({B})" for portal in portals[4:]),
        *(f"{NODE}: add portal to reconnect {portal} (/etc/nvme/discovery.conf)" for portal in portals),
        f"{NODE}: enable unit nvmf-autoconnect.service",
    ]
    assert (await stand.ensure()).finding == f"4 optimized through {A}, 4 non-optimized"
    assert stand.host.files[nvme.DISCOVERY].splitlines()[:2] == [
        "# made by hand",
        "--transport=tcp --traddr=10.22.1.1 --trsvcid=4420 --ctrl-loss-tmo=-1 --fast_io_fail_tmo=30",
    ]
    assert await stand.plan() == []
    stand.reboot()
    assert await stand.proof() == WHOLE


async def test_each_end_of_a_node_gets_its_controllers(stand: Stand):
    """Two cards, one of them without a controller at one portal: told, made, kept."""
    for portal in (*stand.portals, *stand.site.world.arrays[B].portals):
        array = A if portal in stand.portals else B
        nvme.connect(stand.site.world, stand.host, Way(array, portal, "ens1f1"), patience=-1)
    nvme.disconnect(stand.host, Way(A, stand.portals[3], "ens1f1"))

    with pytest.raises(Refuted) as caught:
        await stand.proof()
    assert caught.value.message == f"{NODE}: 7 of 8 optimized paths through {A}"
    await stand.ensure()
    assert await stand.proof() == "8 optimized, 8 non-optimized, there again after a reboot"


async def test_a_black_holed_portal_is_named_before_anybody_connects(stand: Stand):
    """The kernel would say no more than that it failed."""
    disconnected(stand, stand.portals[3])
    stand.site.fail("portal", A, "3")
    before = stand.changes

    with pytest.raises(Refuted) as caught:
        await stand.ensure()

    assert caught.value.message == (
        f"{NODE}: no connection to portal {stand.portals[3]} of {A}: does not answer within 5 s; check its cable, VLAN "
        f"and firewall, or name the portals to use in arrays.portals of {A}"
    )
    assert stand.changes == before


# --- a path that does not carry ---


async def test_a_controller_that_tries_again_is_no_path(stand: Stand):
    """The kernel calls it connecting; nobody else has to do anything when the portal is back."""
    stand.site.fail("portal", A, "2")

    with pytest.raises(Refuted) as caught:
        await stand.proof()

    assert caught.value.message == (
        f"{NODE}: 3 of 4 optimized paths through {A}, the controller at {stand.portals[2]} is connecting"
    )
    stand.site.restore("portal", A, "2")
    assert await stand.proof() == WHOLE


async def test_a_host_that_prefers_the_other_array_is_told(stand: Stand):
    """ANA says so on both sides."""
    for array in stand.site.world.arrays.values():
        next(one for one in array.hosts if one.name == NODE).preferred_arrays = [B]

    with pytest.raises(Refuted) as caught:
        await stand.proof()

    assert caught.value.message == (
        f"{NODE}: 0 of 4 optimized paths through {A}, ANA says non-optimized: compare preferred_arrays of the host on "
        f"{A}; 0 of 4 non-optimized paths through {B}, ANA says optimized: compare preferred_arrays of the host on {B}"
    )


async def test_arrays_under_two_subsystems_are_refused(stand: Stand):
    """Linux would refuse the second one's namespace: nothing is built on that."""
    two_subsystems(stand)

    with pytest.raises(Refuted) as caught:
        await stand.preflight()

    assert caught.value.message == (
        f"{NODE}: the arrays show the pod under 2 NVMe subsystems (nqn.2010-06.com.purestorage:flasharray."
        "13f7c2b96e04d8a5, nqn.2010-06.com.purestorage:flasharray.5a8c19e07d2b4f63): Linux joins paths of one "
        "subsystem alone and refuses the same namespace under another; ask the vendor for a release that shows "
        "stretched pods under one, or set transport: iscsi"
    )


# --- after a reboot ---


async def test_what_a_reboot_would_lose_is_told_with_its_command(stand: Stand):
    """A portal without a line, and a unit that does not boot along."""
    lines = stand.host.files[nvme.DISCOVERY].splitlines(keepends=True)
    stand.host.files[nvme.DISCOVERY] = "".join(line for line in lines if "--traddr=10.22.1.4 " not in line)
    stand.site.fail("logins-by-hand", NODE)

    with pytest.raises(Refuted) as caught:
        await stand.proof()

    assert caught.value.message == (
        f"{NODE}: nvmf-autoconnect.service is not enabled, so a reboot would lose the paths: systemctl enable "
        "nvmf-autoconnect.service; 10.22.1.4:4420 is not in /etc/nvme/discovery.conf, so a reboot would lose these "
        "paths: echo '--transport=tcp --traddr=10.22.1.4 --trsvcid=4420 --ctrl-loss-tmo=-1 --fast_io_fail_tmo=30' >> "
        "/etc/nvme/discovery.conf"
    )


async def test_lines_that_give_controllers_up_are_told(stand: Stand):
    """It is no fault: the default of Linux is ten minutes."""
    text = stand.host.files[nvme.DISCOVERY]
    stand.host.files[nvme.DISCOVERY] = text.replace(" --ctrl-loss-tmo=-1 --fast_io_fail_tmo=30", "", 1)

    assert await stand.proof() == (
        f"{WHOLE}; /etc/nvme/discovery.conf lets the kernel give up controllers at 10.22.1.1:4420 for good: write "
        "--ctrl-loss-tmo=-1 --fast_io_fail_tmo=30 in these lines"
    )


async def test_another_path_policy_is_told_or_set(stand: Stand):
    """As the inventory's paths.tuning says."""
    del stand.host.files["/etc/udev/rules.d/99-nvme-iopolicy.rules"]

    assert await stand.proof() == (
        f"{WHOLE}; the vendor recommends another path policy: numa (recommended: queue-depth)"
    )
    stand.with_policy(tuning="set")
    assert await stand.plan() == [f"{NODE}: set path policy /etc/udev/rules.d/99-quorate-nvme.rules"]
    await stand.ensure()
    assert await stand.proof() == WHOLE


# --- what stands in the way ---


async def test_a_host_object_of_another_transport_is_left_alone(stand: Stand):
    """Purity lets a host of NVMe have no other initiator: whose it is has to be found out by people."""
    host = next(one for one in stand.site.world.arrays[A].hosts if one.name == NODE)
    host.nqns, host.iqns = [], ["iqn.1993-08.org.debian:01:a1b2c3d40101"]

    with pytest.raises(Conflict) as caught:
        await stand.offered()

    assert caught.value.message == (
        f"{A}: host {NODE} has iqn.1993-08.org.debian:01:a1b2c3d40101, and a host of NVMe has no other initiators; "
        "remove them there by hand, or name the node's own transport in the inventory"
    )


async def test_another_name_than_the_inventorys_is_refused(stand: Stand):
    """A cloned node has its template's."""
    stand.host.nvme.nqn = "nqn.2014-08.org.nvmexpress:uuid:00000000-0000-0000-0000-000000000001"

    with pytest.raises(Refuted) as caught:
        await stand.preflight()

    assert caught.value.message == (
        f"{NODE}: /etc/nvme/hostnqn says nqn.2014-08.org.nvmexpress:uuid:00000000-0000-0000-0000-000000000001, the "
        "inventory says nqn.2014-08.org.nvmexpress:uuid:4c4c4544-0031-5910-804b-000000000001; correct the nqn of the "
        "node in the inventory; a node that was cloned needs a name of its own: nvme gen-hostnqn > /etc/nvme/hostnqn"
    )


async def test_a_module_that_is_not_loaded_is_named(stand: Stand):
    """Without it every connection fails, and nvme-cli does not say why."""
    stand.host.nvme.loaded = False

    with pytest.raises(NotFound) as caught:
        await stand.preflight()

    assert caught.value.message == (
        f"{NODE}: the module nvme_tcp is not loaded; load it now and at boot: modprobe nvme-tcp; "
        "echo nvme-tcp > /etc/modules-load.d/nvme-tcp.conf"
    )


async def test_a_purity_without_namespace_numbers_is_refused(stand: Stand):
    """It came with 6.6.0."""
    stand.site.world.arrays[A].purity = "6.5.2"

    with pytest.raises(Refuted) as caught:
        await stand.found()

    assert caught.value.message == (
        f"{A}: Purity 6.5.2 is too old for transport nvme-tcp: connections tell their namespaces from 6.6.0 on; "
        "upgrade it with the vendor, or set transport: iscsi"
    )


async def test_arrays_without_such_ports_say_so(stand: Stand):
    """Their ports serve iSCSI."""
    stand.site.world.arrays[A].nqn = ""

    with pytest.raises(NotFound) as caught:
        await stand.found()

    assert caught.value.message == f"{A}: no NVMe/TCP port is configured"


# --- multipathd in place of the kernel ---


async def test_multipathd_joins_the_paths_where_the_kernel_does_not(stand: Stand):
    """Mapped by its NGUID, grouped by priority, LVM on the map, and there again after a reboot."""
    stand.host.nvme.native = False
    stand.with_policy(multipath="set")

    assert await stand.plan() == [
        f"{NODE}: set multipath settings /etc/multipath/conf.d/quorate.conf",
        f"{NODE}: map multipath device {stand.wwid}",
    ]
    assert (await stand.ensure()).finding == f"4 optimized through {A}, 4 non-optimized"
    assert await stand.plan() == []
    assert (await stand.group()).finding == "pxmx-ac-vg, 10 TiB, seen by 6 nodes"
    assert (await stand.preflight()).startswith("3 packages, NQN as stated, paths by multipathd; round trips: ")
    stand.reboot()
    assert await stand.proof() == WHOLE


async def test_multipathd_must_group_near_and_far_paths(stand: Stand):
    """Its default for a namespace does not, and nothing is built on that."""
    stand.host.nvme.native = False

    with pytest.raises(Refuted) as caught:
        await stand.ensure()

    assert caught.value.message == (
        f"{NODE}: path_grouping_policy is failover, not group_by_prio: I/O would take the far array as often as the "
        "near one; set `path_grouping_policy group_by_prio` for vendor NVME in /etc/multipath.conf (defaults), then "
        "`multipathd reconfigure`"
    )


async def test_a_namespace_that_nobody_joins_is_told(stand: Stand):
    """The kernel does not, and multipathd has not been told to."""
    stand.host.nvme.native = False

    with pytest.raises(Refuted) as caught:
        await stand.proof()

    assert caught.value.message == (
        f"{NODE}: native NVMe multipathing is off (nvme_core.multipath=N) and multipath shows no device {stand.wwid}; "
        f"make it: multipath -a {stand.wwid}; multipath -r"
    )


async def test_a_lost_path_of_multipathd_is_counted(stand: Stand):
    """Three of four at the near array."""
    stand.host.nvme.native = False
    stand.with_policy(multipath="set")
    await stand.ensure()
    stand.site.fail("portal", A, "2")

    with pytest.raises(Refuted) as caught:
        await stand.proof()

    assert caught.value.message == f"{NODE}: 3 of 4 paths with prio=50 through {A}"
