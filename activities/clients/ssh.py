"""Commands on hosts through asyncssh, and what its errors mean.

One connection per host, kept; many commands may run over it at the same time.
A host whose key is not in the inventory's known_hosts file is not spoken to.
"""

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import asyncssh

from activities import tracing
from activities.clients.secrets import Secrets
from activities.errors import Rejected, Unauthorized, Unreachable, Word
from activities.parsing import Said
from cluster.inventory import Inventory
from cluster.units import size

CONNECT_TIMEOUT = 10.0
# multipath -ll was seen to block 16 s after the loss of an array (reference: host-outputs, trap 9).
COMMAND_TIMEOUT = 60.0
# Three unanswered in a row, and a host is known to be gone although a long command is under way.
KEEPALIVE = timedelta(seconds=5)
# First choice of the ciphers: a sixth of the work of asyncssh's first choice, and every OpenSSH since 6.2 has it.
CIPHERS = "^aes256-gcm@openssh.com"


# `multipath -ll` of two thousand maps with eight paths each is 1.3 MiB. More than this would fill a worker's memory.
MOST, _AT_ONCE = 16 * 2**20, 2**16
# How a file is called until all of it is written: nothing that reads a folder of settings takes one of that name.
UNFINISHED = ".new"
# What is written there is an order to the kernel, and no file on a disk.
KERNELS = ("/sys/", "/proc/")


class TooMuch(Exception):
    """A command says more than anybody reads."""


@dataclass(frozen=True)
class Answer:
    """What a command said. Exit statuses are facts of their own: only the caller knows what they mean."""

    host: str
    command: str
    stdout: str
    stderr: str
    status: int

    @property
    def ok(self) -> bool:
        """The command ended with 0."""
        return self.status == 0

    def or_rejected(self) -> "Answer":
        """Itself when it ended with 0; Rejected with the command's own last words otherwise."""
        if self.ok:
            return self
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()[-1:] or ["no output"]
        raise Rejected(f"{self.host}: `{self.command}` ended with status {self.status}: {said[0].strip()[:300]}")


def failure(host: str, address: str, error: Exception) -> Word:
    """What a failed connection or channel means."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return Unauthorized(
            f"{host} at {address}: its host key is not the one in ssh.known_hosts; "
            "compare the fingerprint on the host's console, then add the key to that file"
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return Unauthorized(f"{host} at {address}: the key that ssh.key refers to is not accepted there")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{host} at {address} does not answer over SSH in time")
    return Unreachable(f"{host} at {address} does not answer over SSH: {str(error)[:200] or type(error).__name__}")


async def _ended(
    connection: asyncssh.SSHClientConnection, command: str, told: str | None
) -> tuple[int | None, str, str]:
    """A command's status and what it said. Bytes that are no text stand as ``\ufffd``: they end no connection."""
    process = await connection.create_process(command, input=told, errors="replace")
    out, said = await asyncio.gather(_read(process, process.stdout), _read(process, process.stderr))
    await process.wait_closed()
    return process.exit_status, out, said


async def _read(process: asyncssh.SSHClientProcess[str], stream: asyncssh.SSHReader[str]) -> str:
    parts, length = list[str](), 0
    while part := await stream.read(_AT_ONCE):
        parts.append(part)
        length += len(part)
        if length > MOST:
            process.close()
            raise TooMuch
    return "".join(parts)


class Hosts:
    """The nodes and the witness, by name. Every call may raise one of the seven words, and nothing else."""

    def __init__(self, inventory: Inventory, secrets: Secrets, keepalive: timedelta = KEEPALIVE) -> None:
        self._ssh, self._keepalive = inventory.ssh, keepalive
        self._secrets = secrets
        self._addresses = {node.name: node.address for node in inventory.nodes}
        if inventory.witness:
            self._addresses[inventory.witness.name] = inventory.witness.address
        self._connections: dict[str, asyncssh.SSHClientConnection] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def run(self, host: str, *words: str, limit: float | None = None) -> Answer:
        """Run one command and wait for its end; the words are quoted, no shell syntax gets through."""
        with tracing.command(host, self._addresses[host], self._ssh.port, words):
            return await self._said(host, shlex.join(words), limit or COMMAND_TIMEOUT)

    async def write(
        self, host: str, path: str, text: str, *, secrets: Mapping[str, str] | None = None, append: bool = False
    ) -> None:
        """Write a file on a host, or add lines to one. What is in it stands on no command line and in no answer.

        A new file takes the old one's place when all of it is on the disk: a full disk or a lost connection leaves the
        old one, and no half of the new one that a daemon would read.
        `secrets` are marks in the text and the references of what belongs in their places, resolved here.
        """
        for mark, reference in (secrets or {}).items():
            value = self._secrets.outgoing(reference)
            if len(value.splitlines()) != 1:
                raise Unauthorized(f"secret {reference}: it has more than one line; put the secret alone there")
            text = text.replace(mark, value)
        at_once = append or path.startswith(KERNELS)
        beside = path if at_once else f"{path}{UNFINISHED}"
        how = ("oflag=append", "conv=notrunc") if append else () if at_once else ("conv=fsync",)
        words = ("dd", f"of={beside}", *how, "status=none")
        with tracing.command(host, self._addresses[host], self._ssh.port, words):
            (await self._said(host, shlex.join(words), COMMAND_TIMEOUT, text)).or_rejected()
        if not at_once:
            await self.read(host, "mv", "-T", beside, path)

    async def _said(self, host: str, command: str, limit: float, told: str | None = None) -> Answer:
        try:
            connection = await self._connection(host)
            async with asyncio.timeout(limit):
                status, out, said = await _ended(connection, f"LC_ALL=C {command}", told)
        except TooMuch:
            raise Unreachable(
                f"{host}: `{command}` says more than {size(MOST)}, which nobody reads; see what happens on that host"
            ) from None
        except (asyncssh.Error, OSError, TimeoutError) as error:
            self._forget(host)
            raise failure(host, self._addresses[host], error) from None
        if status is None:
            self._forget(host)
            raise Unreachable(
                f"{host}: the connection was lost while `{command}` ran; whether it took effect is unknown"
            )
        tracing.ended(status)
        return Answer(host, command, Said.of(host, command, out), said, status)

    async def read(self, host: str, *words: str, limit: float | None = None) -> str:
        """The output of a command that must end with 0."""
        return (await self.run(host, *words, limit=limit)).or_rejected().stdout

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    async def _connection(self, host: str) -> asyncssh.SSHClientConnection:
        async with self._locks.setdefault(host, asyncio.Lock()):
            connection = self._connections.get(host)
            if connection is None or connection.is_closed():
                key = self._key()
                connection = await asyncssh.connect(
                    self._addresses[host],
                    self._ssh.port,
                    username=self._ssh.user,
                    client_keys=[key],
                    known_hosts=self._known_hosts(),
                    config=[],
                    agent_path=None,
                    connect_timeout=CONNECT_TIMEOUT,
                    keepalive_interval=self._keepalive.total_seconds(),
                    encryption_algs=CIPHERS,
                )
                self._connections[host] = connection
            return connection

    def _key(self) -> asyncssh.SSHKey:
        try:
            return asyncssh.import_private_key(self._secrets.read(self._ssh.key))
        except asyncssh.KeyImportError:
            raise Unauthorized(
                f"ssh.key ({self._ssh.key}) cannot be read as a private key; put one in OpenSSH's form there, without "
                "a passphrase"
            ) from None

    def _known_hosts(self) -> asyncssh.SSHKnownHosts:
        path = self._secrets.path(self._ssh.known_hosts)
        try:
            return asyncssh.read_known_hosts(str(path))
        except ValueError as error:
            raise Unauthorized(f"ssh.known_hosts ({path}) cannot be read: {str(error)[:100]}; correct it") from None

    def _forget(self, host: str) -> None:
        if connection := self._connections.pop(host, None):
            connection.abort()
