"""The commands of the witness: qnetd's own view of the cluster."""

from lab.hosts.host_tools import CLOCKS
from lab.hosts.shell import Call, Output, Registry
from lab.hosts.system import SYSTEM

WITNESS = Registry(SYSTEM, CLOCKS)


@WITNESS.program("corosync-qnetd-tool")
async def qnetd_tool(call: Call) -> Output:
    """`corosync-qnetd-tool -s` and `-l`."""
    world = call.world
    clients = world.membership.clients()
    connected = [host for host in world.nodes.values() if host.name in clients]
    if call.has("-l", "-lv"):
        return Output(_clients(call, [host.node_id for host in connected]) if connected else "")
    return Output(
        "QNetd address:\t\t\t*:5403\nTLS:\t\t\t\tSupported (client certificate required)\n"
        f"Connected clients:\t\t{len(connected)}\nConnected clusters:\t\t{1 if connected else 0}\n"
    )


def _clients(call: Call, ids: list[int]) -> str:
    world = call.world
    everyone = ", ".join(str(host.node_id) for host in world.nodes.values())
    text = (
        f'Cluster "{world.inventory.name}":\n    Algorithm:\t\tFifty-Fifty split (KAP Tie-breaker)\n'
        "    Tie-breaker:\tNode with lowest node ID\n"
    )
    for host in world.nodes.values():
        if host.node_id in ids:
            text += (
                f"    Node ID {host.node_id}:\n"
                f"        Client address:\t\t::ffff:{host.address}:{36000 + host.node_id}\n"
                f"        Configuration version:\t{world.corosync.config_version}\n"
                f"        Configured node list:\t{everyone}\n"
                f"        Membership node list:\t{', '.join(map(str, ids))}\n"
                "        Vote:\t\t\tNo change (ACK)\n"
            )
    return text
