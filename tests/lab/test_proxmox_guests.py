"""Guests over the API: cloned, changed, started, moved and destroyed, each followed to the end of its task."""

import time

import pytest
from proxmoxer import ResourceException

from lab.physics.power import switch_on
from tests.lab.pve import FIRST, GIB, SECOND, SPEED, nodes, served, until

__all__ = ["nodes", "served"]  # fixtures


def test_clones_sets_and_starts_a_guest(nodes):
    """The article's three steps, each followed to its end."""
    group = nodes.shared_storage()
    nodes.guest(300, SECOND)
    guest = nodes.api().nodes(SECOND).qemu(300)
    guest.config.put(cores=1, memory=1024, delete="net0")
    upid = guest.status.start.post()

    assert nodes.ended(SECOND, upid)["exitstatus"] == "OK"
    config, current = guest.config.get(), guest.status.current.get()
    assert (config["name"], config["cores"], config["memory"], "net0" in config) == ("ac-test-vm-300", 1, "1024", False)
    assert config["scsi0"] == "pxmx-ac-shared:vm-300-disk-0,iothread=1,size=8G"
    assert (current["status"], current["qmpstatus"], current["ha"]) == ("running", "running", {"managed": 0})
    assert group.lvs["vm-300-disk-0"].open_on == {SECOND}
    assert nodes.changes() == [
        "pve storage.create pxmx-ac-shared",
        f"{FIRST} guest.cloning 300",
        f"{SECOND} guest.clone 300",
        f"{SECOND} guest.config 300",
        f"{SECOND} guest.start 300",
    ]


def test_a_task_tells_its_story(nodes):
    """Status, log and owner, with the token's name apart."""
    nodes.shared_storage()
    upid = nodes.api().nodes(FIRST).qemu(101).clone.post(newid=300, storage="pxmx-ac-shared", full=1)
    status = nodes.ended(FIRST, upid)
    log = [line["t"] for line in nodes.api().nodes(FIRST).tasks(upid).log.get(limit=500)]

    assert (status["type"], status["id"], status["user"], status["tokenid"]) == (
        "qmclone", "101", "engine@pve", "runbook",
    )  # fmt: skip
    assert log[0] == "create full clone of drive scsi0 (base-nfs:101/vm-101-disk-0.raw)"
    assert log[1] == '  Logical volume "vm-300-disk-0" created.'
    assert log[-2:] == ["transferred 8.0 GiB of 8.0 GiB (100.00%)", "TASK OK"]


def test_a_clone_is_there_from_its_first_moment(nodes):
    """Locked and without a name, on the node that copies; a second one to that id is refused, wherever it shall go."""
    nodes.shared_storage()
    clone = nodes.api().nodes(FIRST).qemu(101).clone
    upid = clone.post(newid=300, name="web", storage="pxmx-ac-shared", full=1, target=SECOND)
    row = next(entry for entry in nodes.api().cluster.resources.get(type="vm") if entry["vmid"] == 300)
    config = nodes.api().nodes(FIRST).qemu(300).config.get()
    with pytest.raises(ResourceException, match="unable to create VM 300: config file already exists"):
        clone.post(newid=300, storage="pxmx-ac-shared", full=1, target=SECOND)
    with pytest.raises(ResourceException, match="VM 300 already exists"):
        nodes.api().cluster.nextid.get(vmid=300)

    assert (row["node"], row["name"], row["lock"], row["status"]) == (FIRST, "VM 300", "clone", "stopped")
    assert {name: config[name] for name in config if name != "digest"} == {"lock": "clone"}
    assert nodes.ended(FIRST, upid)["exitstatus"] == "OK"
    row = next(entry for entry in nodes.api().cluster.resources.get(type="vm") if entry["vmid"] == 300)
    assert (row["node"], row["name"], "lock" in row) == (SECOND, "web", False)


def test_a_half_made_clone_outlives_its_node(nodes):
    """Its file and its volume stay, locked; the id is taken for good, and what comes back does not finish it."""
    group = nodes.shared_storage()
    nodes.api().nodes(FIRST).qemu(101).clone.post(newid=300, storage="pxmx-ac-shared", full=1, target=SECOND)
    nodes.power_off(FIRST)
    row = next(entry for entry in nodes.api(SECOND).cluster.resources.get(type="vm") if entry["vmid"] == 300)

    assert (row["node"], row["lock"], row["name"]) == (FIRST, "clone", "VM 300")
    assert "vm-300-disk-0" in group.lvs
    nodes.call(switch_on(nodes.world, [FIRST]))
    assert until(lambda: nodes.world.votes(FIRST).quorate, bool)
    with pytest.raises(ResourceException, match="unable to create VM 300: config file already exists"):
        nodes.api().nodes(FIRST).qemu(101).clone.post(newid=300, storage="pxmx-ac-shared", full=1)
    with pytest.raises(ResourceException, match=r"VM is locked \(clone\)"):
        nodes.api().nodes(FIRST).qemu(300).config.put(cores=1)


def test_a_clone_to_an_id_of_another_node_fails_in_its_task(nodes):
    """The call does not look there; the file cannot be made, be the owner a machine or a container."""
    nodes.shared_storage()
    nodes.guest(300, SECOND)
    upid = nodes.api().nodes(FIRST).qemu(101).clone.post(newid=300, storage="pxmx-ac-shared", full=1)

    assert nodes.ended(FIRST, upid)["exitstatus"] == (
        f"close (rename) atomic file '/etc/pve/nodes/{FIRST}/qemu-server/300.conf' failed: File exists"
    )


def test_a_clone_without_room_fails_in_its_task(nodes):
    """The call succeeds; the task says why it did not."""
    nodes.shared_storage().size = 4 * GIB
    upid = nodes.api().nodes(FIRST).qemu(101).clone.post(newid=300, storage="pxmx-ac-shared", full=1)

    assert nodes.ended(FIRST, upid)["exitstatus"] == "clone failed: not enough free space (4294967296 < 8589934592)"
    assert [entry["vmid"] for entry in nodes.api().cluster.resources.get(type="vm")] == [101]


def test_a_clone_needs_a_shared_storage_for_another_node(nodes):
    """PVE refuses before it starts a task."""
    nodes.api().storage.post(storage="s1", type="lvm", vgname="vg1")
    with pytest.raises(ResourceException, match="can't clone to non-shared storage 's1'"):
        nodes.api().nodes(FIRST).qemu(101).clone.post(newid=300, storage="s1", target=SECOND)


def test_a_running_guest_is_not_started_again(nodes):
    """The second start is a failed task."""
    nodes.shared_storage()
    nodes.running_guest()
    upid = nodes.api().nodes(FIRST).qemu(300).status.start.post()

    assert nodes.ended(FIRST, upid)["exitstatus"] == "VM 300 already running"


def test_a_guest_is_found_on_its_own_node_only(nodes):
    """The file lies on one node."""
    with pytest.raises(ResourceException) as refusal:
        nodes.api().nodes(SECOND).qemu(101).config.get()

    assert refusal.value.content == f"Configuration file 'nodes/{SECOND}/qemu-server/101.conf' does not exist"


def test_changes_that_need_a_restart_stay_pending(nodes):
    """A running guest keeps its memory until it starts again."""
    nodes.shared_storage()
    nodes.running_guest()
    guest = nodes.api().nodes(FIRST).qemu(300)
    guest.config.put(memory=1024, name="renamed")
    pending = {entry["key"]: entry for entry in guest.pending.get()}

    assert pending["memory"] == {"key": "memory", "value": "8192", "pending": "1024"}
    assert pending["name"]["value"] == "renamed"


def test_a_live_migration_moves_the_open_volume(nodes):
    """After it the other node runs the guest."""
    group = nodes.shared_storage()
    nodes.running_guest()
    upid = nodes.api().nodes(FIRST).qemu(300).migrate.post(target=SECOND, online=1)

    assert nodes.ended(FIRST, upid)["exitstatus"] == "OK"
    assert nodes.api().nodes(SECOND).qemu(300).status.current.get()["status"] == "running"
    assert group.lvs["vm-300-disk-0"].open_on == {SECOND}


def test_a_destroyed_guest_leaves_no_volume(nodes):
    """The space is free again."""
    group = nodes.shared_storage()
    nodes.guest()
    nodes.ended(FIRST, nodes.api().nodes(FIRST).qemu(300).delete())

    assert (group.lvs, [guest["vmid"] for guest in nodes.api().nodes(FIRST).qemu.get()]) == ({}, [101])


def test_an_old_clusters_work_ends_with_a_reset(nodes):
    """A clone that was under way does nothing to the new world."""
    nodes.shared_storage()
    nodes.api().nodes(FIRST).qemu(101).clone.post(newid=300, storage="pxmx-ac-shared", full=1)
    nodes.reset()
    time.sleep(5 / SPEED)

    assert (nodes.changes(), list(nodes.world.cluster.guests)) == ([], [101])


def test_a_tasks_time_counts_as_busy(nodes):
    """The benchmark subtracts what devices need: the answer is quick, the copy takes four lab seconds."""
    nodes.shared_storage()
    nodes.guest()

    clone = next(entry for entry in nodes.world.busy if entry[2] == f"pve:{FIRST} qmclone 101")
    assert 4 / SPEED <= clone[1] - clone[0] < 1.0


def test_finds_a_task_whose_answer_was_lost(nodes):
    """By type, guest and time, as the reference advises."""
    nodes.shared_storage()
    nodes.running_guest()
    found = nodes.api().nodes(FIRST).tasks.get(source="all", vmid=300, typefilter="qmstart", since=0)

    assert [(task["type"], task["id"], task["status"]) for task in found] == [("qmstart", "300", "OK")]
