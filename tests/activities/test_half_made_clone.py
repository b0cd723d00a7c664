"""A clone that has died leaves a locked guest behind: it is told as what it is, and whose."""

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.proxmox.guests import Guests
from cluster.contracts.proxmox import GuestWish
from cluster.inventory import Inventory
from cluster.plan import Mode
from lab.built import build
from lab.pve.work.guest import Guest
from tests.twin import TwinThread

WISH = GuestWish(
    mode=Mode.APPLY, vmid=301, name="ac-test-vm-02", template=101, node="pxmx01-01", storage="pxmx-ac-shared",
    cores=1, memory=2**30,
)  # fmt: skip


@pytest.fixture
def guests(twin: TwinThread) -> Guests:
    """The activities on guests of a built cluster."""
    twin.call(_without_it(twin))
    inventory: Inventory = twin.inventory
    return Guests(PveApi(inventory, Secrets(twin.path.parent)))


async def _without_it(twin: TwinThread) -> None:
    """Built, but for this one guest."""
    await build(twin.world)
    cluster = twin.world.cluster
    guest = cluster.guests.pop(301)
    del cluster.ha.resources["vm:301"]
    group = twin.world.volume_group(guest.node, twin.inventory.storage.vg)
    assert group is not None
    del group.lvs["vm-301-disk-0"]


def left_over(twin: TwinThread, name: str | None) -> None:
    async def leave() -> None:
        config = {} if name is None else {"name": name}
        twin.world.cluster.guests[301] = Guest(301, "pxmx01-01", config, lock="clone")

    twin.call(leave())


@pytest.mark.parametrize("name", [None, "ac-test-vm-02"])
def test_a_clone_of_nobody_known_is_told_as_an_unfinished_clone(twin: TwinThread, guests: Guests, name: str | None):
    """Never as a guest of another name, nor as ours that is ready: with or without its name."""
    left_over(twin, name)
    with pytest.raises(ApplicationError) as refused:
        ActivityEnvironment().run(guests.ensure_guest, WISH)
    assert refused.value.type == "Conflict"
    assert refused.value.message == (
        "vmid 301 on pxmx01-01 is locked by a clone that has not ended, and no task of 101 explains the lock: "
        "find out whose it is; remove what it has left on pxmx01-01 (qm unlock 301, qm destroy 301), then answer retry"
        ", or choose another guests.vmid"
    )


def test_a_clone_of_ours_that_died_is_recognised(twin: TwinThread, guests: Guests):
    """Its task is the template's, and its log names the new guest's volumes."""
    ActivityEnvironment().run(guests.ensure_guest, WISH)
    task = next(one for one in reversed(twin.world.cluster.tasks.all) if one.kind == "qmclone")
    task.exitstatus = "unexpected status"
    left_over(twin, None)
    with pytest.raises(ApplicationError) as refused:
        ActivityEnvironment().run(guests.ensure_guest, WISH)
    assert refused.value.message.startswith("vmid 301 is an unfinished clone of 101 (unexpected status): remove what")
