"""What a host tells of itself over SSH, each by the one command that everybody here reads it with. No judgement."""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from activities.errors import Refuted
from activities.parsing.iscsi import parse_initiator
from activities.parsing.system import parse_clock, parse_installed, parse_round_trip
from activities.parsing.votes import VoteCount, parse_votes
from cluster.transports import Transport

if TYPE_CHECKING:
    from activities.clients.ssh import Answer
    from activities.clients.ssh import Hosts as SshHosts

# What a node needs whatever its way to the arrays; HBAs need no package.
FC_PACKAGES = ("corosync-qdevice", "lvm2", "multipath-tools")
NVME_PACKAGES = ("corosync-qdevice", "lvm2", "nvme-cli")
NODE_PACKAGES = ("corosync-qdevice", "lvm2", "multipath-tools", "open-iscsi")
# The daemon of the quorum device.
DEVICE_PACKAGE = "corosync-qdevice"
# A node of a third place has a vote, and no way to the arrays.
VOTER_PACKAGES = ("corosync",)
WITNESS_PACKAGES = ("corosync-qnetd",)
# A shell's own status, where there is no such program.
NO_PROGRAM = 127
_FORMAT = "${Package} ${db:Status-Status} ${Version}\\n"


def needed(packages: tuple[str, ...], *, device: bool) -> tuple[str, ...]:
    """Of these packages those that a node needs; the quorum device's where there is to be one."""
    return packages if device else tuple(name for name in packages if name != DEVICE_PACKAGE)


def packages(transport: Transport) -> tuple[str, ...]:
    """What a node needs for that way to the arrays."""
    return {"iscsi": NODE_PACKAGES, "fc": FC_PACKAGES, "nvme-tcp": NVME_PACKAGES}[transport]


async def installed(ssh: "SshHosts", host: str, wanted: tuple[str, ...]) -> dict[str, str]:
    """Those of the packages that are installed, with their versions; Refuted where there is no dpkg."""
    answer = await ssh.run(host, "dpkg-query", "-W", "-f", _FORMAT, *wanted)
    if answer.status == NO_PROGRAM:
        raise Refuted(
            f"{host}: has no dpkg-query, so it is neither Debian nor made from it; Quorate needs "
            f"one with {', '.join(wanted)}"
        )
    return parse_installed(answer.stdout)


async def initiator(ssh: "SshHosts", node: str) -> str:
    """The node's own name for iSCSI."""
    return parse_initiator(await ssh.read(node, "cat", "/etc/iscsi/initiatorname.iscsi"))


async def round_trip(ssh: "SshHosts", node: str, address: str) -> timedelta | None:
    """The average of five pings; None when nothing came back."""
    answer = await ssh.run(node, "ping", "-n", "-q", "-c", "5", "-i", "0.2", address)
    return parse_round_trip(answer.stdout)


async def clock(ssh: "SshHosts", host: str) -> tuple[timedelta, timedelta]:
    """How far the host's clock is ahead of this worker's, and the doubt that the way there leaves. Connect before."""
    before, started = datetime.now(UTC), time.monotonic()
    told = parse_clock(await ssh.read(host, "date", "+%s.%N"))
    half = timedelta(seconds=(time.monotonic() - started) / 2)
    return told - (before + half), half


async def vote_count(ssh: "SshHosts", node: str) -> VoteCount:
    """The votes as the node counts them; Refuted where it can tell none."""
    answer = await ssh.run(node, "pvecm", "status")
    if not answer.ok and "Quorum information" not in answer.stdout:  # without quorum it also ends with 2
        raise Refuted(f"{node}: no votes to read: {last_words(answer)}")
    return parse_votes(answer.stdout)


async def device_host(ssh: "SshHosts", node: str) -> str | None:
    """Where the quorum device stands, as the node has it; None where it does not say."""
    answer = await ssh.run(node, "corosync-qdevice-tool", "-s")
    told = (line.split(":", 1)[1].strip() for line in answer.stdout.splitlines() if "QNetd host" in line)
    host = next(told, None)
    return None if host is None else host.rsplit(":", 1)[0]


def last_words(answer: "Answer") -> str:
    """What a command said last, for people."""
    lines = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.startswith("Finished with result")]
    return said[-1][:300] if said else f"status {answer.status} without any output"
