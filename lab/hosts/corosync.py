"""Votes on a node: pvecm, the corosync tools, and the one set-up that is not idempotent."""

import time

from lab.hosts.shell import Call, Output, Registry
from lab.physics.membership import Votes
from lab.physics.world import Host

COROSYNC = Registry()

CERTIFICATES = "/etc/corosync/qdevice/net/nssdb"
# Certificates to six nodes over ssh and six daemons started, lab seconds.
SETUP_TAKES = 6.0

_NO_VOTE, _VOTE = "A,NV,NMW", "A,V,NMW"


def _date(call: Call) -> str:
    moment = time.localtime(call.world.time_at(call.host))
    return time.strftime("%a %b %e %H:%M:%S %Y", moment)


def _quorum_part(call: Call, *, hexadecimal: bool) -> tuple[str, Votes]:
    world, votes = call.world, call.world.votes(call.host.name)
    number = (lambda n: f"0x{n:08x}") if hexadecimal else str
    flags = ("Quorate " if votes.quorate else "") + ("Qdevice " if votes.device != "none" else "")
    text = (
        "Quorum information\n------------------\n"
        f"Date:             {_date(call)}\n"
        "Quorum provider:  corosync_votequorum\n"
        f"Nodes:            {len(votes.members)}\n"
        f"Node ID:          {number(call.host.node_id)}\n"
        f"Ring ID:          {world.membership.ring_id(call.host.name)}\n"
        f"Quorate:          {'Yes' if votes.quorate else 'No'}\n\n"
        "Votequorum information\n----------------------\n"
        f"Expected votes:   {votes.expected}\n"
        f"Highest expected: {votes.expected}\n"
        f"Total votes:      {votes.total}\n"
        f"Quorum:           {votes.quorum} {' ' if votes.quorate else 'Activity blocked'}\n"
        f"Flags:            {flags}\n\n"
    )
    return text + _membership(call, votes, hexadecimal=hexadecimal), votes


def _membership(call: Call, votes: Votes, *, hexadecimal: bool) -> str:
    with_device = votes.device != "none"
    column = f"{'Qdevice':>10} " if with_device else ""
    text = f"Membership information\n----------------------\n{'Nodeid':>10}{'Votes':>11} {column}Name\n"
    cast = f"{_VOTE if votes.device == 'voting' else _NO_VOTE:>10} " if with_device else ""
    for name in votes.members:
        host = call.world.nodes[name]
        shown = f"0x{host.node_id:08x}" if hexadecimal else str(host.node_id)
        label = host.ring_address(0) if hexadecimal else name
        text += f"{shown:>10}{1:>11} {cast}{label}{' (local)' if name == call.host.name else ''}\n"
    if with_device:
        shown = "0x00000000" if hexadecimal else "0"
        voting = votes.device == "voting"
        text += f"{shown:>10}{int(voting):>11}            Qdevice{'' if voting else ' (votes 1)'}\n"
    return text


@COROSYNC.program("pvecm")
async def pvecm(call: Call) -> Output:
    """`pvecm status`, `pvecm qdevice setup|remove`."""
    if call.words[:1] == ("status",):
        part, votes = _quorum_part(call, hexadecimal=True)
        head = (
            "Cluster information\n-------------------\n"
            f"Name:             {call.world.inventory.name}\n"
            f"Config Version:   {call.world.corosync.config_version}\n"
            "Transport:        knet\nSecure auth:      on\n\n"
        )
        return Output(head + part, status=0 if votes.quorate else 2)
    if call.words[:2] == ("qdevice", "setup") and len(call.words) > 2:
        return await _set_up(call, call.words[2])
    if call.words[:2] == ("qdevice", "remove"):
        return _remove(call)
    return Output(stderr=f"ERROR: unknown command 'pvecm {' '.join(call.words)}'\n", status=255)


@COROSYNC.program("corosync-quorumtool", "-s -i -H -l")
async def quorumtool(call: Call) -> Output:
    """`corosync-quorumtool -s`, `-siH`, `-l`."""
    letters = "".join(word.lstrip("-") for word in call.words)
    hexadecimal = "i" in letters and "H" in letters
    text, votes = _quorum_part(call, hexadecimal=hexadecimal)
    if "l" in letters:
        return Output("\n" + _membership(call, votes, hexadecimal=hexadecimal))
    return Output(text, status=0 if votes.quorate else 2)


def _refused(call: Call, address: str) -> str:
    """What stops `pvecm qdevice setup`, in the order it looks."""
    world = call.world
    for name in world.nodes:
        if name not in world.membership.members(call.host.name):
            return f"All nodes must be online! Node {name} is offline, aborting."
    if world.corosync.qdevice:
        return "QDevice already configured!"
    if len(world.nodes) % 2:
        return "Clusters with an odd node count are not officially supported!"
    witness = world.witness
    reached = witness.powered and world.links.reaches(call.host.name, witness.name)
    if address != witness.address or not reached or call.host.name not in witness.root_keys:
        return f"command 'ssh-copy-id -i /root/.ssh/id_rsa root@{address}' failed: exit code 1"
    if call.host.certificates:
        return "QDevice certificate store already initialised, set force to delete!"
    if "corosync-qnetd" not in witness.packages:
        return f"scp: /etc/corosync/qnetd/nssdb/qnetd-cacert.crt: No such file or directory (root@{address})"
    for name, host in world.nodes.items():
        if "corosync-qdevice" not in host.packages:
            return f"node '{name}': bash: line 1: corosync-qdevice-net-certutil: command not found"
    return ""


async def _set_up(call: Call, address: str) -> Output:
    lines = ["INFO: initializing qnetd server", "INFO: copying CA cert and initializing on all nodes"]
    if refused := _refused(call, address):
        return Output("".join(f"{line}\n" for line in lines[:1]), f"{refused}\n", 255)
    world = call.world
    await world.clock.sleep(SETUP_TAKES / 2)
    for host in world.nodes.values():
        host.certificates = True
    lines += ["INFO: generating cert request", "INFO: copying exported cert request to qnetd server"]
    lines += ["INFO: sign and export cluster cert", "INFO: copy and import cluster cert on all nodes"]
    await world.clock.sleep(SETUP_TAKES / 2)
    if world.corosync.qdevice:
        return Output(stderr="Qdevice already configured, must be removed before setting up new one!\n", status=255)
    world.corosync.config_version += 1
    world.membership.set_up_device()
    world.record(call.host.name, "qdevice.setup", address)
    lines.append("INFO: add QDevice to cluster configuration")
    lines += [f"INFO: start and enable corosync qdevice daemon on node '{name}'..." for name in world.nodes]
    return Output("".join(f"{line}\n" for line in [*lines, "Reloading corosync.conf...", "Done"]))


def _remove(call: Call) -> Output:
    world = call.world
    if not world.corosync.qdevice:
        return Output(stderr="No QDevice configured!\n", status=255)
    world.corosync.config_version += 1
    world.membership.remove_device()
    for host in world.nodes.values():
        host.certificates = False
    world.record(call.host.name, "qdevice.remove", world.witness.address)
    return Output("Removed Qdevice.\n")


@COROSYNC.program("corosync-qdevice-tool")
async def qdevice_tool(call: Call) -> Output:
    """`corosync-qdevice-tool -s`: this node's own view of the device."""
    world = call.world
    if not world.corosync.qdevice:
        return Output(
            stderr="corosync-qdevice-tool: "
            "Can't connect to QDevice socket (is QDevice running?): No such file or directory\n",
            status=3,
        )
    votes = world.votes(call.host.name)
    ids = [host.node_id for host in world.nodes.values()]
    configured = "".join(f"    {index}\tNode ID = {node_id}\n" for index, node_id in enumerate(ids))
    members = ", ".join(str(world.nodes[name].node_id) for name in votes.members)
    return Output(
        "Qdevice information\n-------------------\nModel:\t\t\tNet\n"
        f"Node ID:\t\t{call.host.node_id}\nConfiguration version:\t{world.corosync.config_version}\n"
        f"Configured node list:\n{configured}Membership node list:\t{members}\n\n"
        "Qdevice-net information\n----------------------\n"
        f"Cluster name:\t\t{world.inventory.name}\nQNetd host:\t\t{world.witness.address}:5403\n"
        "Algorithm:\t\tFifty-Fifty split\nTie-breaker:\t\tNode with lowest node ID\n"
        f"State:\t\t\t{world.membership.device_state(call.host.name)}\n"
    )


@COROSYNC.program("test")
async def test(call: Call) -> Output:
    """`test -e PATH`, for the one path that is asked about; 1 would say of another that it is not there."""
    if call.words != ("-e", CERTIFICATES):
        return Output(stderr=f"bash: line 1: test: the twin knows only -e {CERTIFICATES}\n", status=2)
    return Output(status=0 if call.host.certificates else 1)


@COROSYNC.program("ssh")
async def ssh(call: Call) -> Output:
    """`ssh … root@ADDRESS COMMAND` from one host to another."""
    address = next((word.partition("@")[2] for word in call.words if word.startswith("root@")), "")
    target = next((h for h in (*call.world.nodes.values(), call.world.witness) if h.address == address), None)
    if target is None or not target.powered or not call.world.links.reaches(call.host.name, target.name):
        return Output(stderr=f"ssh: connect to host {address} port 22: Connection timed out\n", status=255)
    if call.host.name not in target.root_keys:
        return Output(stderr=f"root@{address}: Permission denied (publickey,password).\n", status=255)
    at = next(index for index, word in enumerate(call.words) if word.startswith("root@"))
    return await _registry(call, target).run(call.world, target, " ".join(call.words[at + 1 :]))


def _registry(call: Call, host: Host) -> Registry:
    """What that host plays. Imported late: a node's registry holds this room's commands."""
    from lab.hosts.node import NODE
    from lab.hosts.witness import WITNESS

    return WITNESS if host.name == call.world.witness.name else NODE
