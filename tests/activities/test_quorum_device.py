"""Setting up the quorum device: what `pvecm` says when it fails reaches the person."""

import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts
from activities.errors import Refuted, Rejected
from activities.hosts.named import address_of, addresses, unresolved
from activities.hosts.votes import Quorum, may_set_up
from cluster.contracts.hosts import DeviceWish
from cluster.plan import Mode
from cluster.wishes import Wishes
from tests.twin import TwinThread

FIRST, UNIT = "pxmx01-01", "quorate-qdevice-setup"


@pytest_asyncio.fixture
async def ssh(twin: TwinThread) -> AsyncIterator[Hosts]:
    """The engine's own connections."""
    hosts = Hosts(twin.inventory, Secrets(twin.path.parent))
    yield hosts
    await hosts.close()


@pytest.fixture
def wish(twin: TwinThread) -> DeviceWish:
    """The device of the inventory."""
    return Wishes(twin.inventory, Mode.APPLY).device()


async def test_the_reason_of_a_failure_is_pvecms_own(twin: TwinThread, ssh: Hosts, wish: DeviceWish):
    """And not the last remark of systemd on the unit that ran it, nor what an earlier attempt has said."""
    twin.world.witness.packages.discard("corosync-qnetd")
    for _ in range(2):
        with pytest.raises(Rejected) as told:
            await Quorum(ssh)._set_up(wish.witness, FIRST)
        assert told.value.message == (
            f"{FIRST}: pvecm qdevice setup {wish.witness} failed: after `initializing qnetd server`; scp: "
            f"/etc/corosync/qnetd/nssdb/qnetd-cacert.crt: No such file or directory (root@{wish.witness})"
        )
    journal = await ssh.read(FIRST, "journalctl", "-u", UNIT, "-o", "cat")
    assert journal.splitlines()[-3:] == [
        f"{UNIT}.service: Main process exited, code=exited, status=255/n/a",
        f"{UNIT}.service: Failed with result 'exit-code'.",
        f"{UNIT}.service: Consumed 2.113s CPU time.",
    ]


async def test_a_witness_that_cannot_sign_is_told_before_anything_is_done(
    twin: TwinThread, ssh: Hosts, wish: DeviceWish
):
    """A container with sshd alone, or another distribution."""
    twin.world.witness.packages.discard("corosync-qnetd")
    with pytest.raises(Refuted) as told:
        await may_set_up(ssh, wish.nodes, wish.witness)
    assert told.value.message == (
        f"{FIRST}: the witness at {wish.witness} has no /usr/bin/corosync-qnetd-certutil, which `pvecm qdevice setup` "
        "runs there; install it: apt install corosync-qnetd; a container or another distribution has to bring it too"
    )
    assert twin.change_lines() == []


async def test_a_witness_by_name_is_set_up_at_its_address(twin: TwinThread, ssh: Hosts, wish: DeviceWish):
    """The look before anything is changed says which it is; the second run finds its own device."""
    address = wish.witness
    named = wish.model_copy(update={"witness": "witness.lab"})

    async def resolve(_: str) -> tuple[str, ...]:
        return (address,)

    quorum, inside = Quorum(ssh, resolve), ActivityEnvironment()
    before = await quorum.votes(named)
    done = await inside.run(quorum.ensure_quorum_device, named)
    again = await inside.run(quorum.ensure_quorum_device, named)

    assert before.finding == f"6 of 6 votes, quorum 4; witness witness.lab is {address}"
    assert (done.changed, done.total, again.changed) == (1, 7, 0)
    assert f"{FIRST} qdevice.setup {address} {{}}" in [line.strip() for line in twin.change_lines()]


async def test_a_witness_whose_name_leads_nowhere_is_refused_before_anything_is_changed(
    twin: TwinThread, ssh: Hosts, wish: DeviceWish
):
    """The remedy is another name, or the address."""
    named = wish.model_copy(update={"witness": "witness.invalid"})

    async def nowhere(name: str) -> tuple[str, ...]:
        raise unresolved(name, socket.EAI_NONAME)

    with pytest.raises(Refuted) as told:
        await Quorum(ssh, nowhere).votes(named)

    assert told.value.message == (
        "witness.address witness.invalid: the resolver of this worker's machine knows no such host; correct it, or "
        "give the address, which `pvecm qdevice setup` needs"
    )
    assert twin.change_lines() == []


async def test_of_a_witness_with_two_addresses_a_person_chooses():
    """Which of them every node reaches is not guessed."""

    async def both(_: str) -> tuple[str, ...]:
        return ("10.0.0.5", "fd00::5")

    with pytest.raises(Refuted, match=r"has 2 addresses, 10\.0\.0\.5 and fd00::5: .* give the one in witness\.address"):
        await address_of("witness.lab", both)
    assert await address_of("10.0.0.5", both) == "10.0.0.5"
    assert "127.0.0.1" in await addresses("localhost")
