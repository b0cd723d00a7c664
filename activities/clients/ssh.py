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

CONNECT_TIMEOUT = 10.0
# multipath -ll was seen to block 16 s after the loss of an array (reference: host-outputs, trap 9).
COMMAND_TIMEOUT = 60.0
# Three unanswered in a row, and a host is known to be gone although a long command is under way.
KEEPALIVE = timedelta(seconds=5)
# First choice of the ciphers: a sixth of the work of asyncssh's first choice, and every OpenSSH since 6.2 has it.
CIPHERS = "^aes256-gcm@openssh.com"


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
    if isinstance(error, asyncssh.KeyImportError):
        return Unauthorized(f"{host}: the key that ssh.key refers to cannot be read as a private key")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{host} at {address} does not answer over SSH in time")
    return Unreachable(f"{host} at {address} does not answer over SSH: {str(error)[:200] or type(error).__name__}")


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

        `secrets` are marks in the text and the references of what belongs in their places, resolved here.
        """
        for mark, reference in (secrets or {}).items():
            value = self._secrets.outgoing(reference)
            if len(value.splitlines()) != 1:
                raise Unauthorized(f"secret {reference}: it has more than one line; put the secret alone there")
            text = text.replace(mark, value)
        words = ("dd", f"of={path}", *(("oflag=append", "conv=notrunc") if append else ()), "status=none")
        with tracing.command(host, self._addresses[host], self._ssh.port, words):
            (await self._said(host, shlex.join(words), COMMAND_TIMEOUT, text)).or_rejected()

    async def _said(self, host: str, command: str, limit: float, told: str | None = None) -> Answer:
        try:
            connection = await self._connection(host)
            async with asyncio.timeout(limit):
                done = await connection.run(f"LC_ALL=C {command}", check=False, input=told)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            self._forget(host)
            raise failure(host, self._addresses[host], error) from None
        if done.exit_status is None:
            self._forget(host)
            raise Unreachable(
                f"{host}: the connection was lost while `{command}` ran; whether it took effect is unknown"
            )
        tracing.ended(done.exit_status)
        stdout = Said.of(host, command, str(done.stdout or ""))
        return Answer(host, command, stdout, str(done.stderr or ""), done.exit_status)

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
                key = asyncssh.import_private_key(self._secrets.read(self._ssh.key))
                connection = await asyncssh.connect(
                    self._addresses[host],
                    self._ssh.port,
                    username=self._ssh.user,
                    client_keys=[key],
                    known_hosts=str(self._secrets.path(self._ssh.known_hosts)),
                    config=[],
                    agent_path=None,
                    connect_timeout=CONNECT_TIMEOUT,
                    keepalive_interval=self._keepalive.total_seconds(),
                    encryption_algs=CIPHERS,
                )
                self._connections[host] = connection
            return connection

    def _forget(self, host: str) -> None:
        if connection := self._connections.pop(host, None):
            connection.abort()
