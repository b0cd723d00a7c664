"""examples/metro.yaml and its scenery: a cluster as people have it, seen through the interfaces that runbooks use."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from proxmoxer import ProxmoxAPI

from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts
from lab.scenery import BadScenery, Scenery, beside, read
from tests.incidents.conftest import Site
from tests.twin import EXAMPLE, inventory_file


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Built once: these tests only look."""
    one = Site(inventory_file(tmp_path_factory.mktemp("metro"), "metro", "metro"), 20.0)
    one.rebuild()
    yield one
    one.stop()


@pytest.fixture
def api(site: Site) -> Any:
    """The engine's token, on the first node."""
    known, base = site.inventory, site.path.parent
    user, _, name = known.api.token_id.partition("!")
    secret = Secrets(base).read(known.api.token)
    ca = str(base / (known.api.ca or ""))
    return ProxmoxAPI(known.nodes[0].address, user=user, token_name=name, token_value=secret, verify_ssl=ca)


@pytest_asyncio.fixture
async def hosts(site: Site) -> AsyncIterator[Hosts]:
    one = Hosts(site.inventory, Secrets(site.path.parent))
    yield one
    await one.close()


def test_guests_are_of_every_kind(api: Any):
    """Machines and containers, under HA and not, running and stopped."""
    found = api.cluster.resources.get(type="vm")
    services = {one["sid"]: one["state"] for one in api.cluster.ha.resources.get()}

    assert {f"{one['id']} {one['status']} at {one['node']}" for one in found} == {
        "qemu/101 stopped at pve-n1", "qemu/300 running at pve-n1", "qemu/301 running at pve-n2",
        "qemu/302 running at pve-s1", "lxc/310 running at pve-n3", "lxc/311 running at pve-s2",
        "qemu/320 stopped at pve-n2", "qemu/330 running at pve-n4",
    }  # fmt: skip
    assert services == {
        "vm:300": "started", "vm:301": "started", "vm:302": "started", "ct:310": "started", "vm:320": "stopped",
    }  # fmt: skip


def test_what_moves_guests_is_on(api: Any):
    """PVE's default of failback, a rebalancer, two jobs that run and one that does not; the token may change them."""
    assert {one["sid"] for one in api.cluster.ha.resources.get() if not one.get("failback", 1)} == set()
    assert api.cluster.options.get()["crs"] == {"ha": "basic", "ha-auto-rebalance": "1"}
    assert {one["id"]: one["enabled"] for one in api.cluster.backup.get()} == {
        "nightly": 1, "databases": 1, "retired": 0,
    }  # fmt: skip
    api.cluster.backup("nightly").put(enabled=0)
    api.cluster.backup("nightly").put(enabled=1)
    api.cluster.options.put(crs="ha=basic,ha-auto-rebalance=1")


def test_one_node_rests(api: Any):
    """In maintenance since before anybody looked; the others are online."""
    nodes = api.cluster.ha.status.manager_status.get()["manager_status"]["node_status"]

    assert {name for name, state in nodes.items() if state == "maintenance"} == {"pve-s4"}


async def test_maps_have_names_of_their_own_on_each_node(hosts: Hosts):
    """The shared group lies on mpatha here and on mpathb or mpathc there; each node's own disk has a group as well."""
    found = {}
    for node in ("pve-n1", "pve-n2", "pve-s3"):
        report = json.loads(await hosts.read(node, "vgs", "--reportformat", "json", "-o", "vg_name,pv_name"))
        found[node] = {row["vg_name"]: row["pv_name"] for row in report["report"][0]["vg"]}

    assert {node: groups["vg-metro"] for node, groups in found.items()} == {
        "pve-n1": "/dev/mapper/mpatha", "pve-n2": "/dev/mapper/mpathb", "pve-s3": "/dev/mapper/mpathc",
    }  # fmt: skip
    assert {groups["pve"] for groups in found.values()} == {"/dev/nvme0n1p3"}


async def test_the_witness_and_one_lun_are_shared_with_others(hosts: Hosts):
    """Eight clients of ours and four with their ids; LUN 253 is ours at one array and another volume at the other."""
    listed = await hosts.read("qnetd", "corosync-qnetd-tool", "-l")
    maps = await hosts.read("pve-n1", "multipath", "-ll")

    assert (listed.count("Node ID"), listed.count("Cluster ")) == (12, 2)
    assert set(re.findall(r"\d+:0:0:(\d+) ", maps)) == {"252", "253"}
    assert maps.count(" dm-") == 2


# --- the file --------------------------------------------------------------------------------------------------------


def test_an_inventory_without_a_scenery_has_an_empty_one():
    """lab.yaml is the article's lab, with nothing around it."""
    assert read(EXAMPLE) == Scenery()


def test_a_scenery_with_an_error_says_where(tmp_path: Path):
    """The field and the file."""
    inventory = tmp_path / "own.yaml"
    beside(inventory).write_text("neighbours: {depot: 0}\n")

    with pytest.raises(BadScenery, match=r"(?s)own\.lab\.yaml.*neighbours\.depot"):
        read(inventory)
