"""Ansible against a built cluster: a guest's life with the engine's token, and administration with root's password."""

import pytest

from tests.clients.conftest import Play
from tests.twin import TwinThread

pytestmark = pytest.mark.clients


def test_a_guest_is_cloned_configured_moved_and_removed(play: Play, built: TwinThread) -> None:
    """Each order once, and each once more without an effect, as proxmox_kvm asks for them with the engine's token."""
    ran = play("operations.yml")

    assert (ran.status, ran.failures) == (0, [
        "A clone of nothing on pxmx01-01: VM with name = no-such-guest does not exist in cluster []",
        "A migration to nowhere on pxmx01-01: Unable to migrate VM 101 from pxmx01-01 to pxmx09-09:"
        " 500 Internal Server Error: no such cluster node 'pxmx09-09' []",
    ])  # fmt: skip
    assert ran.changed == [
        "Clone", "Configure", "Take the network card away", "Start", "Migrate", "Under HA", "Keep near", "Keep apart",
        "Near no more", "Stop", "Remove",
    ]  # fmt: skip
    assert [line for line in built.change_lines() if " 400 " in line] == [
        'pxmx01-01 guest.cloning 400 {"source": 101}',
        'pxmx01-01 guest.clone 400 {"name": "ac-test-vm-09", "source": 101, "storage": "pxmx-ac-shared"}',
        "pxmx01-01 guest.config 400 "
        '{"cores": 2, "description": "made by Ansible", "memory": "2048", "onboot": 1, "tags": "metro,test"}',
        'pxmx01-01 guest.config 400 {"net0": null}',
        "pxmx01-01 guest.start 400 {}",
        'pxmx02-01 guest.migrate 400 {"source": "pxmx01-01"}',
        "pxmx02-01 guest.stop 400 {}",
        "pxmx02-01 guest.delete 400 {}",
    ]
    moved = ran.of("There")["proxmox_vms"][0]
    assert (moved["node"], moved["status"], moved["config"]["cores"]) == ("pxmx02-01", "running", 2)
    assert "net0" not in moved["config"]
    tasks = ran.of("What happened")["proxmox_tasks"]
    done = [(task["type"], task["id"], task["status"]) for task in tasks if task.get("tokenid") == "runbook"]
    assert done == [("qmigrate", "400", "OK"), ("qmstart", "400", "OK"), ("qmclone", "101", "OK")]


def test_users_rights_pools_and_storages_are_managed_with_a_ticket(play: Play, built: TwinThread) -> None:
    """Each thing is made once; who may only look sees every guest and starts none."""
    ran = play("administration.yml", root_password=built.world.cluster.access.users["root@pam"].password)

    assert [line.partition(":")[0] for line in ran.failures] == [
        "What she must not do on pxmx01-01", "A wrong password on pxmx01-01",
    ]  # fmt: skip
    assert "403 Forbidden: Permission check failed (/vms/101, VM.PowerMgmt)" in ran.failures[0]
    assert ran.changed == [
        "The group", "The user", "Her rights", "The pool", "Its guest", "Its storage", "Its guest no more",
        "A storage", "The storage no more", "The user no more", "The group no more",
    ]  # fmt: skip
    assert {guest["vmid"] for guest in ran.of("What she sees")["proxmox_vms"]} == {101, 300, 301}
    assert [realm["realm"] for realm in ran.of("Realms")["proxmox_domains"]] == ["pam", "pve"]
    assert ran.of("Storages")["proxmox_storages"][0]["nodes"] == ["pxmx01-01", "pxmx01-02"]
    assert len(ran.of("How to join")["cluster_join"]["nodelist"]) == 6
    assert set(built.world.cluster.access.pools["metro"].storages) == {"pxmx-ac-shared"}
