"""What hosts print where they are not as bare as ours: shared witnesses, other people's disks, aliases, lost disks."""

import json
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.errors import Conflict, NotFound, Refuted, Unreachable
from activities.hosts.lvm import Lvm
from activities.hosts.maps import usable_paths, volume_wwid
from activities.parsing.lvm import parse_active
from activities.parsing.multipath import parse_maps
from activities.parsing.votes import parse_votes
from activities.parsing.witness import parse_clients
from cluster.contracts.hosts import GroupFinding, GroupWish
from cluster.plan import Mode
from cluster.volumes import holders
from tests.cases.inputs import WWID, Arrays, Hosts, data, text

OURS = text("multipath-local-disk-wwid.txt").partition("ACMESSD240")[0]
SIZE = "size=447G features='0' hwhandler='0' wp=rw\n"
GROUP = "`-+- policy='service-time 0' prio=1 status=active\n"
DISK = "  `- 0:0:0:0 sda 8:0 active ready running\n"

# --- the witness ---


@pytest.mark.parametrize(
    ("name", "cluster", "clients"),
    [
        ("qnetd-two-clusters.txt", "pxmx-cluster", (4, 5, 6)),
        ("qnetd-two-clusters.txt", "depot-east", (1, 2, 3, 4)),
        ("qnetd-two-clusters.txt", "pxmx", ()),
        ("qnetd-other-cluster-only.txt", "pxmx-cluster", ()),
    ],
)
def test_only_this_clusters_clients_count(name: str, cluster: str, clients: tuple[int, ...]):
    """Node ids begin with 1 in every cluster; the name above them tells whose they are, to the letter."""
    assert parse_clients(text(name), cluster) == clients


@pytest.mark.parametrize(
    "said", ["    Node ID 1:\n", "Node ID 1:\n", 'cluster "x":\n', "Can't connect to QNetd socket\n"]
)
def test_a_client_without_a_cluster_is_nobodys(said: str):
    """It might be ours, or anybody's."""
    with pytest.raises(Unreachable, match="no cluster in"):
        parse_clients(said, "x")


def test_a_client_of_ours_that_cannot_be_read_is_not_gone():
    """Passed over, its node would count as dark."""
    with pytest.raises(Unreachable, match="no client in 'Node ID 0x5:'"):
        parse_clients('Cluster "x":\n    Node ID 4:\n    Node ID 0x5:\n', "x")


# --- multipath ---


def test_a_local_disk_under_multipath_hides_nothing():
    """The volume beside it is read: two usable optimized paths."""
    found = {one.wwid: one for one in parse_maps(text("multipath-local-disk-wwid.txt"))}

    assert found[WWID].usable(50, 21) == 2


def test_a_wwid_with_blanks_hides_nothing():
    """The map with the alias is the volume."""
    found = {one.wwid: one for one in parse_maps(text("multipath-wwid-with-blanks.txt"))}

    assert (found[WWID].device, found[WWID].usable(50, 21)) == ("/dev/mapper/pure-ac-01", 1)


@pytest.mark.parametrize(
    "foreign",
    [
        f"INTEL_SSDSC2KB480G8_BTYF84530ABC480BGN dm-1 ATA,INTEL SSDSC2KB48\n{SIZE}{GROUP}{DISK}",
        f"mpathb (eui.0025388b91b1b5a2) dm-2 NVME,SAMSUNG MZQL21T9HCJR-00A07\n{SIZE}{GROUP}"
        "  `- 0:1:1:1 nvme0n1 259:0 active ready running\n",
        f"1IET     00090001 dm-7 IET,VIRTUAL-DISK\n{SIZE}{GROUP}{DISK}",
        f"QEMU_HARDDISK_drive-scsi1 dm-0 ATA,QEMU HARDDISK\n{SIZE}{GROUP}{DISK}",
        f"3600508b1001c5ae72efe1fea025cd2e5 dm-3 ##,##\n{SIZE}",
        "360000000000000000e00000000030001 dm-4\n",
        f"mpatha (3600140) dm-4 LIO-ORG,disk\n{SIZE}a line of a version to come\n{GROUP}{DISK}",
        "uuid.4a2c3f00-0000-4000-8000-000000000001 [nvme]:nvme0n1 NVMe,Linux,4.18.0-2\n"
        "size=23371776 features='n/a' hwhandler='ANA' wp=rw\n|-+- policy='n/a' prio=50 status=optimized\n"
        "| `- 0:0:1    nvme0c0n1 0:0  n/a   optimized    live\n"
        "`-+- policy='n/a' prio=50 status=optimized\n  `- 0:1:1    nvme0c1n1 0:0  n/a   optimized    live\n",
        "Mar 03 02:11:09 | /etc/multipath.conf line 12, invalid keyword in the defaults section: foo\n",
    ],
    ids=["sata", "nvme", "iet", "qemu", "no-paths", "no-vendor", "later", "native", "remark"],
)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_nobody_elses_disk_hides_ours(foreign: str, *, first: bool):
    """Whatever it is called and however it is told, in front of ours or behind it."""
    found = {one.wwid: one for one in parse_maps(foreign + OURS if first else OURS + foreign)}

    assert found[WWID].usable(50, 21) == 2


@pytest.mark.parametrize(
    "spoilt",
    [
        OURS + "something new\n",
        OURS.replace("active ready running", "active ready", 1),
        OURS.replace("size=4.0T", "sise=4.0T"),
        OURS.replace("|-+- policy", "|-+- pollicy", 1),
    ],
)
def test_our_own_map_is_read_in_full_or_not_at_all(spoilt: str):
    """A path that is passed over would be a path that is missing."""
    with pytest.raises(Unreachable, match="cannot be read"):
        parse_maps(spoilt)


def test_a_map_of_ours_without_paths_is_a_map():
    """As it stands after the last path has been removed: no path is usable."""
    (found,) = parse_maps(f"{WWID} dm-2 ##,##\nsize=60G features='0' hwhandler='1 alua' wp=rw\n")

    assert (found.groups, found.usable(50, 21)) == ((), 0)


def test_an_alias_may_have_blanks():
    """The WWID stands in the last brackets."""
    (found,) = parse_maps(f"pure metro 1 ({WWID}) dm-2 PURE,FlashArray\n{SIZE}")

    assert (found.wwid, found.device) == (WWID, "/dev/mapper/pure metro 1")


async def test_paths_of_another_volume_at_the_same_lun_are_not_ours():
    """Arrays number for themselves: LUN 253 of the other array is another volume's."""
    hosts = Hosts({"multipath -ll": text("multipath-other-volume-same-lun.txt")})

    assert await usable_paths(cast(Any, hosts), "a1", WWID, 253, limit=1) == 0
    assert await usable_paths(cast(Any, hosts), "a1", "3624a93709e8d7c6b5a4938270001ff07", 253, limit=1) == 2
    assert hosts.asked[0] == f"a1: multipath -ll {WWID}"


def test_either_array_tells_the_volumes_wwid():
    """Both have the same serial number; an array that is dark is passed over, and two say nothing."""
    assert volume_wwid(cast(Any, Arrays("A")), ("A", "B"), "pod::v") == WWID
    with pytest.raises(Unreachable):
        volume_wwid(cast(Any, Arrays("A", "B")), ("A", "B"), "pod::v")


# --- LVM: volumes ---


def test_suspended_is_open_and_unknown_is_unknown():
    """Only what LVM calls inactive is inactive."""
    assert parse_active(text("lvs-suspended-open.json")) == {
        "vm-300-disk-0": True,
        "vm-301-disk-0": True,
        "vm-302-disk-0": None,
    }


@pytest.mark.parametrize(
    ("attributes", "held"),
    [
        ("-wi-ao----", {"v": True}),
        ("-wi-a-----", {"v": False}),
        ("-wi-s-----", {"v": True}),
        ("-wi-d-----", {"v": True}),
        ("-wi-i-----", {"v": True}),
        ("swi-Io----", {"v": True}),
        ("swi-S-----", {"v": True}),
        ("-wi-aX----", {"v": None}),
        ("-wi-Xo----", {"v": None}),
        ("-wi-?o----", {"v": None}),
        ("-wi-------", {}),
        ("-wi-h-----", {}),
    ],
)
def test_every_state_of_a_volume(attributes: str, held: dict[str, bool | None]):
    """lv_attr 5 and 6 as lvs(8) lists them, and a letter that it does not list."""
    report = {"report": [{"lv": [{"lv_name": "v", "lv_attr": attributes}]}]}

    assert parse_active(json.dumps(report)) == held


@pytest.mark.parametrize(("first", "second"), [("-wi-ao----", "-wi-a-----"), ("-wi-a-----", "-wi-ao----")])
def test_of_two_volumes_of_one_name_the_open_one_counts(first: str, second: str):
    """Two groups of one name: neither hides the other."""
    report = {"report": [{"lv": [{"lv_name": "v", "lv_attr": one} for one in (first, second)]}]}

    assert parse_active(json.dumps(report)) == {"v": True}


@pytest.mark.parametrize(
    ("other", "lacks"),
    [
        ({}, ""),
        ({"vm-300-disk-0": True}, "its volume is open on n1, n2"),
        ({"vm-300-disk-0": None}, "whether its volume is open on n2 is not known"),
        ({"vm-300-disk-0": False}, "its volume is active on n2 as well: deactivate it there by hand"),
        ({"vm-3000-disk-0": True, "base-301-disk-0": True}, ""),
        ({"snap_vm-300-disk-0_before.qcow2": True}, "its volume is open on n1, n2"),
    ],
)
def test_open_on_one_node_only_is_proven_or_it_is_not(other: dict[str, bool | None], lacks: str):
    """What a node does not know is no proof."""
    held: dict[str, dict[str, bool | None]] = {"n1": {"vm-300-disk-0": True}, "n2": other}

    assert holders(held, lambda name: "vm-300-" in name).lacks("n1").startswith(lacks)
    assert bool(holders(held, lambda name: "vm-300-" in name).lacks("n1")) == bool(lacks)


# --- LVM: the group ---


def multipath(wwid: str = WWID, alias: str = "") -> str:
    """The map of a volume under its own name or another one."""
    head = f"{alias} ({wwid})" if alias else wwid
    return f"{head} dm-3 PURE,FlashArray\n{SIZE}{GROUP}  `- 4:0:0:21 sdc 8:32  active ready running\n"


def vgs(*devices: str, name: str = "vg-metro", free: int = 2**42) -> str:
    """What `vgs` says of a group on these devices."""
    rows = [{"vg_name": name, "pv_name": one, "vg_size": str(2**43), "vg_free": str(free)} for one in devices]
    return json.dumps({"report": [{"vg": rows}]})


async def group(hosts: Hosts, mode: Mode = Mode.PLAN, wwid: str | None = WWID) -> GroupFinding:
    wish = GroupWish(mode=mode, vg="vg-metro", wwid=wwid, nodes=("n1", "n2", "n3"))
    found = await ActivityEnvironment().run(Lvm(cast(Any, hosts)).ensure_volume_group, wish)
    assert isinstance(found, GroupFinding)
    return found


async def test_a_group_on_the_volume_under_an_alias_is_the_group():
    """The map says that mpathc *is* the WWID."""
    case = data("vgs-alias.json")
    hosts = Hosts({n: {"vgs": json.dumps(said), "multipath": case["multipath"]} for n, said in case["vgs"].items()})

    found = await group(hosts)

    assert (found.finding, found.changed, found.changes) == ("vg-metro, 10 TiB, seen by 3 nodes", False, ())


@pytest.mark.parametrize(
    "device",
    [
        f"/dev/mapper/{WWID}",
        "/dev/mapper/mpathc",
        "/dev/dm-3",
        f"/dev/disk/by-id/dm-uuid-mpath-{WWID}",
        "/dev/disk/by-id/dm-name-mpathc",
        f"/dev/disk/by-id/wwn-0x{WWID[1:]}",
        f"/dev/disk/by-id/scsi-{WWID}",
    ],
)
async def test_a_device_may_have_many_names(device: str):
    """And another one on each node."""
    other = {"vgs": vgs("/dev/mapper/mpatha"), "multipath": multipath(alias="mpatha")}
    one = {"vgs": vgs(device), "multipath": multipath(alias="mpathc")}

    assert (await group(Hosts({"n1": one, "n2": other, "n3": other}))).nodes == 3


async def test_a_missing_physical_volume_is_told_as_one():
    """Somebody has extended the group by a disk that is gone."""
    case = data("vgs-missing-pv.json")
    hosts = Hosts({n: {"vgs": json.dumps(said), "multipath": multipath()} for n, said in case["vgs"].items()})

    with pytest.raises(Conflict, match=r"a physical volume of vg-metro is missing: it has 2, LVM finds") as caught:
        await group(hosts)
    assert "rename" not in caught.value.message


ALIASED = multipath(alias="mpathc")


@pytest.mark.parametrize(
    ("listed", "mapped", "said"),
    [
        (vgs("/dev/sdc"), ALIASED, "n1: LVM uses /dev/sdc for vg-metro, not the multipath device of"),
        (
            vgs("/dev/sdc"),
            "",
            f"n1: LVM uses /dev/sdc for vg-metro, not the multipath device of {WWID}; where /dev/sdc",
        ),
        (vgs("/dev/sdx"), ALIASED, "n1: a volume group vg-metro exists on /dev/sdx, which is not /dev/mapper/mpathc"),
        (vgs("/dev/mapper/mpatha"), "", "n1: a volume group vg-metro exists on /dev/mapper/mpatha; whether that is"),
        (
            vgs("/dev/mapper/mpathc", "/dev/sdx", "/dev/sdy", "/dev/sdz"),
            ALIASED,
            "n1: vg-metro has 4 physical volumes, /dev/mapper/mpathc and /dev/sdx and /dev/sdy and /dev/sdz; one is",
        ),
        (
            vgs("/dev/mapper/mpathc", "[unknown]", "/dev/sdy", "[unknown]"),
            ALIASED,
            "n1: a physical volume of vg-metro is missing: it has 4, LVM finds /dev/mapper/mpathc and /dev/sdy",
        ),
        (vgs("[unknown]"), ALIASED, "n1: a physical volume of vg-metro is missing: it has 1, LVM finds none of them"),
        (vgs("/dev/mapper/mpathc", name="other"), ALIASED, "n1: /dev/mapper/mpathc carries the volume group other"),
    ],
)
async def test_whatever_else_the_group_stands_on_is_named(listed: str, mapped: str, said: str):
    """With what to do, which is never to rename a group in use."""
    with pytest.raises(Conflict) as caught:
        await group(Hosts({"vgs": listed, "multipath": mapped}))

    assert caught.value.message.startswith(said)
    assert "rename" not in caught.value.message


async def test_two_groups_of_one_name_are_two():
    """One of them on a disk of the node's own."""
    two = json.loads(vgs("/dev/mapper/mpathc"))
    two["report"][0]["vg"] += json.loads(vgs("/dev/sda3", free=0))["report"][0]["vg"]

    with pytest.raises(Conflict, match="there are two volume groups vg-metro, on /dev/mapper/mpathc and /dev/sda3"):
        await group(Hosts({"vgs": json.dumps(two), "multipath": ALIASED}))


async def test_a_group_is_made_on_the_device_that_is_there():
    """Under its alias; the plan names the volume, which is the same on every node."""
    hosts = Hosts({"vgs": vgs(), "multipath": ALIASED})

    planned = await group(hosts)
    with pytest.raises(Refuted, match="n1: volume group vg-metro is not seen on /dev/mapper/mpathc; n2: "):
        await group(hosts, Mode.APPLY)  # these hosts forget what they are told

    assert [str(one) for one in planned.changes] == [
        f"n1: create physical volume {WWID}",
        f"n1: create volume group vg-metro (on {WWID})",
    ]
    assert "n1: pvcreate /dev/mapper/mpathc" in hosts.asked
    assert "n1: vgcreate vg-metro /dev/mapper/mpathc" in hosts.asked


async def test_no_group_is_made_where_multipath_has_no_device():
    """A single path is never written to."""
    hosts = Hosts({"vgs": vgs(), "multipath": ""})

    with pytest.raises(NotFound, match=f"n1: multipath shows no device {WWID}"):
        await group(hosts, Mode.APPLY)
    assert not [one for one in hosts.asked if "create" in one]


# --- votes ---


@pytest.mark.parametrize(
    ("name", "each", "device"),
    [("votes-one-node-has-two.txt", (1, 1, 1, 2, 1, 1), 1), ("votes-qdevice-removed.txt", (1, 1, 1, 1, 1, 1), None)],
)
def test_each_nodes_votes_are_read(name: str, each: tuple[int, ...], device: int | None):
    """Whose vote counts twice can be told only from the rows."""
    found = parse_votes(text(name))

    assert tuple(member.votes for member in found.members) == each
    assert (found.device_votes, found.settled) == (device, True)
