"""The two vendors' Python SDKs by themselves, without anything of ours around them."""

from collections.abc import Iterator
from typing import Any

import pytest
from proxmoxer import AuthenticationError, ProxmoxAPI, ResourceException
from proxmoxer.tools import Tasks
from pypureclient import flasharray
from pypureclient.configuration import Configuration
from pypureclient.responses import ErrorResponse, ValidResponse

from lab.serving.credentials import password_file
from tests.clients.conftest import secret
from tests.twin import TwinThread

pytestmark = pytest.mark.clients


@pytest.fixture
def array(built: TwinThread) -> Any:
    """A client of the first array, which verifies its certificate and finds out the version by itself."""
    described = built.inventory.arrays[0]
    configuration: Any = Configuration()
    configuration.verify_ssl = True
    configuration.ssl_ca_cert = str(secret(built, described.ca))
    token = secret(built, described.api_token).read_text()
    return flasharray.Client(described.address, api_token=token, configuration=configuration)


@pytest.fixture
def cluster(built: TwinThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the first node with the engine's token, which verifies its certificate."""
    described = built.inventory
    user, _, name = described.api.token_id.partition("!")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secret(built, described.api.ca)))
    token = secret(built, described.api.token).read_text()
    return ProxmoxAPI(described.nodes[0].address, user=user, token_name=name, token_value=token)


def test_py_pure_client_lists_changes_and_is_refused(array: Any) -> None:
    """Typed answers, a filter, an order with a limit, a change, and an error with its context."""
    volumes = array.get_volumes(filter="name='webb*'")
    hosts = array.get_hosts(limit=2, sort=["name-"])
    made = array.post_volumes(names=["spare"], volume=flasharray.VolumePost(provisioned=2**30))
    again = array.post_volumes(names=["spare"], volume=flasharray.VolumePost(provisioned=2**30))

    assert isinstance(volumes, ValidResponse)
    assert [(volume.name, volume.provisioned) for volume in volumes.items] == [
        ("webb-ac-proxmox-01::ac-pve-test-01", 10 * 1024**4)
    ]
    assert [host.name for host in hosts.items] == ["X90R3-SiteB:pxmx02-03", "X90R3-SiteB:pxmx02-02"]
    assert [(volume.name, volume.destroyed) for volume in made.items] == [("spare", False)]
    assert isinstance(again, ErrorResponse)
    assert [(error.message, error.context) for error in again.errors] == [("Volume already exists.", "spare")]


# What a storage driver tells its scheduler of an array every minute.
RATES = ("reads_per_sec", "writes_per_sec", "read_bytes_per_sec", "write_bytes_per_sec")
TIMES = (
    "usec_per_read_op", "usec_per_write_op", "usec_per_mirrored_write_op",
    "queue_usec_per_read_op", "queue_usec_per_write_op", "queue_usec_per_mirrored_write_op",
)  # fmt: skip


def test_a_storage_drivers_figures_of_an_array_are_numbers(array: Any) -> None:
    """None is missing, and none is null."""
    figures = next(iter(array.get_arrays_performance().items)).to_dict()
    space = next(iter(array.get_arrays_space().items))

    assert {name: type(figures.get(name)) for name in (*RATES, *TIMES)} == dict.fromkeys((*RATES, *TIMES), int)
    assert 0 < space.space.total_physical + space.space.shared < space.capacity
    assert space.space.data_reduction > 0


def test_py_pure_client_logs_in_again_when_its_session_is_gone(array: Any, built: TwinThread) -> None:
    """An array that forgets its sessions is nothing that a caller would notice."""
    before = [pod.name for pod in array.get_pods().items]

    built.world.arrays[built.inventory.arrays[0].name].sessions.clear()

    assert [pod.name for pod in array.get_pods().items] == before == ["webb-ac-proxmox-01"]


def test_proxmoxer_runs_a_guests_round(cluster: Any) -> None:
    """Clone, wait for the task, change, start, move to the other site, stop and delete, each by its own call."""
    home, away = cluster.nodes("pxmx01-01"), cluster.nodes("pxmx02-03")

    def done(upid: str) -> str:
        status = Tasks.blocking_status(cluster, upid, timeout=60, polling_interval=0.1)
        return str(status["exitstatus"])

    clone = {"newid": 450, "name": "raw", "full": 1, "storage": "pxmx-ac-shared"}
    ends = [done(home.qemu(101).clone.post(**clone))]
    assert home.qemu(450).config.put(cores=2, memory=2048, delete="net0") is None
    ends.append(done(home.qemu(450).status.start.post()))
    ends.append(done(home.qemu(450).migrate.post(target="pxmx02-03", online=1)))
    moved = next(one for one in cluster.cluster.resources.get(type="vm") if one["vmid"] == 450)
    ends.append(done(away.qemu(450).status.stop.post()))
    ends.append(done(away.qemu(450).delete(purge=1)))

    assert ends == ["OK"] * 5
    assert (moved["node"], moved["status"], moved["maxcpu"], moved["maxmem"]) == ("pxmx02-03", "running", 2, 2 * 2**30)
    assert 450 not in [guest["vmid"] for guest in cluster.cluster.resources.get(type="vm")]


def test_proxmoxer_decodes_task_identifiers_and_logs(cluster: Any) -> None:
    """What its own tools make of the twin's tasks."""
    upid = cluster.nodes("pxmx01-01").qemu(101).status.start.post()
    Tasks.blocking_status(cluster, upid, timeout=60, polling_interval=0.1)

    decoded = Tasks.decode_upid(upid)
    log = Tasks.decode_log(cluster.nodes("pxmx01-01").tasks(upid).log.get())

    assert (decoded["node"], decoded["type"], decoded["id"]) == ("pxmx01-01", "qmstart", "101")
    # the SDK drops the token's name
    assert (decoded["user"], upid.split(":")[7]) == ("engine@pve", "engine@pve!runbook")
    assert log.endswith("TASK OK")


def test_proxmoxer_tells_refusals_apart(cluster: Any, built: TwinThread) -> None:
    """A wrong parameter is named, a missing right too, and a wrong password is no answer at all."""
    with pytest.raises(ResourceException) as wrong:
        cluster.nodes("pxmx01-01").qemu(101).clone.post(newid="many")
    with pytest.raises(ResourceException) as forbidden:
        cluster.access.users.post(userid="eve@pve")
    with pytest.raises(AuthenticationError):
        ProxmoxAPI(built.inventory.nodes[0].address, user="root@pam", password="wrong")

    assert (wrong.value.status_code, list(wrong.value.errors)) == (400, ["newid"])
    assert forbidden.value.status_code == 403
    assert "Permission check failed" in str(forbidden.value)


def test_proxmoxer_logs_in_with_a_password(cluster: Any, built: TwinThread) -> None:
    """A ticket in a cookie, and the token against forged requests on every write."""
    place = password_file(built.inventory, built.path.parent)
    assert place is not None
    root = ProxmoxAPI(built.inventory.nodes[5].address, user="root@pam", password=place.read_text())

    root.pools.post(poolid="metro", comment="both sites")

    assert [pool["poolid"] for pool in cluster.pools.get()] == ["metro"]
    assert len(root.cluster.status.get()) == 7
