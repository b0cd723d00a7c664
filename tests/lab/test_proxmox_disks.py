"""A guest's disks over the API: made, grown, moved, detached, destroyed."""

import pytest
from proxmoxer import ResourceException

from tests.lab.pve import FIRST, GIB, nodes, served

__all__ = ["nodes", "served"]  # fixtures

VOLUME = "pxmx-ac-shared:vm-300-disk-1"


def test_a_disk_is_made_where_it_is_asked_for(nodes):
    """`STORAGE:GIB` becomes a volume, open where the guest runs."""
    group = nodes.shared_storage()
    nodes.running_guest()
    nodes.root().nodes(FIRST).qemu(300).config.put(scsi1="pxmx-ac-shared:5,discard=on")

    assert nodes.api().nodes(FIRST).qemu(300).config.get()["scsi1"] == f"{VOLUME},discard=on,size=5G"
    assert (group.lvs["vm-300-disk-1"].size, group.lvs["vm-300-disk-1"].open_on) == (5 * GIB, {FIRST})


def test_a_detached_disk_keeps_its_volume(nodes):
    """It is unused until it is attached again, or destroyed in a second step."""
    group = nodes.shared_storage()
    nodes.guest()
    guest = nodes.root().nodes(FIRST).qemu(300)
    guest.config.put(scsi1="pxmx-ac-shared:5")
    guest.config.put(delete="scsi1")
    detached = guest.config.get()["unused0"]
    guest.config.put(scsi2=detached)
    attached = guest.config.get()
    guest.unlink.put(idlist="scsi2")
    guest.config.put(delete="unused0")

    assert (detached, attached["scsi2"], "unused0" in attached) == (VOLUME, VOLUME, False)
    assert list(group.lvs) == ["vm-300-disk-0"]


def test_a_forced_unlink_destroys_the_volume(nodes):
    """At once, without the detour over unused."""
    group = nodes.shared_storage()
    nodes.guest()
    nodes.root().nodes(FIRST).qemu(300).unlink.put(idlist="scsi0", force=1)

    assert group.lvs == {}
    assert "unused0" not in nodes.api().nodes(FIRST).qemu(300).config.get()


@pytest.mark.parametrize(("size", "gib"), [("12G", 12), ("+2G", 10), ("1T", 1024)])
def test_a_disk_grows(nodes, size, gib):
    """To a size, or by one."""
    group = nodes.shared_storage()
    nodes.guest()
    task = nodes.root().nodes(FIRST).qemu(300).resize.put(disk="scsi0", size=size)

    assert nodes.ended(FIRST, task)["exitstatus"] == "OK"
    assert group.lvs["vm-300-disk-0"].size == gib * GIB


@pytest.mark.parametrize(
    ("disk", "size", "text"),
    [("scsi0", "1G", "shrinking disks is not supported"), ("scsi7", "9G", "disk 'scsi7' does not exist")],
)
def test_a_disk_does_not_shrink(nodes, disk, size, text):
    """And one that is not there does not grow."""
    nodes.shared_storage()
    nodes.guest()
    with pytest.raises(ResourceException, match=text):
        nodes.root().nodes(FIRST).qemu(300).resize.put(disk=disk, size=size)


def test_a_disk_moves_to_another_storage(nodes):
    """The copy takes its place; what was there is deleted only when that is said."""
    group = nodes.shared_storage()
    move = nodes.root().nodes(FIRST).qemu(101).move_disk
    task = move.post(disk="scsi0", storage="pxmx-ac-shared", delete=1)

    assert nodes.ended(FIRST, task)["exitstatus"] == "OK"
    assert nodes.api().nodes(FIRST).qemu(101).config.get()["scsi0"] == "pxmx-ac-shared:vm-101-disk-0,iothread=1,size=8G"
    assert (list(group.lvs), nodes.world.cluster.files) == (["vm-101-disk-0"], {})


def test_a_disk_needs_room_and_the_right_to_it(nodes):
    """The volume group's space, and Datastore.AllocateSpace on the storage."""
    nodes.shared_storage().size = 4 * GIB
    nodes.api().storage.post(storage="other", type="lvm", vgname="pxmx-ac-vg", shared=1)
    nodes.all_rights()
    access = nodes.world.cluster.access
    access.acl.grant("user", "engine@pve", {"/vms": {"VM.Config.Disk": True, "VM.Audit": True}})
    forbidden = nodes.http("PUT", f"/nodes/{FIRST}/qemu/101/config", data={"scsi1": "other:1"})
    with pytest.raises(ResourceException, match="not enough free space"):
        nodes.root().nodes(FIRST).qemu(101).config.put(scsi1="other:5")

    assert forbidden.reason == "Permission check failed (/storage/other, Datastore.AllocateSpace)"
