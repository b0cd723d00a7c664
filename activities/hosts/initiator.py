"""What a node's initiator and multipathd have: sessions, records, units, settings. Reads only; `cluster/` judges it."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from activities.errors import Refuted
from activities.parsing.iscsi import parse_records, parse_sessions
from activities.parsing.multipath_config import parse_config
from activities.parsing.system import parse_units, parse_values
from cluster.booting import MAPPER, ONE_OF, UNITS, Boot
from cluster.multipathing import MultipathConfig
from cluster.portals import host_and_port
from cluster.sessions import Record, Session
from cluster.transports import Transport
from cluster.tuning import RECOMMENDED

if TYPE_CHECKING:
    from activities.clients.ssh import Hosts as SshHosts

# iscsiadm's status when nothing of that kind was found (iscsi_err.h).
ISCSI_NONE = 21
WWIDS = "/etc/multipath/wwids"
# How long a portal may take to answer, seconds. A login would wait 15 s eight times over (iscsid.conf:
# login_timeout, initial_login_retry_max).
PROBE = 5
AT_ONCE = 4  # sshd takes ten sessions a connection (MaxSessions)
# `timeout`'s own status when the time is over, and bash's when it cannot connect.
_TIMED_OUT = 124


async def sessions(ssh: "SshHosts", node: str) -> tuple[Session, ...]:
    """The node's iSCSI sessions, with the interface of each."""
    answer = await ssh.run(node, "iscsiadm", "-m", "session", "-P", "1")
    return () if answer.status == ISCSI_NONE else parse_sessions(answer.or_rejected().stdout)


async def records(ssh: "SshHosts", node: str) -> tuple[Record, ...]:
    """What open-iscsi has noted of portals."""
    answer = await ssh.run(node, "iscsiadm", "-m", "node", "-o", "show")
    return () if answer.status == ISCSI_NONE else parse_records(answer.or_rejected().stdout)


async def boot(ssh: "SshHosts", node: str, transport: Transport = "iscsi") -> Boot:
    """Which units boot along, and what multipath will map."""
    units = (MAPPER,) if transport == "fc" else (*UNITS, *ONE_OF)
    text = await ssh.read(node, "systemctl", "show", "--property=Id,UnitFileState", *units)
    listed = await ssh.run(node, "cat", WWIDS)  # without the file multipath has mapped nothing yet
    wwids = (line.strip("/") for line in listed.stdout.splitlines() if line.startswith("/"))
    return Boot(
        units={name: one.get("UnitFileState", "") for name, one in parse_units(text).items()},
        wwids=tuple(wwids),
        transport=transport,
    )


async def config(ssh: "SshHosts", node: str) -> MultipathConfig:
    """What multipathd goes by; Refuted where it does not run, for then nothing watches the paths."""
    answer = await ssh.run(node, "multipathd", "show", "config")
    if not answer.ok:
        raise Refuted(
            f"{node}: multipathd does not answer, so nothing watches the paths; "
            "start it: systemctl enable --now multipathd"
        )
    return parse_config(answer.stdout)


async def disk_settings(ssh: "SshHosts", node: str, disks: Sequence[str]) -> dict[str, dict[str, str]]:
    """The vendor's recommended settings as these disks (``sda``) have them; none for a kernel that shows none."""
    if not disks:
        return {}
    files = [f"/sys/block/{disk}/{name}" for disk in disks for name in RECOMMENDED]
    return parse_values((await ssh.run(node, "grep", "-H", ".", *files)).stdout)


async def dark_portals(ssh: "SshHosts", node: str, portals: Sequence[str]) -> dict[str, str]:
    """The portals that do not take a connection from the node, and how each fails, in words."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def probe(portal: str) -> str:
        host, port = host_and_port(portal)
        async with slots:
            # bash is on every node, other programs that connect are not
            said = await ssh.run(node, "timeout", str(PROBE), "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}")
        if said.ok:
            return ""
        if said.status == _TIMED_OUT:
            return f"does not answer within {PROBE} s"
        reason = said.stderr.strip().splitlines()[:1] or ["it does not answer"]
        return reason[0].rpartition("connect: ")[2].strip().lower()

    found = dict(zip(portals, await asyncio.gather(*map(probe, portals)), strict=True))
    return {portal: why for portal, why in found.items() if why}


def told_dark(node: str, array: str, dark: dict[str, str]) -> str:
    """One sentence about portals that are dark, with what can be done."""
    said = ", ".join(f"{portal} of {array}: {why}" for portal, why in dark.items())
    return (
        f"{node}: no connection to {'portal' if len(dark) == 1 else 'portals'} {said}; check its cable, VLAN and "
        f"firewall, or name the portals to use in arrays.portals of {array}"
    )
