"""An sshd for each host: root by public key, one registry of commands, and the faults that are planted on it."""

import asyncio
import contextlib
import re
import socket
from typing import cast

import asyncssh

from lab.hosts.lines import Unplayed, split
from lab.hosts.node import NODE
from lab.hosts.shell import Output, Registry
from lab.hosts.witness import WITNESS
from lab.physics.world import Host
from lab.serving.listener import Listener, dark, lost
from lab.world import World

# The commands that only look, which a lying host answers from its memory; everything else is done in earnest.
READS = re.compile(
    r"(?:\w+=\S* )*(?:cat|hostname|dpkg-query|ping|test|true|vgs|pvs|lvs|dmsetup|journalctl|chronyc|corosync-quorumtool"
    r"|echo|uname|false|pveversion|date$"
    r"|corosync-qdevice-tool|corosync-qnetd-tool|corosync-cfgtool|pvecm (?:status|nodes)|ha-manager (?:status|config)"
    r"|qm (?:list|status|config)|pvesm (?:status|list)|pvesh get|systemctl is-"
    r"|(?:qm|pct) (?:status|config|list)|pvesm (?:status|list)|pvesh get|ha-manager config|corosync-cmapctl|timedatectl"
    r"|uptime|multipath -ll|wipefs --no-act|date \+|iscsiadm -m (?:session|node)(?: -P \d| -o show)?$"
    r"|multipathd show|systemctl show|timeout \d+ bash|ip -o route|grep -H)"
)


def _looks(line: str) -> bool:
    """Whether a line does nothing but look; one that is refused changes nothing either."""
    try:
        return all(READS.match(part.text) for part in split(line))
    except (ValueError, Unplayed):
        return True


class _Server(asyncssh.SSHServer):
    """Accepts root with one of the authorized keys."""

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = keys

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "root" and key.public_data in self._keys


def host_of(world: World, name: str) -> Host:
    """The host as it is now: a reset of the world replaces it."""
    return world.witness if name == world.witness.name else world.nodes[name]


def serve(
    world: World,
    name: str,
    *,
    address: str,
    port: int,
    host_key: asyncssh.SSHKey,
    authorized_keys: list[asyncssh.SSHKey],
) -> Listener:
    """Listen as that host."""
    registry = WITNESS if name == world.witness.name else NODE
    accepted = [key.public_data for key in authorized_keys]

    async def process(channel: asyncssh.SSHServerProcess[str]) -> None:
        await _answer(world, name, registry, channel)

    options = asyncssh.SSHServerConnectionOptions(
        server_factory=lambda: _Server(accepted),
        server_host_keys=[host_key],
        process_factory=process,
        # the cheapest exchange: the twin serves eight hosts on two cores
        kex_algs=["curve25519-sha256", "curve25519-sha256@libssh.org"],
    )

    async def meet(connection: socket.socket) -> None:
        with contextlib.suppress(asyncssh.Error):
            await asyncssh.run_server(connection, options=options)

    return Listener(world, name, address, port, meet)


async def _answer(world: World, name: str, registry: Registry, channel: asyncssh.SSHServerProcess[str]) -> None:
    line = channel.command or ""
    if dark(world, name):
        await lost(world, name)
        _cut(channel)
        return
    fault = world.faults.take(f"ssh:{name}", line)
    if fault is not None and fault.action == "hang":
        await world.faults.lifted(fault)
    if fault is not None and fault.action in ("hang", "reset", "expire"):  # its session is its connection
        _cut(channel)
        return
    with world.working(f"ssh:{name} {line}"):
        await world.latency()
        if fault is not None and fault.action == "delay":
            await world.clock.sleep(fault.seconds)
        output: Output | None
        if fault is not None and fault.action == "fail":
            output = Output(stderr=f"{fault.message}\n", status=fault.status if fault.status < 256 else 1)
        elif fault is not None and fault.action == "garbage":
            output = Output(f"{fault.message}\n")
        else:
            stale = fault is not None and fault.frozen is not None and _looks(line)
            seen = cast(World, fault.frozen) if fault is not None and stale else world
            running = asyncio.ensure_future(registry.run(seen, host_of(seen, name), line, channel.stdin.read))
            output = await _or_dead(host_of(world, name), running)
    if output is None:
        await lost(world, name)
        _cut(channel)
        return
    if fault is not None and fault.action == "drop":
        _cut(channel)
        return
    with contextlib.suppress(BrokenPipeError, ConnectionError, asyncssh.Error):
        channel.stdout.write(output.stdout)
        channel.stderr.write(output.stderr)
        channel.exit(output.status)


async def _or_dead(host: Host, running: "asyncio.Future[Output]") -> Output | None:
    """What a command prints; None when its host has lost its power over it, and the command ended where it stood."""
    host.processes.add(running)
    try:
        return await running
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return None
    finally:
        host.processes.discard(running)


def _cut(channel: asyncssh.SSHServerProcess[str]) -> None:
    channel.get_extra_info("connection").abort()
