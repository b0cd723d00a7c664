"""What the real programs print, held against what the twin prints of the same state, line by line."""

import difflib
import re
from collections.abc import Iterable

from tests.real.engine import Engine
from tests.real.network import WITNESS

VOTES = (
    ("pvecm", "status"),
    ("corosync-quorumtool", "-s"),
    ("corosync-quorumtool", "-siH"),
    ("corosync-quorumtool", "-l"),
)
LINKS = (("corosync-cfgtool", "-s"), ("corosync-cfgtool", "-n"))
DEVICE = (("corosync-qdevice-tool", "-s"), ("corosync-qdevice-tool", "-sv"))
KEYS = tuple(
    ("corosync-cmapctl", "-g", key)
    for key in (
        "runtime.config.totem.token", "runtime.config.totem.consensus", "totem.config_version", "totem.cluster_name",
        "totem.no_such_key",
    )
)  # fmt: skip
CLIENTS = (
    ("corosync-qnetd-tool", "-s"),
    ("corosync-qnetd-tool", "-sv"),
    ("corosync-qnetd-tool", "-l"),
    ("corosync-qnetd-tool", "-lv"),
    ("corosync-qnetd-tool", "-l", "-c", "pxmx-cluster"),
    ("corosync-qnetd-tool", "-l", "-c", "no-such-cluster"),
    ("corosync-qnetd-tool",),
)
ON_NODES = (*VOTES, *LINKS, *DEVICE, *KEYS)

# What differs between any two clusters, or two moments of one: times, a ring's sequence, ports, networks.
PASSING = (
    (re.compile(r"\b127\.\d+\."), "10.21."),
    (re.compile(r"^(Date: +).*"), r"\1…"),
    (re.compile(r"^(\s*Ring ID:\s+\d+)\.[0-9a-f]+"), r"\1.…"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "…"),
    (re.compile(r"::ffff:[\d.]+:\d+"), "::ffff:…"),
    # whether the vote itself or the answer to what came after it was qnetd's last word: both were seen of one state
    (re.compile(r"^(\s*Vote:\s+)No change \((N?ACK)\)"), r"\1\2 (\2)"),
)


def lasting(text: str) -> list[str]:
    """The lines without what passes; clusters and their clients by name and number, as both list them as they came."""
    clusters = re.split(r"(?m)^(?=Cluster \")", text)
    return [_plain(line) for cluster in sorted(clusters) for line in _clients_in_order(cluster).splitlines()]


def _clients_in_order(cluster: str) -> str:
    head, *clients = re.split(r"(?m)^(?=    Node ID \d+:$)", cluster)
    return "".join([head, *sorted(clients)])


def _plain(line: str) -> str:
    for pattern, plain in PASSING:
        line = pattern.sub(plain, line)
    return line


async def differences(real: Engine, twin: Engine, hosts: Iterable[str]) -> str:
    """Lines that differ: ``pxmx01-01$ pvecm status``, then ``-`` what is real and ``+`` what the twin says."""
    found = []
    for host in hosts:
        for words in CLIENTS if host == WITNESS else ON_NODES:
            said, played = await _said(real, host, words), await _said(twin, host, words)
            lines = list(difflib.unified_diff(said, played, lineterm="", n=0))[2:]  # after the names of the two
            if lines:
                found += [f"{host}$ {' '.join(words)}", *(line for line in lines if not line.startswith("@@"))]
    print(text := "\n".join(found))
    return text


async def _said(engine: Engine, host: str, words: tuple[str, ...]) -> list[str]:
    answer = await engine.ssh.run(host, *words)
    return [*lasting(answer.stdout), *(f"stderr: {line}" for line in lasting(answer.stderr)), f"status {answer.status}"]
