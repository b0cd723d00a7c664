"""An sshd for each host: root by public key, one registry of commands, and the faults that are planted on it."""

import asyncio
import contextlib

import asyncssh

from lab.hosts.node import NODE
from lab.hosts.shell import Output, Registry
from lab.hosts.witness import WITNESS
from lab.world import Host, World


class _Server(asyncssh.SSHServer):
    """Accepts root with one of the authorized keys, as long as the host has power."""

    def __init__(self, world: World, name: str, keys: list[bytes]) -> None:
        self._world, self._name, self._keys = world, name, keys

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        if not host_of(self._world, self._name).powered:
            conn.abort()

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "root" and key.public_data in self._keys


def host_of(world: World, name: str) -> Host:
    """The host as it is now: a reset of the world replaces it."""
    return world.witness if name == world.witness.name else world.nodes[name]


async def serve(
    world: World,
    host: Host,
    *,
    address: str,
    port: int,
    host_key: asyncssh.SSHKey,
    authorized_keys: list[asyncssh.SSHKey],
) -> asyncssh.SSHAcceptor:
    """Listen as that host."""
    name = host.name
    registry = WITNESS if name == world.witness.name else NODE
    accepted = [key.public_data for key in authorized_keys]

    async def process(channel: asyncssh.SSHServerProcess[str]) -> None:
        await _answer(world, name, registry, channel)

    return await asyncssh.listen(
        address,
        port,
        server_factory=lambda: _Server(world, name, accepted),
        server_host_keys=[host_key],
        process_factory=process,
        reuse_address=True,
        # the cheapest exchange: the twin serves eight hosts on two cores
        kex_algs=["curve25519-sha256", "curve25519-sha256@libssh.org"],
    )


async def _answer(world: World, name: str, registry: Registry, channel: asyncssh.SSHServerProcess[str]) -> None:
    line, host = channel.command or "", host_of(world, name)
    if not host.powered:
        _cut(channel)
        return
    fault = world.faults.take(f"ssh:{name}", line)
    if fault is not None and fault.action == "hang":
        await asyncio.sleep(3600)
    if fault is not None and fault.action == "reset":
        _cut(channel)
        return
    with world.working(f"ssh:{name} {line}"):
        await world.latency()
        if fault is not None and fault.action == "delay":
            await world.clock.sleep(fault.seconds)
        if fault is not None and fault.action == "fail":
            output = Output(stderr=f"{fault.message}\n", status=fault.status if fault.status < 256 else 1)
        else:
            output = await registry.run(world, host, line)
    if fault is not None and fault.action == "drop":
        _cut(channel)
        return
    with contextlib.suppress(BrokenPipeError, ConnectionError, asyncssh.Error):
        channel.stdout.write(output.stdout)
        channel.stderr.write(output.stderr)
        channel.exit(output.status)


def _cut(channel: asyncssh.SSHServerProcess[str]) -> None:
    channel.get_extra_info("connection").abort()
