"""The cluster and its storages, asked through proxmoxer: the real client."""

import pytest
from proxmoxer import ResourceException

from tests.lab.pve import FIRST, SECOND, nodes, served

__all__ = ["nodes", "served"]  # fixtures


def test_knows_which_node_was_asked(nodes):
    """Every node says `local` of itself alone."""
    status = nodes.api("pxmx02-01").cluster.status.get()

    assert status[0] == {
        "type": "cluster", "id": "cluster", "name": "pxmx-cluster", "nodes": 6, "version": 7, "quorate": 1,
    }  # fmt: skip
    assert [entry["name"] for entry in status[1:] if entry["local"]] == ["pxmx02-01"]


def test_storage_without_its_volume_group_is_defined_but_inactive(nodes):
    """PVE accepts it without an error: only `active` tells."""
    nodes.api().storage.post(storage="pxmx-ac-shared", type="lvm", vgname="pxmx-ac-vg", shared=1)
    status = nodes.api().nodes(FIRST).storage.get(storage="pxmx-ac-shared")[0]

    assert (status["active"], status["enabled"], status["total"]) == (0, 1, 0)


def test_storage_becomes_active_where_the_volume_group_is_seen(nodes):
    """Each node speaks for itself."""
    nodes.api().storage.post(storage="pxmx-ac-shared", type="lvm", vgname="pxmx-ac-vg", shared=1)
    nodes.volume_group(FIRST)
    active = [nodes.api().nodes(n).storage.get(storage="pxmx-ac-shared")[0]["active"] for n in (FIRST, SECOND)]

    assert active == [1, 0]


def test_a_storage_is_defined_once(nodes):
    """The second definition names the first."""
    nodes.api().storage.post(storage="s1", type="lvm", vgname="vg1")
    with pytest.raises(ResourceException) as refusal:
        nodes.api().storage.post(storage="s1", type="lvm", vgname="vg1")

    assert (refusal.value.status_code, refusal.value.content) == (
        500,
        "create storage failed: storage ID 's1' already defined",
    )


def test_without_quorum_writes_fail_each_in_its_way(nodes):
    """Clones are refused at once; a storage is tried for ten seconds."""
    nodes.power_off(*list(nodes.world.nodes)[2:])
    clone = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/clone", data={"newid": 300})
    config = nodes.http("PUT", f"/nodes/{FIRST}/qemu/101/config", data={"cores": 1})
    storage = nodes.http("POST", "/storage", data={"storage": "s1", "type": "lvm", "vgname": "vg1"})

    assert [answer.reason for answer in (clone, config, storage)] == [
        "cluster not ready - no quorum?",
        f"unable to open file '/etc/pve/nodes/{FIRST}/qemu-server/101.conf.tmp.4711' - Permission denied",
        "create storage failed: cfs-lock 'file-storage_cfg' error: no quorum!",
    ]


@pytest.mark.parametrize(
    "path",
    [f"/nodes/{FIRST}/lxc", "/pools", "/cluster/sdn/zones", "/cluster/backup",
     f"/nodes/{FIRST}/replication"],
)  # fmt: skip
def test_answers_with_empty_lists_what_nobody_uses_here(nodes, path):
    """Unmodified clients ask for them."""
    assert nodes.http("GET", path).json() == {"data": []}


def test_the_quorum_device_has_an_entry_once_it_runs(nodes):
    """Empty before; afterwards the asked node's own view."""
    before = nodes.api().cluster.config.qdevice.get()
    nodes.world.membership.set_up_device(settled=True)

    assert (before, nodes.api().cluster.config.qdevice.get()["State"]) == ({}, "Connected")
