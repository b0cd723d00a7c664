"""Setting up the quorum device: what `pvecm` says when it fails reaches the person."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts
from activities.errors import Refuted, Rejected
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
            await Quorum(ssh)._set_up(wish, FIRST)
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
