"""PVE's and corosync's command line tools over SSH: their texts, their exit codes, and what they do to the world."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from activities.clients.secrets import Secrets
from activities.clients.ssh import Answer, Hosts
from lab.physics.power import switch_off
from tests.twin import TwinThread

FIRST, SECOND, FAR = "pxmx01-01", "pxmx01-02", "pxmx02-01"


class Shell:
    """One command line at a time, as an operator types them."""

    def __init__(self, twin: TwinThread) -> None:
        self.hosts = Hosts(twin.inventory, Secrets(twin.path.parent))

    async def run(self, line: str, node: str = FIRST) -> Answer:
        return await self.hosts.run(node, *line.split())

    async def says(self, line: str, node: str = FIRST) -> str:
        answer = await self.run(line, node)
        assert (answer.status, answer.stderr) == (0, ""), line
        return answer.stdout

    async def refuses(self, line: str, node: str = FIRST) -> tuple[int, list[str]]:
        answer = await self.run(line, node)
        return answer.status, answer.stderr.splitlines()


@pytest_asyncio.fixture
async def shell(twin: TwinThread) -> AsyncIterator[Shell]:
    one = Shell(twin)
    yield one
    await one.hosts.close()


def bend(twin: TwinThread, change: Callable[..., None], *arguments: Any) -> None:
    """Change the world from within its own loop."""

    async def go() -> None:
        change(*arguments)

    twin.call(go())


async def until(fits: Callable[[], bool], within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not fits():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def blank(text: str) -> list[list[str]]:
    """A table's cells."""
    return [line.split() for line in text.splitlines()]


# --- qm --------------------------------------------------------------------------------------------------------------


async def test_qm_starts_and_stops_in_the_foreground(twin: TwinThread, shell: Shell):
    """When the command ends, the guest runs; a second start is a failure."""
    assert await shell.says("qm status 101") == "status: stopped\n"
    await shell.says("qm start 101")
    assert twin.world.cluster.guests[101].running

    assert await shell.refuses("qm start 101") == (255, ["VM 101 already running"])
    assert await shell.says("qm status 101") == "status: running\n"
    await shell.says("qm stop 101")
    assert not twin.world.cluster.guests[101].running


@pytest.mark.parametrize("line", ["qm status 101", "qm set 101 --cores 1", "qm start 101"])
async def test_qm_works_only_on_the_owning_node(shell: Shell, line: str):
    """The file is not there, and the exit status is a stale ENOENT."""
    assert await shell.refuses(line, SECOND) == (
        2, ["Configuration file 'nodes/pxmx01-02/qemu-server/101.conf' does not exist"],
    )  # fmt: skip
    assert await shell.says("qm list", SECOND) == ""


async def test_qm_set_tells_what_it_was_asked_for(shell: Shell):
    """In the order of the options' names; `qm config` then shows it."""
    assert await shell.says("qm set 101 --delete net0 --cores 1 --memory 1024") == (
        "update VM 101: -cores 1 -delete net0 -memory 1024\n"
    )

    config = await shell.says("qm config 101")
    assert "cores: 1\n" in config
    assert "memory: 1024\n" in config
    assert "net0" not in config
    assert "digest" not in config


async def test_qm_list_is_a_table(shell: Shell):
    """Id, name, state, memory in MiB, disk in GiB, process."""
    head, row = blank(await shell.says("qm list"))

    assert head == ["VMID", "NAME", "STATUS", "MEM(MB)", "BOOTDISK(GB)", "PID"]
    assert row == ["101", "debian-base", "stopped", "8192", "8.00", "0"]


async def test_qm_clone_prints_its_log(twin: TwinThread, shell: Shell):
    """The copy is there when the command ends; a taken number is refused."""
    said = await shell.says("qm clone 101 300 --name copy --full --target pxmx01-02")

    assert said.startswith("create full clone of drive scsi0 (base-nfs:101/vm-101-disk-0.raw)\n")
    assert "TASK" not in said
    assert twin.world.cluster.guests[300].node == SECOND
    status, lines = await shell.refuses("qm clone 101 300")
    assert (status, lines[-1]) == (
        255, "close (rename) atomic file '/etc/pve/nodes/pxmx01-01/qemu-server/300.conf' failed: File exists",
    )  # fmt: skip


async def test_qm_migrate_moves_a_guest(twin: TwinThread, shell: Shell):
    """A running one needs to be told so."""
    await shell.says("qm start 101")
    assert await shell.refuses("qm migrate 101 pxmx01-02") == (255, ["can't migrate running VM without --online"])

    await shell.says("qm migrate 101 pxmx01-02 --online")

    assert twin.world.cluster.guests[101].node == SECOND
    assert await shell.says("qm status 101", SECOND) == "status: running\n"


async def test_a_guest_under_ha_is_only_asked_for(twin: TwinThread, shell: Shell):
    """`qm start` files a request and ends."""
    await shell.says("ha-manager add vm:101 --state stopped")

    assert await shell.says("qm start 101") == "Requesting HA start for VM 101\n"
    assert twin.world.cluster.ha.resources["vm:101"]["state"] == "started"


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("qm start 101 --frobnicate 1", "Unknown option: frobnicate"),
        ("qm start", "400 not enough arguments (vmid)"),
        ("qm start 101 102", "400 too many arguments"),
        ("qm start eleven", "400 Parameter verification failed."),
        ("qm frobnicate 101", "ERROR: unknown command 'qm frobnicate 101'"),
        ("qm set 101 --cores", "Option cores requires an argument"),
    ],
)
async def test_a_wrong_call_is_told_with_the_usage(twin: TwinThread, shell: Shell, line: str, first: str):
    """What is wrong comes first, and nothing happens."""
    before = twin.change_lines()

    status, lines = await shell.refuses(line)

    assert (status, lines[0]) == (255, first)
    assert twin.change_lines() == before


async def test_a_wrong_value_is_named(shell: Shell):
    """The parameter with its complaint, then the usage."""
    assert await shell.refuses("qm set 101 --cores many") == (
        255,
        [
            "400 Parameter verification failed.",
            "cores: type check ('integer') failed - got 'many'",
            "qm set <vmid> [OPTIONS]",
        ],
    )


# --- pvesm -----------------------------------------------------------------------------------------------------------


async def test_pvesm_adds_a_storage_that_no_node_sees(shell: Shell):
    """No error: the sign is the word inactive."""
    assert await shell.says("pvesm add lvm pxmx-ac-shared --vgname pxmx-ac-vg --shared 1") == ""

    assert await shell.says("pvesm status --storage pxmx-ac-shared", FAR) == (
        "Name                  Type     Status     Total (KiB)      Used (KiB) Available (KiB)        %\n"
        "pxmx-ac-shared         lvm   inactive               0               0               0    0.00%\n"
    )
    assert await shell.refuses("pvesm add lvm pxmx-ac-shared --vgname pxmx-ac-vg") == (
        255, ["create storage failed: storage ID 'pxmx-ac-shared' already defined"],
    )  # fmt: skip


async def test_pvesm_status_shows_sizes_in_kib(shell: Shell):
    """And a storage that is switched off as such."""
    await shell.says("pvesm set local --disable")

    rows = {cells[0]: cells[1:] for cells in blank(await shell.says("pvesm status"))}

    assert rows["base-nfs"] == ["nfs", "active", "1073741824", "8388608", "1065353216", "0.78%"]
    assert rows["local"] == ["dir", "disabled", "N/A", "N/A", "N/A", "N/A"]
    assert await shell.refuses("pvesm status --storage absent") == (
        255, ["400 Parameter verification failed.", "storage: No such storage.", "pvesm status [OPTIONS]"],
    )  # fmt: skip


async def test_pvesm_list_shows_volumes(shell: Shell):
    """Each with its guest."""
    assert blank(await shell.says("pvesm list base-nfs")) == [
        ["Volid", "Format", "Type", "Size", "VMID"],
        ["base-nfs:101/vm-101-disk-0.raw", "raw", "images", "8589934592", "101"],
    ]


# --- pvesh -----------------------------------------------------------------------------------------------------------


async def test_pvesh_prints_the_data_alone(shell: Shell):
    """No envelope; also for another node's path."""
    version = json.loads(await shell.says("pvesh get /version --output-format json"))
    status = json.loads(await shell.says("pvesh get /nodes/pxmx02-01/storage --output-format=json --enabled 1"))

    assert version["version"] == "9.1.9"
    assert [one["storage"] for one in status] == ["local", "base-nfs"]


async def test_pvesh_creates_changes_and_deletes(twin: TwinThread, shell: Shell):
    """As root@pam, with the API's own refusals."""
    line = "pvesh create /cluster/ha/resources --sid vm:101 --state stopped"

    assert await shell.says(line) == ""
    assert await shell.refuses(line) == (255, ["create resource failed: resource ID 'vm:101' already defined"])
    await shell.says("pvesh set /cluster/ha/resources/vm:101 --max_restart 3")
    assert twin.world.cluster.ha.resources["vm:101"]["max_restart"] == 3
    await shell.says("pvesh delete /cluster/ha/resources/vm:101")
    assert twin.world.cluster.ha.resources == {}


async def test_pvesh_waits_for_a_task(twin: TwinThread, shell: Shell):
    """The UPID is the answer, and the work is done when it comes; a task that fails fails the command."""
    upid = json.loads(await shell.says("pvesh create /nodes/pxmx01-01/qemu/101/status/start --output-format json"))

    assert upid.startswith("UPID:pxmx01-01:")
    assert twin.world.cluster.guests[101].running
    again = await shell.refuses("pvesh create /nodes/pxmx01-01/qemu/101/status/start --output-format json")
    assert again == (255, ["VM 101 already running"])


async def test_pvesh_knows_what_there_is_not(shell: Shell):
    """A verb without a handler ends with 1."""
    assert await shell.refuses("pvesh create /version") == (1, ["No 'create' handler defined for '/version'"])


async def test_pvesh_asks_a_dead_node_in_vain(twin: TwinThread, shell: Shell):
    """It goes by ssh, and that gives up."""
    bend(twin, switch_off, twin.world, [FAR])

    status, lines = await shell.refuses("pvesh get /nodes/pxmx02-01/storage --output-format json")

    assert status == 255
    assert lines[0].endswith("port 22: No route to host")


# --- ha-manager ------------------------------------------------------------------------------------------------------


async def test_ha_manager_status_is_one_line_an_entry(twin: TwinThread, shell: Shell):
    """The type, a blank, the status text; verbose adds the files as JSON."""
    await shell.says("ha-manager add vm:101 --state stopped")
    await until(lambda: twin.world.cluster.ha.manager is not None)

    lines = (await shell.says("ha-manager status")).splitlines()
    verbose = await shell.says("ha-manager status -v")

    assert lines[0] == "quorum OK"
    assert lines[1].startswith("master pxmx01-01 (active, ")
    assert lines[2] == "fencing armed (CRM watchdog active)"
    assert lines[3].startswith("lrm pxmx01-01 (")
    assert lines[-1].startswith("service vm:101 (pxmx01-01, ")
    state = json.loads(verbose.partition("full cluster state:\n")[2])
    assert state["manager_status"]["master_node"] == "pxmx01-01"


async def test_ha_manager_writes_resources(twin: TwinThread, shell: Shell):
    """Add, set, show, remove; only what is set is shown."""
    await shell.says("ha-manager add vm:101 --state stopped --comment base")
    assert await shell.refuses("ha-manager add vm:101") == (
        255, ["create resource failed: resource ID 'vm:101' already defined"],
    )  # fmt: skip
    await shell.says("ha-manager set vm:101 --max_restart 2")

    assert await shell.says("ha-manager config") == "vm:101\n\tcomment base\n\tmax_restart 2\n\tstate stopped\n\n"
    await shell.says("ha-manager remove vm:101")
    assert await shell.says("ha-manager config") == ""
    assert await shell.refuses("ha-manager set vm:101 --state started") == (
        255, ["update resources config failed: no such resource 'vm:101'"],
    )  # fmt: skip


async def test_commands_are_queued_for_the_crm(twin: TwinThread, shell: Shell):
    """Each as one line of the queue, with exit 0 and no word; the master would take them in its next round."""
    twin.call(twin.world.cluster.stop())  # no rounds here
    await shell.says("ha-manager add vm:101 --state stopped")

    lines = (
        "migrate vm:101 pxmx01-02",
        "relocate vm:101 pxmx01-03",
        "stop vm:101 60",
        "node-maintenance enable pxmx01-02",
        "node-maintenance disable pxmx01-02",
        "disarm-ha freeze",
        "arm-ha",
    )
    assert {line: await shell.says(f"ha-manager crm-command {line}") for line in lines} == dict.fromkeys(lines, "")
    assert twin.world.cluster.ha.commands == [
        ("migrate", "vm:101", "pxmx01-02"),
        ("relocate", "vm:101", "pxmx01-03"),
        ("stop", "vm:101", "60"),
        ("node-maintenance", "pxmx01-02", "enable"),
        ("node-maintenance", "pxmx01-02", "disable"),
        ("disarm-ha", "", "freeze"),
        ("arm-ha", "", ""),
    ]


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("ha-manager crm-command stop vm:101 60", "resource 'vm:101' is not HA managed"),
        ("ha-manager crm-command migrate vm:101 pxmx01-02", "resource 'vm:101' is not HA managed"),
        ("ha-manager migrate vm:101", "400 not enough arguments (node)"),
        ("ha-manager crm-command disarm-ha slowly", "400 Parameter verification failed."),
        ("ha-manager crm-command stop vm:101 now", "400 wrong arguments"),
        ("ha-manager rules list", "the twin prints rules only with --output-format json"),
        ("ha-manager frobnicate", "ERROR: unknown command 'ha-manager frobnicate'"),
    ],
)
async def test_ha_manager_refuses_in_words(twin: TwinThread, shell: Shell, line: str, first: str):
    """On stderr, and the queue stays empty."""
    status, lines = await shell.refuses(line)

    assert (status, lines[0]) == (255, first)
    assert twin.world.cluster.ha.commands == []


async def test_rules_are_written_and_listed(shell: Shell):
    """Add, list, read the file, remove."""
    await shell.says("ha-manager add vm:101 --state stopped")
    await shell.says("ha-manager rules add node-affinity home --resources vm:101 --nodes pxmx01-01:2,pxmx01-02")

    (rule,) = json.loads(await shell.says("ha-manager rules list --output-format json"))
    assert (rule["rule"], rule["type"], rule["resources"]) == ("home", "node-affinity", "vm:101")
    assert (await shell.says("cat /etc/pve/ha/rules.cfg")).startswith("node-affinity: home\n")
    await shell.says("ha-manager rules remove home")
    assert await shell.says("ha-manager rules list --output-format json") == "[]\n"


# --- corosync --------------------------------------------------------------------------------------------------------


async def test_pvecm_nodes_are_the_members(shell: Shell):
    """Decimal numbers and names."""
    rows = blank(await shell.says("pvecm nodes", FAR))

    assert ["4", "1", "pxmx02-01", "(local)"] in rows
    assert len([row for row in rows if row and row[0].isdigit()]) == 6


async def test_pvecm_expected_is_not_played(twin: TwinThread, shell: Shell):
    """It makes a lone partition quorate, which no runbook may do."""
    status, lines = await shell.refuses("pvecm expected 1")

    assert status == 255
    assert lines[0].startswith("the twin refuses")


async def test_pvecm_status_is_still_there(shell: Shell):
    """The other room's programs go on behind this one."""
    assert "Expected votes:   6\n" in await shell.says("pvecm status")


async def test_cfgtool_shows_two_links(twin: TwinThread, shell: Shell):
    """By link and by node; ring 1 has addresses of its own."""
    near, far = (twin.inventory.node(node).address for node in (FIRST, FAR))
    ring1 = near.replace(".101.11", ".111.11")  # the net of a twin may be 101 too

    assert await shell.says("corosync-cfgtool -s") == (
        "Local node ID 1, transport knet\n"
        + "".join(
            f"LINK ID {ring} udp\n\taddr\t= {address}\n\tstatus:\n\t\tnodeid:          1:\tlocalhost\n"
            + "".join(f"\t\tnodeid:          {number}:\tconnected\n" for number in range(2, 7))
            for ring, address in enumerate((near, ring1))
        )
    )
    assert f"nodeid: 4 reachable\n   LINK: 0 udp ({near}->{far}) enabled connected mtu: 1397\n" in await shell.says(
        "corosync-cfgtool -n"
    )


async def test_cfgtool_tells_a_cut_ring_from_a_lost_node(twin: TwinThread, shell: Shell):
    """One link down is a word in a line; no link at all is a node that is not there."""
    bend(twin, twin.world.links.cut, f"ring1:{SECOND}")
    bend(twin, switch_off, twin.world, [FAR])

    links, nodes = await shell.says("corosync-cfgtool -s"), await shell.says("corosync-cfgtool -n")

    first, second = links.split("LINK ID 1 udp")
    assert "nodeid:          2:\tconnected" in first
    assert "nodeid:          2:\tdisconnected" in second
    assert "nodeid:          4:\tdisconnected" in first
    assert "enabled disconnected mtu" in nodes.partition("nodeid: 3")[0]
    assert "nodeid: 4" not in nodes


async def test_cmapctl_tells_the_effective_token(twin: TwinThread, shell: Shell):
    """3000 ms and 125 for each node beyond two."""
    said = await shell.says("corosync-cmapctl -g runtime.config.totem.token")

    assert said == "runtime.config.totem.token (u32) = 3500\n"
    assert await shell.refuses("corosync-cmapctl -g totem.absent") == (
        1, ["Can't get key totem.absent. Error CS_ERR_NOT_EXIST"],
    )  # fmt: skip


async def test_the_quorum_devices_daemon_in_full(twin: TwinThread, shell: Shell):
    """Not configured it ends with 3; in full it tells heartbeat, members and the last vote."""
    assert (await shell.run("corosync-qdevice-tool -sv")).status == 3

    async def set_up() -> None:
        twin.world.membership.set_up_device(settled=True)

    twin.call(set_up())
    lines = (await shell.says("corosync-qdevice-tool -sv", FAR)).splitlines()

    assert lines[:5] == [
        "Qdevice information", "-------------------", "Model:\t\t\tNet", "Node ID:\t\t4", "HB interval:\t\t10000ms",
    ]  # fmt: skip
    assert "Heuristics:\t\tDisabled" in lines
    assert "    5\tNode ID = 4, State = member" in lines
    assert "HB interval:\t\t8000ms" in lines
    assert next(line for line in lines if line.startswith("Last poll call:")).endswith(" (cast vote)")
    assert "State:\t\t\tConnected" in lines
    assert set((await shell.says("corosync-qdevice-tool -s", FAR)).splitlines()) < set(lines)


# --- clocks and files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", [FIRST, "qdevice"])
async def test_a_good_clock_is_synchronised(shell: Shell, node: str):
    """By chrony's word and systemd's, on nodes and on the witness."""
    assert "Leap status     : Normal\n" in await shell.says("chronyc tracking", node)
    assert "System clock synchronized: yes\n" in await shell.says("timedatectl", node)


async def test_a_wrong_clock_shows_its_own_time(twin: TwinThread, shell: Shell):
    """Ten minutes ahead: what it shows is what it believes, and it is not synchronised."""
    twin.world.nodes[FIRST].clock_offset = 600.0

    tracking, wrong = await shell.says("chronyc tracking"), await shell.says("timedatectl show -p TimeUSec --value")
    right = await shell.says("timedatectl show -p TimeUSec --value", SECOND)

    assert "Leap status     : Not synchronised\n" in tracking
    assert await shell.says("timedatectl show -p NTPSynchronized --value") == "no\n"
    minutes = [int(text.split()[2].split(":")[1]) for text in (wrong, right)]
    assert (minutes[0] - minutes[1]) % 60 in (9, 10)


async def test_uptime_starts_anew_with_the_power(twin: TwinThread, shell: Shell):
    """Days for a host that was never off, minutes for one that just booted."""
    assert " up 10 days," in await shell.says("uptime")
    twin.world.nodes[FIRST].up_since = twin.world.clock.now() - 300

    assert " up 5 min," in await shell.says("uptime")


async def test_the_masters_log_is_in_its_journal(twin: TwinThread, shell: Shell):
    """What a command became is written there and nowhere in the API."""
    twin.world.nodes[FIRST].journal["pve-ha-crm"] = ["crm command error - node not online: migrate vm:101 pxmx01-02"]

    assert await shell.says("journalctl -u pve-ha-crm") == (
        "crm command error - node not online: migrate vm:101 pxmx01-02\n"
    )


async def test_corosync_conf_is_the_clusters(twin: TwinThread, shell: Shell):
    """Six nodes with two rings; the device's section comes with the device."""
    bare = await shell.says("cat /etc/pve/corosync.conf")
    address = twin.inventory.node(FIRST).address

    assert f"  node {{\n    name: pxmx01-01\n    nodeid: 1\n    quorum_votes: 1\n    ring0_addr: {address}\n" in bare
    assert bare.count("ring1_addr") == 6
    assert "quorum {\n  provider: corosync_votequorum\n}\n" in bare

    async def set_up() -> None:
        twin.world.membership.set_up_device(settled=True)

    twin.call(set_up())
    assert "  device {\n    model: net\n    net {\n      algorithm: ffsplit\n" in await shell.says(
        "cat /etc/corosync/corosync.conf"
    )


async def test_files_of_etc_pve_follow_the_cluster(shell: Shell):
    """Storages, resources and a guest's configuration, as they are now."""
    await shell.says("pvesm add lvm pxmx-ac-shared --vgname pxmx-ac-vg --shared 1")
    await shell.says("ha-manager add vm:101 --state stopped")

    assert "lvm: pxmx-ac-shared\n\tcontent images\n\tshared 1\n\tvgname pxmx-ac-vg\n\n" in await shell.says(
        "cat /etc/pve/storage.cfg"
    )
    assert await shell.says("cat /etc/pve/ha/resources.cfg") == "vm: 101\n\tstate stopped\n\n"
    assert "name: debian-base\n" in await shell.says("cat /etc/pve/qemu-server/101.conf")
    assert await shell.refuses("cat /etc/pve/qemu-server/101.conf", SECOND) == (
        1, ["cat: /etc/pve/qemu-server/101.conf: No such file or directory"],
    )  # fmt: skip
    assert (await shell.says("cat /etc/iscsi/initiatorname.iscsi")).startswith("## DO NOT EDIT")
