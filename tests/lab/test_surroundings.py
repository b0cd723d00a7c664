"""What stands around the cluster: a shared witness, maps under other names, volumes beside, rights and backups."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts
from lab.control.places import Unfit
from tests.incidents.conftest import Site
from tests.lab.test_host_tools import until
from tests.twin import inventory_file

FIRST, FAR, LOCAL, REMOTE = "pxmx01-01", "pxmx02-01", "X90R3-SiteA", "X90R3-SiteB"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    one = Site(inventory_file(tmp_path_factory.mktemp("surroundings"), "surroundings"), 20.0)
    yield one
    one.stop()


@pytest.fixture
def site(running: Site) -> Site:
    """A built cluster without anything around it."""
    running.rebuild()
    return running


class Shell:
    """Commands on hosts, quoted as they are typed."""

    def __init__(self, site: Site) -> None:
        self._hosts = Hosts(site.inventory, Secrets(site.path.parent))
        self.close = self._hosts.close

    async def says(self, line: str, host: str = FIRST) -> str:
        return (await self._hosts.run(host, *line.split())).stdout

    async def reads(self, line: str, host: str = FIRST) -> dict[str, str]:
        (row,) = next(iter(json.loads(await self.says(line, host))["report"][0].values()))
        return row


@pytest_asyncio.fixture
async def shell(site: Site) -> AsyncIterator[Shell]:
    one = Shell(site)
    yield one
    await one.close()


def ids(text: str) -> list[str]:
    return [line.split()[2].rstrip(":") for line in text.splitlines() if "Node ID" in line]


# --- the witness -----------------------------------------------------------------------------------------------------


async def test_a_neighbour_s_nodes_have_our_ids(site: Site, shell: Shell):
    """Both clusters are listed, the older one first; `-c` leaves one, and an unknown name nothing at all."""
    site.fail("neighbour-cluster", "depot-east", "4")
    everyone = await shell.says("corosync-qnetd-tool -l", "qdevice")
    ours = await shell.says("corosync-qnetd-tool -l -c pxmx-cluster", "qdevice")
    nobody = await shell.says("corosync-qnetd-tool -c elsewhere -l", "qdevice")

    assert [line for line in everyone.splitlines() if line.startswith("Cluster")] == [
        'Cluster "depot-east":', 'Cluster "pxmx-cluster":',
    ]  # fmt: skip
    assert (ids(everyone), ids(ours), nobody) == ([*"1234", *"123456"], [*"123456"], "")
    assert "Connected clients:\t\t10\nConnected clusters:\t\t2" in await shell.says("corosync-qnetd-tool -s", "qdevice")


async def test_a_neighbour_can_be_all_that_is_left(site: Site, shell: Shell):
    """When both sites are dark, the witness still lists ids that look like ours."""
    site.fail("neighbour-cluster", "depot-east")
    site.fail("site-power", "site-a")
    site.fail("site-power", "site-b")
    await until(lambda: not site.world.membership.clients())

    found = await shell.says("corosync-qnetd-tool -l", "qdevice")
    assert (ids(found), found.count("Cluster")) == ([*"1234"], 1)
    assert await shell.says("corosync-qnetd-tool -l -c pxmx-cluster", "qdevice") == ""


async def test_in_a_cut_each_client_has_its_own_membership_and_vote(site: Site, shell: Shell):
    """ACK for one half, NACK for the other (reference: host-outputs 1.8)."""
    site.fail("inter-site")
    await until(lambda: len(site.world.membership.granted()) == 3)

    found = await shell.says("corosync-qnetd-tool -l", "qdevice")
    lists = [line.split("\t")[-1] for line in found.splitlines() if "Membership" in line]
    votes = [line.split("\t")[-1] for line in found.splitlines() if "Vote" in line]
    assert lists == ["1, 2, 3"] * 3 + ["4, 5, 6"] * 3
    assert votes == ["No change (ACK)"] * 3 + ["No change (NACK)"] * 3


async def test_verbose_has_the_lines_of_the_real_tool(shell: Shell):
    """Each client with its heartbeat, ring, heuristics and TLS; the status with its buffer sizes."""
    found = (await shell.says("corosync-qnetd-tool -lv -c pxmx-cluster", "qdevice")).splitlines()

    assert [line.strip().partition(":")[0] for line in found[3:13]] == [
        "Node ID 1", "Client address", "HB interval", "Configuration version", "Configured node list", "Ring ID",
        "Membership node list", "Heuristics", "TLS active", "Vote",
    ]  # fmt: skip
    assert (await shell.says("corosync-qnetd-tool -sv", "qdevice")).endswith("send/receive size:\t32768/32768 bytes\n")
    assert (await shell.says("corosync-qnetd-tool -c pxmx-cluster", "qdevice")).startswith("usage: ")


def test_a_neighbour_of_our_own_name_is_refused(site: Site):
    """The witness would take both for one cluster."""
    with pytest.raises(Unfit, match="'pxmx-cluster' is the name of this cluster"):
        site.fail("neighbour-cluster", "pxmx-cluster")


# --- multipath -------------------------------------------------------------------------------------------------------


def wwid(site: Site) -> str:
    return next(iter(site.world.disks.values())).wwid


async def test_friendly_names_are_each_node_s_own(site: Site, shell: Shell):
    """A node with a map more has another letter; LVM follows, and the WWID stands beside the name."""
    site.fail("local-map", FIRST, "letters")
    site.fail("friendly-names")
    here, there = await shell.says("multipath -ll"), await shell.says("multipath -ll", FAR)

    assert here.splitlines()[0] == "mpatha (INTEL_SSDSC2KB240G8_PHYF912345678240AGN) dm-0 ATA,INTEL SSDSC2KB24"
    assert f"mpathb ({wwid(site)}) dm-1 PURE,FlashArray" in here
    assert there.splitlines()[0] == f"mpatha ({wwid(site)}) dm-0 PURE,FlashArray"
    assert (await shell.reads("vgs --reportformat json -o vg_name,pv_name"))["pv_name"] == "/dev/mapper/mpathb"
    assert (await shell.reads("pvs --reportformat json", FAR))["pv_name"] == "/dev/mapper/mpatha"
    assert "DEVICE" in await shell.says("wipefs --no-act /dev/mapper/mpathb")
    assert await shell.says(f"wipefs --no-act /dev/mapper/{wwid(site)}") == ""
    assert "DEVICE" in await shell.says(f"wipefs --no-act /dev/disk/by-id/dm-uuid-mpath-{wwid(site)}")


async def test_an_alias_is_found_by_either_name(site: Site, shell: Shell):
    """`multipath -ll` takes WWID and alias, and prints nothing for what it does not know."""
    site.fail("alias", "pure-ac-01")
    by_name, by_wwid = await shell.says("multipath -ll pure-ac-01"), await shell.says(f"multipath -ll {wwid(site)}")

    assert by_name == by_wwid
    assert by_name.startswith(f"pure-ac-01 ({wwid(site)}) dm-0 PURE,FlashArray\n")
    assert await shell.says("multipath -ll mpathz") == ""
    assert (await shell.reads("vgs --reportformat json -o pv_name"))["pv_name"] == "/dev/mapper/pure-ac-01"
    site.restore("alias", "pure-ac-01")
    assert (await shell.reads("vgs --reportformat json -o pv_name"))["pv_name"] == f"/dev/mapper/{wwid(site)}"


async def test_foreign_maps_stand_before_ours(site: Site, shell: Shell):
    """A WWID with letters, one with blanks; asked by WWID, ours comes alone."""
    site.fail("local-map", FIRST, "letters")
    site.fail("local-map", FIRST, "blanks")
    lines = (await shell.says("multipath -ll")).splitlines()

    assert [line for line in lines if " dm-" in line] == [
        "INTEL_SSDSC2KB240G8_PHYF912345678240AGN dm-0 ATA,INTEL SSDSC2KB24",
        "1IET     00090001 dm-1 IET,VIRTUAL-DISK",
        f"{wwid(site)} dm-2 PURE,FlashArray",
    ]
    assert lines[3] == "  `- 0:0:0:0  sda 8:0   active ready running"
    assert "sdc 8:32" in lines[11]
    assert (await shell.says(f"multipath -ll {wwid(site)}")).count(" dm-") == 1


async def test_another_volume_can_have_a_lun_that_ours_has_elsewhere(site: Site, shell: Shell):
    """Arrays count for themselves: with its own array dark, a node still has optimized paths at *that* LUN."""
    site.fail("volume-beside", REMOTE, "253")
    site.fail("array", LOCAL)
    ours = await shell.says(f"multipath -ll {wwid(site)}")
    everything = await shell.says("multipath -ll")

    assert ":253 " in ours
    assert ("prio=50" in ours, "prio=50" in everything) == (False, True)
    assert [line.split()[1] for line in everything.splitlines() if ":253 " in line and "active" in line] != []
    site.restore("array", LOCAL)
    site.restore("volume-beside", REMOTE, "253")
    assert (await shell.says("multipath -ll")).count(" dm-") == 1


def test_a_volume_beside_needs_a_built_cluster(running: Site):
    """Without a host group there is nobody to offer it to."""
    running.reset()

    with pytest.raises(Unfit, match="is the cluster built"):
        running.fail("volume-beside", REMOTE, "253")


# --- rights and backups ----------------------------------------------------------------------------------------------


def test_a_right_comes_back_where_it_was(site: Site):
    """Taken everywhere, given back on the same paths, also when another one went later."""
    access, token = site.world.cluster.access, site.inventory.api.token_id
    before = {name: access.acl.holding("token", token, name) for name in ("VM.Audit", "Sys.Modify")}
    site.fail("right-missing", "VM.Audit")
    site.fail("right-missing", "Sys.Modify")
    gone = [access.acl.holding("token", token, name) for name in before]
    site.restore("right-missing", "VM.Audit")
    site.restore("right-missing", "Sys.Modify")

    assert gone == [[], []]
    assert {name: set(access.acl.holding("token", token, name)) for name in before} == {
        name: set(paths) for name, paths in before.items()
    }


async def test_a_backup_runs_once_when_its_job_is_on(site: Site):
    """The fault is over as soon as the job has begun."""
    site.world.cluster.jobs["nightly"] = {"all": 1, "enabled": 1, "schedule": "22:00", "storage": "local"}
    site.fail("backup-run", "nightly")

    await until(lambda: site.world.cluster.guests[300].lock == "backup")
    assert site.drills.active == []
