"""What the SSH client and the readers make of a host that is silent or talks nonsense: one of the seven words."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as SshHosts
from activities.errors import Unauthorized, Unreachable
from activities.hosts.nodes import Hosts
from cluster.contracts.hosts import HostNames, NodeCheck, RoundTrip
from cluster.inventory import Witness
from lab.physics.faults import Fault
from tests.twin import EXAMPLE, TwinThread
from workers.inventory_file import load

NODE, OTHER = "pxmx01-01", "pxmx01-02"


@pytest_asyncio.fixture
async def ssh(twin: TwinThread) -> AsyncIterator[SshHosts]:
    client = SshHosts(twin.inventory, Secrets(twin.path.parent))
    yield client
    await client.close()


@pytest.fixture(autouse=True)
def lifted(twin: TwinThread) -> Iterator[None]:
    """Nobody hangs when a test is over."""
    yield
    twin.world.faults.clear()


def plant(twin: TwinThread, fault: Fault) -> None:
    twin.world.faults.plant(fault)


@pytest.mark.parametrize("text", ["\x16\x03\xfe\xff", "<html>", "Segmentation fault"])
async def test_an_activity_tells_who_said_what_nobody_can_read(twin: TwinThread, ssh: SshHosts, text: str):
    """The host, its command and its words, as one of the seven; nothing is concluded from them."""
    plant(twin, Fault(f"ssh:{NODE}", r"date \+", "garbage", message=text))
    which = HostNames(hosts=(NODE, OTHER), limit=timedelta(seconds=60))

    with pytest.raises(Unreachable, match=rf"{NODE}: `date \+%s.%N` says something that cannot be read: "):
        await ActivityEnvironment().run(Hosts(ssh).clocks, which)


@pytest.mark.parametrize("command", ["dpkg-query", "cat ", "ping "])
async def test_no_fact_is_made_of_nonsense(twin: TwinThread, ssh: SshHosts, command: str):
    """No package is missing, no initiator is wrong and no address silent because of an answer that is none."""
    plant(twin, Fault(f"ssh:{NODE}", command, "garbage"))
    trip = RoundTrip(what="storage", address=twin.inventory.node(OTHER).address, limit=timedelta(seconds=1))
    check = NodeCheck(node=NODE, iqn=twin.inventory.node(NODE).iqn, round_trips=(trip,))

    with pytest.raises(Unreachable, match=rf"{NODE}: `{command}.*` says something that cannot be read: "):
        await ActivityEnvironment().run(Hosts(ssh).preflight, check)


async def test_a_bug_of_ours_is_not_called_silence(ssh: SshHosts):
    """What no host has said stays the error that it is."""
    with pytest.raises(KeyError):
        await ssh.run("no-host-of-the-inventory", "true")


@pytest.mark.parametrize("action", ["expire", "reset"])
async def test_a_host_that_drops_the_connection(twin: TwinThread, ssh: SshHosts, action: str):
    """The command was not run; the next one finds a new connection."""
    plant(twin, Fault(f"ssh:{NODE}", "multipath", action))  # type: ignore[arg-type]

    with pytest.raises(Unreachable, match=f"{NODE}.*(connection was lost|does not answer over SSH)"):
        await ssh.run(NODE, "multipath", "-r")

    assert (await ssh.run(NODE, "true")).ok


async def test_a_host_that_never_answers(twin: TwinThread, ssh: SshHosts):
    """The limit of the command is kept."""
    plant(twin, Fault(f"ssh:{NODE}", "multipath", "hang", times=None))

    with pytest.raises(Unreachable, match=f"{NODE} at .* does not answer over SSH in time"):
        await ssh.run(NODE, "multipath", "-ll", limit=0.3)


@asynccontextmanager
async def speaking(
    folder: Path, say: Callable[[asyncssh.SSHServerProcess[bytes]], Awaitable[None]]
) -> AsyncIterator[SshHosts]:
    """A host of the inventory that answers every command in that way."""
    ours, theirs = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[theirs], encoding=None, process_factory=say,
        authorized_client_keys=asyncssh.import_authorized_keys(ours.export_public_key().decode()),
    )  # fmt: skip
    port = server.get_port()
    (folder / "key").write_bytes(ours.export_private_key())
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {theirs.export_public_key().decode()}")
    inventory = load(EXAMPLE)
    ssh = inventory.ssh.model_copy(update={"port": port, "key": "file:key", "known_hosts": "known_hosts"})
    witness = Witness(name="witness", address="127.0.0.1")
    client = SshHosts(inventory.model_copy(update={"ssh": ssh, "witness": witness}), Secrets(folder))
    yield client
    await client.close()
    server.close()


async def test_bytes_that_are_no_text_end_no_connection(tmp_path: Path):
    """A disk's name in another encoding: everything else that the host says is still read."""

    async def say(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.stdout.write(b"B\xfcro-1\n")
        process.exit(0)

    async with speaking(tmp_path, say) as ssh:
        assert await ssh.read("witness", "vgs") == "B\ufffdro-1\n"
        assert await ssh.read("witness", "vgs") == "B\ufffdro-1\n"


async def test_a_host_that_never_stops_talking_is_not_listened_to_for_long(tmp_path: Path):
    """What it says would fill the memory of the worker that watches the cluster."""

    async def say(process: asyncssh.SSHServerProcess[bytes]) -> None:
        while not process.stdout.is_closing():
            process.stdout.write(b"x" * 2**20)
            await process.stdout.drain()

    async with speaking(tmp_path, say) as ssh:
        with pytest.raises(Unreachable, match="witness: `vgs` says more than 16 MiB, which nobody reads"):
            await ssh.run("witness", "vgs", limit=30)


@pytest.mark.parametrize(
    ("file", "holds", "says"),
    [
        ("key", b"no key", r"ssh.key \(file:key\) cannot be read as a private key; put one in OpenSSH's form there"),
        ("key", b"\xff", r"secret file:key: is no text in UTF-8; put the secret alone there"),
        ("known_hosts", b"\xff", r"ssh.known_hosts \(.*/known_hosts\) cannot be read: .*; correct it"),
    ],
)
async def test_a_file_that_is_no_key_is_named(tmp_path: Path, file: str, holds: bytes, says: str):
    """It is no silence of the host, and another attempt finds the same."""

    async def say(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.exit(0)

    async with speaking(tmp_path, say) as ssh:
        (tmp_path / file).write_bytes(holds)
        with pytest.raises(Unauthorized, match=says):
            await ssh.run("witness", "true")


@pytest.mark.parametrize(
    ("path", "commands"),
    [
        ("/etc/x.conf", ["dd of=/etc/x.conf.new conv=fsync status=none", "mv -T /etc/x.conf.new /etc/x.conf"]),
        ("/sys/class/scsi_host/host3/scan", ["dd of=/sys/class/scsi_host/host3/scan status=none"]),
    ],
)
async def test_a_file_takes_its_place_whole_and_the_kernel_gets_an_order(
    tmp_path: Path, path: str, commands: list[str]
):
    """Beside a file of the kernel's nothing can lie."""
    said: list[str] = []

    async def say(process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = (process.command or "").removeprefix("LC_ALL=C ")
        said.append(command)
        programs: dict[str, Callable[[], Awaitable[object]]] = {"dd": process.stdin.read, "mv": process.stdout.drain}
        await programs[command[:2]]()
        process.exit(0)

    async with speaking(tmp_path, say) as ssh:
        await ssh.write("witness", path, "text")

    assert said == commands
