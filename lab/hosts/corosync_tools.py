"""What corosync's own tools tell of links, of the token and, in full, of the quorum device.

Texts are those of corosync 3.1 with two knet links (reference: host-outputs 1.1, 1.2 and 1.6). The links are the
world's of this moment; knet itself needs half a token to notice.
"""

import time

from lab.hosts.corosync import COROSYNC
from lab.hosts.shell import Call, Output, Registry
from lab.physics.links import RINGS
from lab.physics.world import Host

TOOLS = Registry()

_MTU = 1397
# The daemon asks the witness for an echo this often, seconds.
_HEARTBEAT = 8


@TOOLS.program("corosync-cfgtool", "-s -n -R")
async def cfgtool(call: Call) -> Output:
    """`corosync-cfgtool -s` by link, `-n` by node: the state of links, which is not membership."""
    head = f"Local node ID {call.host.node_id}, transport knet\n"
    if call.has("-s"):
        return Output(head + "".join(_link(call, ring) for ring in RINGS))
    if call.has("-n"):
        return Output(head + "".join(_neighbour(call, host) for host in _others(call)))
    if call.has("-R"):
        return Output("Reloading corosync.conf...\nDone\n")
    return Output(stderr="corosync-cfgtool: the twin knows -s, -n and -R\n", status=1)


def _others(call: Call) -> list[Host]:
    return [host for name, host in call.world.nodes.items() if name != call.host.name]


def _connected(call: Call, host: Host) -> tuple[bool, ...]:
    """For each ring, whether the other node is there."""
    return tuple(host.powered and carries for carries in call.world.links.rings(call.host.name, host.name))


def _link(call: Call, ring: int) -> str:
    text = f"LINK ID {ring} udp\n\taddr\t= {call.host.ring_address(ring)}\n\tstatus:\n"
    for name, host in call.world.nodes.items():
        state = "connected" if name != call.host.name and _connected(call, host)[ring] else "disconnected"
        text += f"\t\tnodeid: {host.node_id:>10}:\t{'localhost' if name == call.host.name else state}\n"
    return text


def _neighbour(call: Call, host: Host) -> str:
    """A node that no link reaches is left out."""
    states = _connected(call, host)
    if not any(states):
        return ""
    lines = [
        f"   LINK: {ring} udp ({call.host.ring_address(ring)}->{host.ring_address(ring)}) "
        f"enabled {'' if states[ring] else 'dis'}connected mtu: {_MTU}\n"
        for ring in RINGS
    ]
    return f"nodeid: {host.node_id} reachable\n{''.join(lines)}\n"


@TOOLS.program("corosync-cmapctl", "-g=")
async def cmapctl(call: Call) -> Output:
    """`corosync-cmapctl -g KEY` for the effective times and the configuration's version."""
    corosync, nodes = call.world.corosync, len(call.world.nodes)
    token = round(corosync.token(nodes) * 1000)
    known = {
        "runtime.config.totem.token": ("u32", token),
        "runtime.config.totem.consensus": ("u32", round(token * 1.2)),
        "totem.config_version": ("u64", corosync.config_version),
        "totem.cluster_name": ("str", call.world.inventory.name),
    }
    key = call.option("-g") or ""
    if key not in known:
        return Output(stderr=f"Can't get key {key}. Error CS_ERR_NOT_EXIST\n", status=1)
    kind, value = known[key]
    return Output(f"{key} ({kind}) = {value}\n")


@TOOLS.program("corosync-qdevice-tool", "-s -v")
async def qdevice_tool(call: Call) -> Output:
    """`corosync-qdevice-tool -s`, and with `-v` what the daemon knows beyond that."""
    short = await COROSYNC.programs["corosync-qdevice-tool"](call)
    letters = "".join(word.lstrip("-") for word in call.words)
    if short.status or "v" not in letters:
        return short
    text = ""
    for line in short.stdout.splitlines():
        label = line.partition(":")[0]
        before, after = _more(call, label, line)
        text += "".join(f"{one}\n" for one in (*before, line, *after))
    return Output(text)


def _more(call: Call, label: str, line: str) -> tuple[list[str], list[str]]:
    """The lines that `-v` puts before and after a line of `-s`."""
    votes = call.world.votes(call.host.name)
    voting = votes.device == "voting"
    cast = " (cast vote)" if voting else ""
    after = {
        "Node ID": ["HB interval:\t\t10000ms", "Sync HB interval:\t30000ms"],
        "Membership node list": [
            f"Quorate:\t\t{'Yes' if votes.quorate else 'No'}",
            "Quorum node list:",
            *_quorum_nodes(call, votes.members),
            f"Expected votes:\t\t{call.world.membership.device_expects(call.host.name)}",
            f"Last poll call:\t\t{_moment(call, 0)}{cast}",
        ],
        "QNetd host": [
            "Connect timeout:\t8000ms",
            f"HB interval:\t\t{_HEARTBEAT * 1000}ms",
            "VQ vote timer interval:\t5000ms",
            "TLS:\t\t\tSupported",
        ],
        "Tie-breaker": ["KAP Tie-breaker:\tEnabled", f"Poll timer running:\tYes{cast}"],
    }
    error = call.world.time_at(call.host) - call.world.clock.now()
    if line.startswith("State:") and line.endswith("Connected"):
        return [], [
            "TLS active:\t\tYes (client certificate sent)",
            f"Connected since:\t{_told(call.world.membership.connected_since(call.host.name) + error)}",
            f"Echo reply received:\t{_moment(call, _HEARTBEAT)}",
        ]
    ring = [f"Ring ID:\t\t{call.world.membership.ring_id(call.host.name)}"]
    return ["Heuristics:\t\tDisabled", *ring] if label == "Membership node list" else [], after.get(label, [])


def _quorum_nodes(call: Call, members: tuple[str, ...]) -> list[str]:
    """All nodes with what the daemon holds of them, the local one last."""
    everyone = [*_others(call), call.world.nodes[call.host.name]]
    states = [(host.node_id, "member" if host.name in members else "dead") for host in everyone]
    return [f"    {index}\tNode ID = {number}, State = {state}" for index, (number, state) in enumerate(states)]


def _moment(call: Call, step: int) -> str:
    """The time of the host, or the last whole step of it."""
    now = call.world.time_at(call.host)
    return _told(now - now % step if step else now)


def _told(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
