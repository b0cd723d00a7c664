"""What the SSH client and the readers make of a host that is silent or talks nonsense: one of the seven words."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as SshHosts
from activities.errors import Unreachable
from activities.hosts.nodes import Hosts
from cluster.contracts.hosts import HostNames, NodeCheck, RoundTrip
from lab.physics.faults import Fault
from tests.twin import TwinThread

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
