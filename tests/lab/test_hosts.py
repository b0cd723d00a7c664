"""The twin's machines: real SSH clients get the real programs' texts, derived from one world."""

import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from activities.clients.purity import FlashArray
from activities.clients.secrets import Secrets
from activities.clients.ssh import Answer, Hosts
from activities.errors import Unauthorized, Unreachable
from cluster.transports import initiators
from lab.physics.faults import Fault
from tests.twin import TwinThread

VOLUME = "data"
WWID = "3624a9370730d187406c1477500a7aa92"


@pytest_asyncio.fixture
async def ssh(twin: TwinThread) -> AsyncIterator[Hosts]:
    hosts = Hosts(twin.inventory, Secrets(twin.path.parent))
    yield hosts
    await hosts.close()


def show_volume(twin: TwinThread, node: str = "pxmx01-01") -> None:
    """One volume on both arrays' first node: made on A, seen through A alone."""
    array = FlashArray(twin.inventory.array("X90R3-SiteA"), Secrets(twin.path.parent))
    array.create_volume(VOLUME, 10 * 2**40)
    array.create_host(node, initiators(twin.inventory.node(node), "iscsi"), "X90R3-SiteA")
    array.create_host_group("group")
    array.join("group", node)
    array.connect("group", VOLUME, 253)


async def log_in(twin: TwinThread, ssh: Hosts, node: str = "pxmx01-01") -> None:
    array = twin.world.arrays["X90R3-SiteA"]
    await ssh.read(node, "iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", array.portals[0])
    for portal in array.portals:
        await ssh.read(node, "iscsiadm", "-m", "node", "-T", array.target_iqn, "-p", portal, "--login")


def test_openssh_gets_the_same_answer(twin: TwinThread):
    """The system's own ssh, with a strict host key check."""
    folder, ssh = twin.path.parent / "secrets", twin.inventory.ssh
    address = twin.inventory.node("pxmx01-01").address

    options = ["-F", "none", "-p", str(ssh.port), "-i", str(folder / "id_ed25519"), "-o", "IdentitiesOnly=yes"]
    options += ["-o", f"UserKnownHostsFile={folder / 'known_hosts'}", "-o", "StrictHostKeyChecking=yes"]
    done = subprocess.run(
        ["ssh", *options, f"root@{address}", "pvecm status"],
        capture_output=True,
        text=True,
        timeout=20,
    )

    assert done.returncode == 0, done.stderr
    assert "Expected votes:   6" in done.stdout


async def test_a_key_it_does_not_know_is_refused(twin: TwinThread, tmp_path: Path):
    """Only the inventory's key opens the door."""
    import asyncssh

    (tmp_path / "other").write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    (tmp_path / "known").write_bytes((twin.path.parent / "secrets" / "known_hosts").read_bytes())
    login = twin.inventory.ssh.model_copy(update={"key": "file:other", "known_hosts": "known"})
    hosts = Hosts(twin.inventory.model_copy(update={"ssh": login}), Secrets(tmp_path))

    with pytest.raises(Unauthorized, match=r"the key that ssh\.key refers to is not accepted"):
        await hosts.run("pxmx01-01", "true")


async def test_an_unknown_command_ends_with_127(ssh: Hosts):
    """As bash says it."""
    answer = await ssh.run("pxmx01-01", "frobnicate", "-x")

    assert (answer.status, answer.stderr) == (127, "bash: line 1: frobnicate: command not found\n")


async def test_without_sessions_iscsiadm_ends_with_21(ssh: Hosts):
    """Nothing to list is a status of its own."""
    answer = await ssh.run("pxmx01-01", "iscsiadm", "-m", "session")

    assert (answer.status, answer.stderr) == (21, "iscsiadm: No active sessions.\n")


async def test_a_second_login_ends_with_15(twin: TwinThread, ssh: Hosts):
    """The session that is there stays, and nothing is recorded twice."""
    await log_in(twin, ssh)
    array = twin.world.arrays["X90R3-SiteA"]
    before = twin.change_lines()

    again = await ssh.run(
        "pxmx01-01", "iscsiadm", "-m", "node", "-T", array.target_iqn, "-p", array.portals[0], "--login"
    )

    assert again.status == 15
    assert twin.change_lines() == before


async def test_a_discovery_sets_records_back_unless_it_is_told_not_to(twin: TwinThread, ssh: Hosts):
    """As open-iscsi does: what nobody has changed in iscsid.conf is `manual` again."""
    array = twin.world.arrays["X90R3-SiteA"]
    discovery = ("iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", array.portals[0])
    record = ("iscsiadm", "-m", "node", "-T", array.target_iqn, "-p", array.portals[0])
    await log_in(twin, ssh)
    await ssh.read("pxmx01-01", *record, "--op", "update", "-n", "node.startup", "-v", "automatic")

    await ssh.read("pxmx01-01", *discovery, "-o", "new")
    kept = await ssh.read("pxmx01-01", *record, "-o", "show")
    await ssh.read("pxmx01-01", *discovery)
    set_back = await ssh.read("pxmx01-01", *record, "-o", "show")

    assert ("node.startup = automatic\n" in kept, "node.startup = manual\n" in set_back) == (True, True)


async def test_multipath_prints_what_the_world_is(twin: TwinThread, ssh: Hosts):
    """Four optimized paths at LUN 253, in multipath's own columns."""
    show_volume(twin)
    await log_in(twin, ssh)
    assert await ssh.read("pxmx01-01", "multipath", "-ll") == ""
    await ssh.read("pxmx01-01", "multipath", "-a", WWID)

    assert (await ssh.read("pxmx01-01", "multipath", "-ll", WWID)).splitlines() == [
        f"{WWID} dm-0 PURE,FlashArray",
        "size=10T features='0' hwhandler='1 alua' wp=rw",
        "`-+- policy='service-time 0' prio=50 status=active",
        "  |- 0:0:0:253 sda 8:0   active ready running",
        "  |- 1:0:0:253 sdb 8:16  active ready running",
        "  |- 2:0:0:253 sdc 8:32  active ready running",
        "  `- 3:0:0:253 sdd 8:48  active ready running",
    ]


async def test_a_lun_that_came_later_needs_a_rescan(twin: TwinThread, ssh: Hosts):
    """A session does not look again by itself."""
    await log_in(twin, ssh)
    show_volume(twin)
    await ssh.read("pxmx01-01", "multipath", "-a", WWID)
    assert await ssh.read("pxmx01-01", "multipath", "-ll", WWID) == ""

    await ssh.read("pxmx01-01", "iscsiadm", "-m", "session", "--rescan")

    assert "sdd" in await ssh.read("pxmx01-01", "multipath", "-ll", WWID)


async def test_lvm_makes_a_group_once(twin: TwinThread, ssh: Hosts):
    """pvcreate and vgcreate on the map; again, they refuse in LVM's words."""
    show_volume(twin)
    await log_in(twin, ssh)
    await ssh.read("pxmx01-01", "multipath", "-a", WWID)
    device = f"/dev/mapper/{WWID}"
    assert await ssh.read("pxmx01-01", "wipefs", "--no-act", device) == ""

    assert "successfully created." in await ssh.read("pxmx01-01", "pvcreate", device)
    assert "successfully created" in await ssh.read("pxmx01-01", "vgcreate", "vg", device)

    assert "LVM2_member" in await ssh.read("pxmx01-01", "wipefs", "--no-act", device)
    again = await ssh.run("pxmx01-01", "vgcreate", "vg", device)
    assert (again.status, again.stderr) == (5, "  A volume group called vg already exists.\n")
    once_more = await ssh.run("pxmx01-01", "pvcreate", device)
    assert "without -ff" in once_more.stderr


async def test_the_quorum_device_is_set_up_once(twin: TwinThread, ssh: Hosts):
    """Seven votes on every node afterwards; a second set-up refuses in pvecm's words."""
    witness = twin.inventory.device
    done = await ssh.read("pxmx01-01", "pvecm", "qdevice", "setup", witness)
    assert "INFO: add QDevice to cluster configuration" in done
    await settled(twin, ssh)

    text = await ssh.read("pxmx02-03", "pvecm", "status")
    assert "Total votes:      7\nQuorum:           4  \nFlags:            Quorate Qdevice \n" in text
    assert f"0x00000001          1    A,V,NMW {twin.inventory.nodes[0].address}\n" in text
    assert "0x00000000          1            Qdevice\n" in text

    again = await ssh.run("pxmx01-01", "pvecm", "qdevice", "setup", witness)
    assert (again.status, again.stderr) == (255, "QDevice already configured!\n")


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (lambda twin: twin.world.witness.packages.clear(), "qnetd-cacert.crt: No such file or directory"),
        (lambda twin: twin.world.witness.root_keys.clear(), "ssh-copy-id"),
        (lambda t: t.world.nodes["pxmx02-01"].packages.clear(), "corosync-qdevice-net-certutil: command not found"),
        (lambda twin: twin.power_off("pxmx01-02"), "Node pxmx01-02 is offline, aborting."),
    ],
)
async def test_set_up_stops_where_pvecm_would(twin: TwinThread, ssh: Hosts, bend, said: str):
    """What is missing is told in pvecm's words, and nothing is configured."""
    bend(twin)

    answer = await ssh.run("pxmx01-01", "pvecm", "qdevice", "setup", twin.inventory.device)

    assert answer.status == 255
    assert said in answer.stderr
    assert not twin.world.corosync.qdevice


async def test_a_unit_outlives_its_caller(twin: TwinThread, ssh: Hosts):
    """systemd-run goes on when the connection is gone, and a second one of the name is refused."""
    witness = twin.inventory.device
    command = ("systemd-run", "--wait", "--collect", "--unit=setup", "pvecm", "qdevice", "setup", witness)
    twin.world.faults.plant(Fault("ssh:pxmx01-01", "systemd-run", "drop"))
    with pytest.raises(Unreachable):
        await ssh.run("pxmx01-01", *command)

    await settled(twin, ssh)
    assert twin.change_lines() == [f"pxmx01-01 qdevice.setup {witness} {{}}"]
    assert "Reloading corosync.conf..." in await ssh.read("pxmx01-01", "journalctl", "-u", "setup", "-o", "cat")


async def test_the_witness_counts_its_clients(twin: TwinThread, ssh: Hosts):
    """None before the set-up, six after."""
    assert "Connected clients:\t\t0" in await ssh.read("qdevice", "corosync-qnetd-tool", "-s")

    await ssh.read("pxmx01-01", "pvecm", "qdevice", "setup", twin.inventory.device)

    deadline = time.monotonic() + 5
    while "Connected clients:\t\t6" not in (said := await ssh.read("qdevice", "corosync-qnetd-tool", "-s")):
        assert time.monotonic() < deadline, said


async def test_dpkg_names_what_is_missing(ssh: Hosts):
    """Known packages are printed, unknown ones complained about, the status says so."""
    answer: Answer = await ssh.run("qdevice", "dpkg-query", "-W", "-f", "${Package}\\n", "corosync-qnetd", "nginx")

    assert answer.stdout == "corosync-qnetd\n"
    assert answer.stderr == "dpkg-query: no packages found matching nginx\n"
    assert answer.status == 1


async def settled(twin: TwinThread, ssh: Hosts) -> None:
    """Wait until all votes are there."""
    import asyncio

    for _ in range(200):
        if "Total votes:      7" in (await ssh.run("pxmx01-01", "pvecm", "status")).stdout:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("seven votes did not come in 10 s")
