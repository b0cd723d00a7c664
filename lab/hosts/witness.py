"""The commands of the witness: qnetd's own view of its clients, ours and those of other clusters that it serves.

Texts are those of corosync-qnetd 3.0 (reference: host-outputs 1.1, 1.6 and 1.8; source: qnetd-ipc-cmd.c).
"""

from dataclasses import dataclass

from lab.hosts.host_tools import CLOCKS
from lab.hosts.shell import Call, Output, Registry
from lab.hosts.system import SYSTEM
from lab.physics.membership import RECONNECTS

WITNESS = Registry(SYSTEM, CLOCKS)

SIGNER = "/usr/bin/corosync-qnetd-certutil"
_USAGE = "usage: corosync-qnetd-tool [-Hhlsv] [-c cluster_name] [-p qnetd_ipc_socket_path]\n"


@dataclass(frozen=True)
class Client:
    """One node as qnetd knows it; the lists hold node ids as they are printed."""

    node_id: int
    address: str
    version: int
    configured: str
    told: tuple[int, ...]
    ring: str
    vote: str


@WITNESS.program("test")
async def test(call: Call) -> Output:
    """`test -x PATH`, for the program that `pvecm qdevice setup` runs here."""
    if call.words != ("-x", SIGNER):
        return Output(stderr=f"bash: line 1: test: the twin's witness knows only -x {SIGNER}\n", status=2)
    return Output(status=0 if "corosync-qnetd" in call.host.packages else 1)


@WITNESS.program("corosync-qnetd-tool")
async def qnetd_tool(call: Call) -> Output:
    """`corosync-qnetd-tool -s` and `-l`, each with `-v`; `-c NAME` lists one cluster, or nothing."""
    words, name = list(call.words), call.option("-c")
    if "-c" in words:
        at = words.index("-c")
        del words[at : at + 2]
    letters = {letter for word in words if word.startswith("-") for letter in word.lstrip("-")}
    if not letters & {"l", "s"} or name == "":
        return Output(_USAGE, status=1)
    if not call.world.corosync.qnetd:
        text = "corosync-qnetd-tool: Can't connect to qnetd socket (is QNetd running?): No such file or directory\n"
        return Output(stderr=text, status=3)
    clusters, verbose = _clusters(call), "v" in letters
    if "l" in letters:
        shown = {one: clients for one, clients in clusters.items() if name in (None, one)}
        return Output("".join(_cluster(one, clients, verbose=verbose) for one, clients in shown.items()))
    limits = "Maximum send/receive size:\t32768/32768 bytes\n" if verbose else ""
    return Output(
        "QNetd address:\t\t\t*:5403\nTLS:\t\t\t\tSupported (client certificate required)\n"
        f"Connected clients:\t\t{sum(map(len, clusters.values()))}\nConnected clusters:\t\t{len(clusters)}\n{limits}"
    )


def _clusters(call: Call) -> dict[str, list[Client]]:
    """The clusters with their clients, in the order in which they came; one without clients is forgotten."""
    others = call.world.neighbours if call.world.uptime(call.host) >= RECONNECTS[1] else {}  # they come back by then
    found = {name: _neighbours(number, nodes) for number, (name, nodes) in enumerate(others.items())}
    if ours := _ours(call):
        found[call.world.inventory.name] = ours
    return found


def _ours(call: Call) -> list[Client]:
    """Each client with the membership that it told last, and the vote that it was given for it."""
    world = call.world
    clients, granted = world.membership.clients(), world.membership.granted()
    configured = ", ".join(str(host.node_id) for host in world.nodes.values())
    return [
        Client(
            host.node_id,
            f"{host.address}:{36000 + host.node_id}",
            world.corosync.config_version,
            configured,
            tuple(sorted(world.nodes[other].node_id for other in clients[name])),
            world.membership.client_ring(name),
            f"{'Wait for reply' if world.membership.waits(name) else 'No change'} "
            f"({'ACK' if name in granted else 'NACK'})",
        )
        for name, host in world.nodes.items()
        if name in clients
    ]


def _neighbours(number: int, nodes: int) -> list[Client]:
    """Another cluster's nodes, all well: its ids begin at 1, as ours do."""
    told = tuple(range(1, nodes + 1))
    return [
        Client(
            one,
            f"10.40.{number + 7}.{one}:{40000 + one}",
            7,
            ", ".join(map(str, told)),
            told,
            "1.16",
            "No change (ACK)",
        )
        for one in told
    ]


def _cluster(name: str, clients: list[Client], *, verbose: bool) -> str:
    text = (
        f'Cluster "{name}":\n    Algorithm:\t\tFifty-Fifty split (KAP Tie-breaker)\n'
        "    Tie-breaker:\tNode with lowest node ID\n"
    )
    return text + "".join(f"    Node ID {one.node_id}:\n{_client(one, verbose=verbose)}" for one in clients)


def _client(client: Client, *, verbose: bool) -> str:
    rows = [
        ("Client address:\t\t", f"::ffff:{client.address}", False),
        ("HB interval:\t\t", "8000ms", True),
        ("Configuration version:\t", str(client.version), False),
        ("Configured node list:\t", client.configured, False),
        ("Ring ID:\t\t", client.ring, True),
        ("Membership node list:\t", ", ".join(map(str, client.told)), False),
        ("Heuristics:\t\t", "Undefined (membership: Undefined, regular: Undefined)", True),
        ("TLS active:\t\t", "Yes (client certificate verified)", True),
        ("Vote:\t\t\t", client.vote, False),
    ]
    return "".join(f"        {label}{value}\n" for label, value, only_verbose in rows if verbose or not only_verbose)
