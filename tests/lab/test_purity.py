"""The twin's FlashArray, driven over real HTTPS by the vendor's own SDK."""

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import yaml
from aiohttp import web
from pypureclient import flasharray
from pypureclient.configuration import Configuration
from pypureclient.flasharray.FA_2_44 import models as m
from pypureclient.properties import Filter, Property
from urllib3.exceptions import HTTPError

from cluster.inventory import Inventory
from lab.physics.clock import Clock
from lab.physics.disks import LogicalVolume, VolumeGroup
from lab.physics.faults import Fault
from lab.physics.initiator import Way
from lab.physics.systems import Lun
from lab.physics.world import Host as Machine
from lab.purity.models import Array
from lab.purity.urls import application
from lab.world import World

# the vendor's Client is a function that makes one of many classes
Client = Any

A, B = "X90R3-SiteA", "X90R3-SiteB"
POD, VOLUME = "webb-ac-proxmox-01", "webb-ac-proxmox-01::ac-pve-test-01"
TEN_TIB = 10995116277760
SITE_A = ["pxmx01-01", "pxmx01-02", "pxmx01-03"]
SITE_B = ["pxmx02-01", "pxmx02-02", "pxmx02-03"]
TOKENS = {"array_admin": "token-of-pureuser", "storage_admin": "token-of-storage", "readonly": "token-of-viewer"}
EXAMPLE = Path(__file__).parents[2] / "examples" / "lab.yaml"


class Served:
    """Both arrays on loopback, in a thread of their own: the SDK blocks."""

    def __init__(self, folder: Path) -> None:
        self.world = World(Inventory.model_validate(yaml.safe_load(EXAMPLE.read_text())), clock=Clock(speed=50))
        self.authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))
        self.targets: dict[str, str] = {}
        self._runners: list[web.AppRunner] = []
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        for number, array in enumerate(self.world.arrays.values(), start=1):
            self._run(self._serve(array, f"127.77.{number}.10"))

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self, array: Array, address: str) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(address).configure_cert(context)
        runner = web.AppRunner(
            application(self.world, array), access_log=None, handle_signals=False, shutdown_timeout=0.1
        )
        await runner.setup()
        await web.TCPSite(runner, address, 0, ssl_context=context).start()
        self.targets[array.name] = f"{address}:{runner.addresses[0][1]}"
        self._runners.append(runner)

    def reset(self) -> None:
        """Bare arrays; the sessions stay, since logging in again would take most of the time of a test."""
        before = self.world.arrays
        self.world.reset()
        self.world.clock.speed = 50
        for array in self.world.arrays.values():
            array.tokens.update({token: role for role, token in TOKENS.items()})
            array.sessions = before[array.name].sessions

    def client(self, array: str, role: str = "array_admin") -> Client:
        configuration: Any = Configuration(ssl_ca_cert=str(self.ca))
        configuration.verify_ssl = True
        configuration.retries = 0
        return flasharray.Client(
            self.targets[array],
            version="2.44",
            api_token=TOKENS[role],
            timeout=(3, 15),
            retries=1,
            configuration=configuration,
        )

    def stop(self) -> None:
        for runner in self._runners:
            self._run(runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)


class Refusal(Exception):
    """What an array said instead of 200."""

    def __init__(self, status: int, message: str | None, context: str | None) -> None:
        super().__init__(status, message, context)


def call(function: Any, **parameters: Any) -> list[dict[str, Any]]:
    """The items of an answer as dictionaries; `Refusal` when it is an error."""
    answer = function(**parameters)
    if answer.status_code != 200:
        error = answer.errors[0]
        raise Refusal(answer.status_code, error.message, error.context)
    return [item.to_dict() for item in answer.items] if answer.items is not None else []


def refusal(function: Any, **parameters: Any) -> tuple[int, str | None, str | None]:
    """Status, message and context of a call that must be refused."""
    with pytest.raises(Refusal) as caught:
        call(function, **parameters)
    return caught.value.args


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("arrays"))
    served.reset()
    yield served
    served.stop()


@pytest.fixture(scope="module")
def clients(served: Served) -> dict[str, Client]:
    return {array: served.client(array) for array in (A, B)}


@pytest.fixture
def world(served: Served, clients: dict[str, Client]) -> World:
    served.reset()
    return served.world


@pytest.fixture
def a(world: World, clients: dict[str, Client]) -> Client:
    return clients[A]


@pytest.fixture
def b(world: World, clients: dict[str, Client]) -> Client:
    return clients[B]


def pod_with_volume(client: Client) -> None:
    call(client.post_pods, names=[POD], pod=m.PodPost())
    call(client.post_volumes, names=[VOLUME], volume=m.VolumePost(provisioned=TEN_TIB))


def host(client: Client, name: str, iqn: str | None = None, preferred: list[str] | None = None) -> None:
    arrays = [m.Reference(name=array) for array in preferred or []]
    call(client.post_hosts, names=[name], host=m.HostPost(iqns=[iqn] if iqn else [], preferred_arrays=arrays))


def states(client: Client) -> dict[str, str]:
    return {one["name"]: one["status"] for one in call(client.get_pods, names=[POD])[0]["arrays"]}


def wait_online(*clients: Client) -> None:
    deadline = time.monotonic() + 3
    while any(set(states(client).values()) != {"online"} for client in clients):
        assert time.monotonic() < deadline


def stretched(a: Client, b: Client) -> None:
    call(a.post_pods_members, pod_names=[POD], member_names=[B])
    wait_online(a, b)


def cluster_group(client: Client, group: str, world: World) -> list[dict[str, Any]]:
    for name, node in world.nodes.items():
        host(client, name, node.iqn, [A if name in SITE_A else B])
    call(client.post_host_groups, names=[group])
    for name in world.nodes:
        call(client.post_host_groups_hosts, group_names=[group], member_names=[name])
    return call(client.post_connections, host_group_names=[group], volume_names=[VOLUME])


def log_in(machine: Machine, array: Array, portals: tuple[str, ...]) -> None:
    for number, portal in enumerate(portals, start=1):
        machine.sessions[Way(array.name, portal)] = number


def verbs(world: World) -> list[str]:
    return [f"{change.where} {change.what} {change.target}" for change in world.changes]


# --- the article ---


def test_the_article_runs_end_to_end(world: World, a: Client, b: Client) -> None:
    """Steps 0 to 4: one pod on both arrays, and each host gets the volume from both."""
    (link,) = call(a.get_array_connections)
    assert (link["name"], link["type"], link["status"]) == (B, "sync-replication", "connected")
    pod_with_volume(a)
    stretched(a, b)
    rows = cluster_group(a, "pxmx-cluster-1", world)
    assert [row["lun"] for row in rows] == [254] * 6
    assert [row["host"]["name"] for row in rows] == SITE_A + SITE_B
    call(b.post_connections, **connect_b(b, world))
    iqn = world.nodes["pxmx01-01"].iqn
    serial = "730D187406C1477500A7AA92"
    assert world.arrays[A].luns_of(iqn) == [Lun(254, serial, optimized=True)]
    assert world.arrays[B].luns_of(iqn) == [Lun(252, serial, optimized=False)]


def connect_b(b: Client, world: World) -> dict[str, Any]:
    for name, node in world.nodes.items():
        host(b, name, node.iqn, [A if name in SITE_A else B])
    call(b.post_host_groups, names=["pxmx-cluster-02"])
    for name in world.nodes:
        call(b.patch_hosts, names=[name], host=m.HostPatch(host_group=m.ReferenceNoId(name="pxmx-cluster-02")))
    return {
        "host_group_names": ["pxmx-cluster-02"],
        "volume_names": [VOLUME],
        "connection": m.ConnectionPost(lun=252),
    }


def test_every_effect_is_recorded_once(world: World, a: Client, b: Client) -> None:
    """The log of changes reads like what was done, and reads are not in it."""
    pod_with_volume(a)
    stretched(a, b)
    host(a, "pxmx01-01")
    call(a.post_host_groups, names=["g"])
    call(a.post_host_groups_hosts, group_names=["g"], member_names=["pxmx01-01"])
    call(a.post_connections, host_group_names=["g"], volume_names=[VOLUME])
    assert verbs(world) == [
        f"{A} pod.create {POD}",
        f"{A} volume.create {VOLUME}",
        f"{A} pod.stretch {POD}",
        f"{A} host.create pxmx01-01",
        f"{A} host_group.create g",
        f"{A} host_group.add_host g",
        f"{A} connection.create {VOLUME}",
    ]


def test_undo_leaves_nothing(world: World, a: Client, b: Client) -> None:
    """Everything can be taken back in the order of the reference, down to the restretch copy."""
    pod_with_volume(a)
    stretched(a, b)
    cluster_group(a, "g", world)
    call(a.delete_connections, host_group_names=["g"], volume_names=[VOLUME])
    call(a.delete_host_groups_hosts, group_names=["g"], member_names=SITE_A + SITE_B)
    call(a.delete_host_groups, names=["g"])
    call(a.delete_hosts, names=SITE_A + SITE_B)
    call(a.delete_pods_members, pod_names=[POD], member_names=[B])
    call(a.patch_volumes, names=[VOLUME], volume=m.VolumePatch(destroyed=True))
    call(a.delete_volumes, names=[VOLUME])
    call(a.patch_pods, names=[POD], pod=m.PodPatch(destroyed=True))
    call(a.delete_pods, names=[POD])
    call(b.delete_pods, names=[f"{POD}.restretch"], eradicate_contents=True)
    for client in (a, b):
        assert [call(client.get_pods), call(client.get_volumes), call(client.get_hosts)] == [[], [], []]


# --- volumes ---


def test_the_first_volume_has_the_serial_of_the_article(world: World, a: Client) -> None:
    """Serial and WWID are those of the captures, so that texts can be compared."""
    pod_with_volume(a)
    (volume,) = call(a.get_volumes, names=[VOLUME])
    assert volume["serial"] == "730D187406C1477500A7AA92"
    assert world.disks[volume["serial"]].wwid == "3624a9370730d187406c1477500a7aa92"


def test_both_arrays_show_one_serial(world: World, a: Client, b: Client) -> None:
    """Id and serial of a stretched volume do not depend on who is asked."""
    pod_with_volume(a)
    stretched(a, b)
    here, there = (call(client.get_volumes, names=[VOLUME])[0] for client in (a, b))
    assert (here["id"], here["serial"]) == (there["id"], there["serial"])


def test_a_volume_outside_of_pods_is_served(world: World, a: Client) -> None:
    """Pods are not needed for a volume, and a single host's LUNs count up from 1."""
    call(a.post_volumes, names=["plain"], volume=m.VolumePost(provisioned=2**30))
    host(a, "pxmx01-01", world.nodes["pxmx01-01"].iqn)
    call(a.post_connections, host_names=["pxmx01-01"], volume_names=["plain"])
    assert [lun.number for lun in world.arrays[A].luns_of(world.nodes["pxmx01-01"].iqn)] == [1]


@pytest.mark.parametrize("size", [2**20 + 1, 2**20 + 256])
def test_a_size_that_is_no_size_is_refused(world: World, a: Client, size: int) -> None:
    """Whole blocks; the SDK itself minds the smallest and the largest size."""
    assert refusal(a.post_volumes, names=["v"], volume=m.VolumePost(provisioned=size)) == (
        400,
        "Invalid volume size.",
        "v",
    )


def test_a_volume_shrinks_only_when_it_is_meant(world: World, a: Client) -> None:
    """Without truncate the size stays."""
    call(a.post_volumes, names=["v"], volume=m.VolumePost(provisioned=2**30))
    assert refusal(a.patch_volumes, names=["v"], volume=m.VolumePatch(provisioned=2**29))[0] == 400
    (volume,) = call(a.patch_volumes, names=["v"], volume=m.VolumePatch(provisioned=2**29), truncate=True)
    assert volume["provisioned"] == 2**29


def test_a_connected_volume_cannot_be_destroyed(world: World, a: Client) -> None:
    """Someone may be writing to it."""
    call(a.post_volumes, names=["v"], volume=m.VolumePost(provisioned=2**30))
    host(a, "h")
    call(a.post_connections, host_names=["h"], volume_names=["v"])
    status, message, _ = refusal(a.patch_volumes, names=["v"], volume=m.VolumePatch(destroyed=True))
    assert (status, "connections" in str(message)) == (400, True)


def test_no_volume_moves_into_a_stretched_pod(world: World, a: Client, b: Client) -> None:
    """Volumes are made there, or moved in before the stretch."""
    pod_with_volume(a)
    stretched(a, b)
    call(a.post_volumes, names=["v"], volume=m.VolumePost(provisioned=2**30))
    status, message, _ = refusal(a.patch_volumes, names=["v"], volume=m.VolumePatch(pod=m.Reference(name=POD)))
    assert (status, "stretched pod" in str(message)) == (400, True)


# --- errors ---


@pytest.mark.parametrize(
    ("function", "kind"),
    [("get_pods", "Pod"), ("get_volumes", "Volume"), ("get_hosts", "Host"), ("get_host_groups", "Host group")],
)
def test_a_missing_object_is_a_400(world: World, a: Client, function: str, kind: str) -> None:
    """Never 404 and never an empty list."""
    assert refusal(getattr(a, function), names=["none"]) == (400, f"{kind} does not exist.", "none")


def test_one_missing_name_fails_the_whole_call(world: World, a: Client) -> None:
    """Part of an answer would look like all of it."""
    host(a, "h")
    assert refusal(a.get_hosts, names=["h", "none"]) == (400, "Host does not exist.", "none")


def test_an_existing_object_is_a_400_in_any_case_of_letters(world: World, a: Client) -> None:
    """Names are unique ignoring case."""
    pod_with_volume(a)
    assert refusal(a.post_pods, names=[POD.upper()], pod=m.PodPost()) == (400, "Pod already exists.", POD.upper())
    assert refusal(a.post_volumes, names=[VOLUME], volume=m.VolumePost())[1] == "Volume already exists."


def test_a_connection_is_made_once(world: World, a: Client) -> None:
    """The context is the full name of the volume."""
    pod_with_volume(a)
    host(a, "h")
    call(a.post_connections, host_names=["h"], volume_names=[VOLUME])
    again = refusal(a.post_connections, host_names=["h"], volume_names=[VOLUME])
    assert again == (400, "Connection already exists.", VOLUME)


@pytest.mark.parametrize("function", ["get_connections", "delete_connections"])
def test_an_unconnected_pair_does_not_exist(world: World, a: Client, function: str) -> None:
    """A pair that was named exactly is a missing object, also for GET."""
    pod_with_volume(a)
    host(a, "h")

    missing = refusal(getattr(a, function), host_names=["h"], volume_names=[VOLUME])

    assert missing == (400, "Connection does not exist.", VOLUME)


def test_an_initiator_belongs_to_one_host(world: World, a: Client) -> None:
    """Two hosts with one name would share their disks by mistake."""
    host(a, "one", "iqn.1993-08.org.debian:01:aa")
    patch = m.HostPatch(add_iqns=["iqn.1993-08.org.debian:01:AA"])
    host(a, "two")
    assert "already in use" in str(refusal(a.patch_hosts, names=["two"], host=patch)[1])


def test_initiators_are_added_and_removed(world: World, a: Client) -> None:
    """What is there already stays."""
    host(a, "h", "iqn.1993-08.org.debian:01:aa")
    call(a.patch_hosts, names=["h"], host=m.HostPatch(add_iqns=["iqn.1993-08.org.debian:01:bb"]))
    (shown,) = call(a.patch_hosts, names=["h"], host=m.HostPatch(remove_iqns=["iqn.1993-08.org.debian:01:aa"]))
    assert shown["iqns"] == ["iqn.1993-08.org.debian:01:bb"]


def test_a_host_belongs_to_one_group(world: World, a: Client) -> None:
    """And a POST of several members is all or nothing."""
    host(a, "one")
    host(a, "two")
    call(a.post_host_groups, names=["g1"])
    call(a.post_host_groups, names=["g2"])
    call(a.post_host_groups_hosts, group_names=["g1"], member_names=["two"])
    status, message, context = refusal(a.post_host_groups_hosts, group_names=["g2"], member_names=["one", "two"])
    assert (status, "already belongs to" in str(message), context) == (400, True, "two")
    assert call(a.get_host_groups_hosts, group_names=["g2"]) == []


def test_a_connected_host_cannot_be_deleted(world: World, a: Client) -> None:
    """In Purity's own words."""
    pod_with_volume(a)
    host(a, "h")
    call(a.post_connections, host_names=["h"], volume_names=[VOLUME])
    assert refusal(a.delete_hosts, names=["h"]) == (400, "Host cannot be deleted due to existing connections.", "h")


@pytest.mark.parametrize("path", ["2.44/nothing", "2.12/pods", "1.19/volume", "2.35/pods/members"])
def test_an_unknown_path_or_version_is_a_404(world: World, served: Served, a: Client, path: str) -> None:
    """There never was a REST 2.12."""
    answer = requests.get(f"https://{served.targets[A]}/api/{path}", verify=str(served.ca), timeout=5)

    assert answer.status_code == 404


# --- sessions, versions and roles ---


def test_versions_ascend_and_have_gaps(world: World, a: Client) -> None:
    """Clients take the last one, or the last one that they know."""
    versions = a.get_rest_version(), list(world.arrays[A].versions)
    assert versions[0] == "2.44"
    assert [versions[1][0], versions[1][19], versions[1][20], versions[1][-1]] == ["1.0", "1.19", "2.0", "2.44"]
    assert {"2.12", "2.18"}.isdisjoint(versions[1])


def test_a_bad_token_does_not_log_in(world: World, served: Served, a: Client) -> None:
    """401, and no session."""
    url = f"https://{served.targets[A]}/api/2.44/login"
    answer = requests.post(url, headers={"api-token": "wrong"}, verify=str(served.ca), timeout=5)
    assert (answer.status_code, "x-auth-token" in answer.headers) == (401, False)


def test_the_sdk_logs_in_again_after_its_session_expired(world: World, a: Client) -> None:
    """Nobody notices but the array."""
    before = len(world.arrays[A].sessions)
    world.arrays[A].expire_sessions()
    assert call(a.get_arrays)[0]["name"] == A
    assert len(world.arrays[A].sessions) == before + 1


def test_an_idle_session_expires_by_lab_time(world: World, a: Client) -> None:
    """Half an hour of the lab's clock."""
    call(a.get_arrays)
    for session in world.arrays[A].sessions:
        session.used -= 1801
    before = len(world.arrays[A].sessions)
    call(a.get_arrays)
    assert len(world.arrays[A].sessions) == before + 1


def test_the_request_id_comes_back(world: World, a: Client) -> None:
    """Also with an error."""
    assert a.get_pods(x_request_id="4711").headers.x_request_id == "4711"
    assert a.get_pods(names=["none"], x_request_id="4712").headers.x_request_id == "4712"


def test_a_readonly_user_reads_and_writes_not(world: World, served: Served) -> None:
    """The message stands where the SDK looks for it."""
    viewer = served.client(A, "readonly")
    assert call(viewer.get_pods) == []
    assert refusal(viewer.post_pods, names=[POD], pod=m.PodPost()) == (
        403,
        "Operation not permitted for this role.",
        None,
    )
    assert world.changes == []


def test_a_storage_user_makes_pods_but_leaves_the_array_alone(world: World, served: Served) -> None:
    """What is stored is its business, the array is not."""
    storage = served.client(A, "storage_admin")
    call(storage.post_pods, names=[POD], pod=m.PodPost())
    assert refusal(storage.patch_arrays, array=m.Arrays(banner="mine"))[0] == 403


def test_the_login_tells_who_one_is(world: World, served: Served, a: Client) -> None:
    """The user of the token is one of the admins, so a client can find its role."""
    url = f"https://{served.targets[A]}/api/2.44/login"
    answer = requests.post(url, headers={"api-token": TOKENS["storage_admin"]}, verify=str(served.ca), timeout=5)
    user = answer.json()["items"][0]["username"]
    roles = {admin["name"]: admin["role"]["name"] for admin in call(a.get_admins)}
    assert (user, roles[user]) == ("storage", "storage_admin")


def test_audits_name_the_user_and_no_token(world: World, served: Served, a: Client) -> None:
    """One row a change."""
    call(served.client(A, "storage_admin").post_pods, names=[POD], pod=m.PodPost())
    (row,) = call(a.get_audits)
    assert (row["user"], row["command"], row["subcommand"], row["arguments"]) == ("storage", "purepod", "create", POD)


# --- lists ---


def volumes(client: Client, count: int) -> list[str]:
    names = [f"vol-{number:02}" for number in range(count)]
    call(client.post_volumes, names=names, volume=m.VolumePost(provisioned=2**30))
    return names


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("name='VOL-01'", ["vol-01"]),
        ("name='vol-*' and not name='*-00'", ["vol-01", "vol-02"]),
        ('name="vol-00" or name="vol-02"', ["vol-00", "vol-02"]),
        ("name=('vol-00','vol-02')", ["vol-00", "vol-02"]),
        ("not(name=('vol-00','vol-02'))", ["vol-01"]),
        ("contains(name, '-02')", ["vol-02"]),
        ("destroyed='false' and (name='vol-01' or name='other')", ["vol-01"]),
        ("not destroyed", ["vol-00", "vol-01", "vol-02"]),
        ("destroyed", []),
        ("provisioned>=1073741824 and space.total_used<1", ["vol-00", "vol-01", "vol-02"]),
        ("provisioned!=1073741824", []),
        ("tags('k', 'v')", []),
        ("pod.name='*'", []),
    ],
)
def test_filters_are_understood(world: World, a: Client, expression: str, found: list[str]) -> None:
    """Every form that public clients use."""
    volumes(a, 3)
    assert [volume["name"] for volume in call(a.get_volumes, filter=expression)] == found


def test_filters_of_the_sdk_are_understood(world: World, a: Client) -> None:
    """Also its list in two pairs of parentheses."""
    volumes(a, 3)
    expression = Filter.and_(Filter.in_(Property("name"), ["vol-00", "vol-01"]), Filter.ne(Property("name"), "vol-00"))
    assert [volume["name"] for volume in call(a.get_volumes, filter=expression)] == ["vol-01"]


def test_a_filter_looks_into_lists(world: World, a: Client) -> None:
    """A host is found by one of its initiators."""
    host(a, "one", "iqn.1993-08.org.debian:01:aa")
    host(a, "two", "iqn.1993-08.org.debian:01:bb")
    found = call(a.get_hosts, filter="iqns='iqn.1993-08.org.debian:01:bb' and is_local")
    assert [one["name"] for one in found] == ["two"]


def test_a_broken_filter_is_refused(world: World, a: Client) -> None:
    """It must not look like an empty list."""
    assert refusal(a.get_volumes, filter="name='x' and")[0] == 400


def test_the_sdk_walks_all_pages(world: World, a: Client) -> None:
    """By token without a sort."""
    names = volumes(a, 5)
    url, token = "", None
    seen: list[str] = []
    while url == "" or token is not None:
        answer = a.get_volumes(limit=2, continuation_token=token, total_item_count=True)
        seen += [volume.name for volume in answer.items]
        url, token = "next", answer.continuation_token
        assert answer.total_item_count == 5
    assert seen == names


def test_sorted_pages_go_by_offset(world: World, a: Client) -> None:
    """A token is given only without a sort."""
    volumes(a, 5)
    answer = a.get_volumes(limit=2, offset=2, sort=["name-"])
    assert [volume.name for volume in answer.items] == ["vol-02", "vol-01"]
    assert (answer.more_items_remaining, answer.continuation_token) == (True, None)


def test_limit_zero_counts(world: World, a: Client) -> None:
    """No items, only how many there are."""
    volumes(a, 3)
    answer = a.get_volumes(limit=0)
    assert (answer.total_item_count, list(answer.items)) == (3, [])


def test_totals_come_without_items(world: World, a: Client) -> None:
    """Sizes are summed."""
    volumes(a, 3)
    answer = a.get_volumes(total_only=True)
    assert (list(answer.items), answer.total[0].provisioned) == ([], 3 * 2**30)


def test_destroyed_is_asked_three_ways(world: World, a: Client) -> None:
    """Without the parameter both are listed: clients find destroyed pods that way."""
    call(a.post_pods, names=["live"], pod=m.PodPost())
    call(a.post_pods, names=["gone"], pod=m.PodPost())
    call(a.patch_pods, names=["gone"], pod=m.PodPatch(destroyed=True))
    found = [
        [pod["name"] for pod in call(a.get_pods, **ask)] for ask in ({}, {"destroyed": True}, {"destroyed": False})
    ]
    assert found == [["live", "gone"], ["gone"], ["live"]]


def test_context_is_the_array_itself(world: World, served: Served, a: Client) -> None:
    """Its own name and nothing at all are the same; another one is refused."""
    assert call(a.get_arrays, context_names=[A])[0]["context"]["name"] == A
    assert call(a.get_arrays, context_names=[""])[0]["name"] == A
    assert refusal(a.get_arrays, context_names=["elsewhere"])[0] == 400


def test_references_and_lists_are_never_null(world: World, served: Served, a: Client) -> None:
    """Clients read ``source.name`` blindly."""
    pod_with_volume(a)
    session = next(one.token for one in world.arrays[A].sessions if one.ended is None)
    url = f"https://{served.targets[A]}/api/2.44/volumes"
    (item,) = requests.get(url, headers={"x-auth-token": session}, verify=str(served.ca), timeout=5).json()["items"]
    assert (item["source"], item["volume_group"]) == ({"id": None, "name": None}, {"id": None, "name": None})
    assert call(a.get_pods)[0]["failover_preferences"] == []


# --- pods ---


def test_a_stretch_is_seen_from_both_arrays(world: World, a: Client, b: Client) -> None:
    """Offline, resyncing, online; and the first array is online all the while."""
    pod_with_volume(a)
    world.clock.speed = 5
    call(a.post_pods_members, pod_names=[POD], member_names=[B])
    seen: list[tuple[str, str]] = []
    while not seen or seen[-1] != ("online", "online"):
        seen.append((states(a)[B], states(b)[B]))
        assert states(a)[A] == "online"
    world.clock.speed = 50
    assert list(dict.fromkeys(one for one, _ in seen)) == ["offline", "resyncing", "online"]
    assert list(dict.fromkeys(other for _, other in seen)) == ["offline", "resyncing", "online"]


def test_progress_shows_only_while_resyncing(world: World, a: Client, b: Client) -> None:
    """A fraction, and longer for more data."""
    pod_with_volume(a)
    disk = world.disks["730D187406C1477500A7AA92"]
    disk.vg = VolumeGroup("vg", 2**40, {"lv": LogicalVolume("lv", 200 * 2**30)})
    call(a.post_pods_members, pod_names=[POD], member_names=[B])
    mirror = world.arrays[A].pods[0].mirror
    assert mirror is not None
    assert mirror._synced_at is not None
    mirror._synced_at -= 2 + 11
    _, member = call(b.get_pods, names=[POD])[0]["arrays"]
    assert (member["status"], 0.4 < member["progress"] < 0.7) == ("resyncing", True)


def test_hosts_get_nothing_before_the_pod_is_online(world: World, a: Client, b: Client) -> None:
    """A path that opens too early would show an empty disk."""
    pod_with_volume(a)
    world.clock.speed = 1
    call(a.post_pods_members, pod_names=[POD], member_names=[B])
    iqn = world.nodes["pxmx02-01"].iqn
    host(b, "pxmx02-01", iqn)
    call(b.post_connections, host_names=["pxmx02-01"], volume_names=[VOLUME])
    early = world.arrays[B].luns_of(iqn)
    world.clock.speed = 50
    wait_online(a, b)
    assert (early, len(world.arrays[B].luns_of(iqn))) == ([], 1)


def test_the_time_of_a_stretch_counts_as_work(world: World, a: Client, b: Client) -> None:
    """The benchmark must not blame Quorate for the arrays' copy."""
    pod_with_volume(a)
    call(a.post_pods_members, pod_names=[POD], member_names=[B])
    (interval,) = [(end - start) for start, end, label in world.busy if label == f"{B} resync {POD}"]
    assert interval == pytest.approx((2 + 2) / 50)


def test_the_older_words_stretch_as_well(world: World, a: Client, b: Client) -> None:
    """/pods/arrays is still served."""
    pod_with_volume(a)
    call(a.post_pods_arrays, group_names=[POD], member_names=[B])
    assert [row["member"]["name"] for row in call(b.get_pods_arrays, group_names=[POD])] == [A, B]


def test_a_stretched_pod_refuses_to_be_destroyed(world: World, a: Client, b: Client) -> None:
    """Unstretch first."""
    pod_with_volume(a)
    stretched(a, b)
    status, message, context = refusal(a.patch_pods, names=[POD], pod=m.PodPatch(destroyed=True), destroy_contents=True)
    assert (status, "stretched" in str(message), context) == (400, True, POD)


def test_stretching_needs_a_connected_synchronous_link(world: World, a: Client) -> None:
    """Neither a broken link nor an asynchronous one will do."""
    call(a.post_pods, names=[POD], pod=m.PodPost())
    link = world.arrays[A].link
    assert link is not None
    link.status = "connecting"
    assert refusal(a.post_pods_members, pod_names=[POD], member_names=[B])[0] == 400
    link.status, link.type = "connected", "async-replication"
    assert refusal(a.post_pods_members, pod_names=[POD], member_names=[B])[0] == 400


def test_stretching_twice_says_already(world: World, a: Client, b: Client) -> None:
    """A client that lost the first answer can tell."""
    pod_with_volume(a)
    stretched(a, b)
    assert "already exists" in str(refusal(a.post_pods_members, pod_names=[POD], member_names=[B])[1])


def test_a_pod_of_that_name_on_the_peer_blocks_the_stretch(world: World, a: Client, b: Client) -> None:
    """Even a destroyed one."""
    call(a.post_pods, names=[POD], pod=m.PodPost())
    call(b.post_pods, names=[POD], pod=m.PodPost())
    call(b.patch_pods, names=[POD], pod=m.PodPatch(destroyed=True))
    assert refusal(a.post_pods_members, pod_names=[POD], member_names=[B])[0] == 400


def test_unstretching_leaves_a_destroyed_copy(world: World, a: Client, b: Client) -> None:
    """It can be eradicated, not recovered; the pod lives on where it was made."""
    pod_with_volume(a)
    stretched(a, b)
    call(a.delete_pods_members, pod_names=[POD], member_names=[B])
    (copy,) = call(b.get_pods)
    assert (copy["name"], copy["destroyed"], states(a)) == (f"{POD}.restretch", True, {A: "online"})
    patch = m.PodPatch(destroyed=False)
    assert refusal(b.patch_pods, names=[f"{POD}.restretch"], pod=patch)[0] == 400


def test_the_last_array_stays_in_its_pod(world: World, a: Client) -> None:
    """A pod is somewhere."""
    call(a.post_pods, names=[POD], pod=m.PodPost())
    assert refusal(a.delete_pods_members, pod_names=[POD], member_names=[A])[0] == 400


def test_a_pod_with_a_volume_is_destroyed_only_with_its_contents(world: World, a: Client) -> None:
    """And comes back with them."""
    pod_with_volume(a)
    assert refusal(a.patch_pods, names=[POD], pod=m.PodPatch(destroyed=True))[0] == 400
    call(a.patch_pods, names=[POD], pod=m.PodPatch(destroyed=True), destroy_contents=True)
    assert call(a.get_volumes, names=[VOLUME])[0]["destroyed"] is True
    call(a.patch_pods, names=[POD], pod=m.PodPatch(destroyed=False))
    assert call(a.get_volumes, names=[VOLUME])[0]["destroyed"] is False


def test_what_was_destroyed_is_gone_after_a_day(world: World, a: Client) -> None:
    """The name is taken until then."""
    call(a.post_pods, names=[POD], pod=m.PodPost())
    (pod,) = call(a.patch_pods, names=[POD], pod=m.PodPatch(destroyed=True))
    assert 0 < pod["time_remaining"] <= 86_400_000
    world.arrays[A].pods[0].destroyed_at -= 86_400  # type: ignore[operator]
    assert call(a.get_pods) == []


def test_failover_preferences_name_known_arrays(world: World, a: Client) -> None:
    """In Purity's own words."""
    pod = m.PodPost(failover_preferences=[m.Reference(name=B)])
    assert call(a.post_pods, names=[POD], pod=pod)[0]["failover_preferences"][0]["name"] == B
    unknown = m.PodPatch(failover_preferences=[m.Reference(name="elsewhere")])
    assert refusal(a.patch_pods, names=[POD], pod=unknown)[1] == "Target array could not be found."


# --- hosts and LUNs ---


def test_the_peers_hosts_are_listed_with_its_name(world: World, a: Client, b: Client) -> None:
    """They cannot be changed from here."""
    host(b, "pxmx02-01")
    call(b.post_host_groups, names=["g"])
    call(b.post_host_groups_hosts, group_names=["g"], member_names=["pxmx02-01"])
    (row,) = call(a.get_hosts)
    assert (row["name"], row["is_local"], row["host_group"]["name"]) == (f"{B}:pxmx02-01", False, f"{B}:g")
    assert row["port_connectivity"] == {"status": "unknown", "details": "Unknown"}
    assert refusal(a.patch_hosts, names=[f"{B}:pxmx02-01"], host=m.HostPatch(vlan="1"))[0] == 400


def test_the_peers_connections_are_listed_with_its_name(world: World, a: Client, b: Client) -> None:
    """Each array shows who else has the volume, and counts them."""
    pod_with_volume(a)
    stretched(a, b)
    for client, name in ((a, "pxmx01-01"), (b, "pxmx02-01")):
        host(client, name)
        call(client.post_connections, host_names=[name], volume_names=[VOLUME])
    assert [row["host"]["name"] for row in call(a.get_connections, volume_names=[VOLUME])] == [
        "pxmx01-01",
        f"{B}:pxmx02-01",
    ]
    assert call(a.get_volumes, names=[VOLUME])[0]["connection_count"] == 2


def test_groups_count_down_and_hosts_up(world: World, a: Client) -> None:
    """Each array numbers for itself."""
    names = volumes(a, 2)
    host(a, "h")
    call(a.post_host_groups, names=["g"])
    group = [call(a.post_connections, host_group_names=["g"], volume_names=[name])[0] for name in names]
    alone = [call(a.post_connections, host_names=["h"], volume_names=[name])[0] for name in names]
    assert ([row["lun"] for row in group], [row["lun"] for row in alone]) == ([254, 253], [1, 2])


def test_a_group_without_hosts_has_one_row(world: World, a: Client) -> None:
    """Without a host in it."""
    volumes(a, 1)
    call(a.post_host_groups, names=["g"])
    (row,) = call(a.post_connections, host_group_names=["g"], volume_names=["vol-00"])
    assert (row["host"].get("name"), row["host_group"]["name"]) == (None, "g")


def test_a_taken_lun_is_refused(world: World, a: Client) -> None:
    """It must be free for every host that gets it."""
    volumes(a, 2)
    host(a, "h")
    call(a.post_host_groups, names=["g"])
    call(a.post_host_groups_hosts, group_names=["g"], member_names=["h"])
    lun = m.ConnectionPost(lun=253)
    call(a.post_connections, host_names=["h"], volume_names=["vol-00"], connection=lun)
    status, message, _ = refusal(a.post_connections, host_group_names=["g"], volume_names=["vol-01"], connection=lun)
    assert (status, message) == (400, "LUN 253 is already in use.")


@pytest.mark.parametrize(("preferred", "optimized"), [([], True), ([A], True), ([B], False), ([A, B], True)])
def test_paths_follow_the_preferred_array(world: World, a: Client, preferred: list[str], optimized: bool) -> None:
    """Each array decides by its own host object; what lies in no pod has no better array elsewhere."""
    (plain,) = volumes(a, 1)
    call(a.post_pods, names=["p"], pod=m.PodPost())
    call(a.post_volumes, names=["p::v"], volume=m.VolumePost(provisioned=2**30))
    iqn = world.nodes["pxmx01-01"].iqn
    host(a, "h", iqn, preferred)
    call(a.post_connections, host_names=["h"], volume_names=["p::v"])
    call(a.post_connections, host_names=["h"], volume_names=[plain])
    assert [lun.optimized for lun in world.arrays[A].luns_of(iqn)] == [optimized, True]


def test_a_preferred_array_can_be_set_in_a_group(world: World, a: Client) -> None:
    """The API text denies it, real arrays show it."""
    host(a, "h")
    call(a.post_host_groups, names=["g"])
    call(a.post_host_groups_hosts, group_names=["g"], member_names=["h"])
    (shown,) = call(a.patch_hosts, names=["h"], host=m.HostPatch(preferred_arrays=[m.Reference(name=B)]))
    assert [one["name"] for one in shown["preferred_arrays"]] == [B]


def test_chap_secrets_are_masked_and_not_recorded(world: World, a: Client) -> None:
    """They appear nowhere."""
    chap = m.Chap(host_user="h", host_password="not-to-be-seen")
    (shown,) = call(a.post_hosts, names=["h"], host=m.HostPost(chap=chap))
    assert shown["chap"] == {"host_user": "h", "host_password": "****"}
    assert "not-to-be-seen" not in "".join(change.line() for change in world.changes)


# --- the wiring ---


def test_ports_and_interfaces_match(world: World, a: Client) -> None:
    """A port's interface has its name in lower case, two of them on each controller."""
    ports = call(a.get_ports)
    interfaces = {one["name"]: one for one in call(a.get_network_interfaces, filter="services='iscsi'")}
    assert [port["portal"] for port in ports] == [f"10.22.1.{last}:3260" for last in (1, 2, 3, 4)]
    assert [port["name"].lower() for port in ports] == list(interfaces)
    assert interfaces["ct0.eth4"]["speed"] == 25_000_000_000


@pytest.mark.parametrize(
    ("count", "details", "status"),
    [(0, "None", "critical"), (2, "Single Controller", "unhealthy"), (4, "Redundant", "healthy")],
)
def test_a_hosts_logins_show(world: World, a: Client, count: int, details: str, status: str) -> None:
    """Both controllers alike is healthy."""
    node, array = world.nodes["pxmx01-01"], world.arrays[A]
    host(a, node.name, node.iqn)
    log_in(node, array, array.portals[:count])
    (shown,) = call(a.get_hosts, names=[node.name])
    assert shown["port_connectivity"] == {"details": details, "status": status}
    assert len(call(a.get_ports_initiators)) == count
    assert len(call(a.get_hosts_performance_balance, names=[node.name])) == max(1, count)


def test_io_shows_on_the_preferred_array_only(world: World, a: Client, b: Client) -> None:
    """Writes to a stretched volume count as mirrored ones."""
    pod_with_volume(a)
    stretched(a, b)
    node = world.nodes["pxmx01-01"]
    for client in (a, b):
        host(client, node.name, node.iqn, [A])
        call(client.post_connections, host_names=[node.name], volume_names=[VOLUME])
    for array in world.arrays.values():
        log_in(node, array, array.portals)
    lv = LogicalVolume("lv", 2**30, open_on={node.name})
    world.disks["730D187406C1477500A7AA92"].vg = VolumeGroup("vg", 2**40, {"lv": lv})
    rows = [call(client.get_hosts_performance, names=[node.name])[0] for client in (a, b)]
    assert [row["mirrored_writes_per_sec"] > 0 for row in rows] == [True, False]
    assert [row["writes_per_sec"] for row in rows] == [0, 0]


@pytest.mark.parametrize(
    "function",
    [
        "get_alerts",
        "get_array_connections_path",
        "get_arrays_performance",
        "get_arrays_space",
        "get_container_default_protections",
        "get_controllers",
        "get_hardware",
        "get_hosts_performance_by_array",
        "get_pods_performance",
        "get_pods_performance_by_array",
        "get_pods_performance_replication",
        "get_protection_groups",
        "get_remote_arrays",
        "get_remote_pods",
        "get_sessions",
        "get_subscriptions",
        "get_support",
        "get_volume_groups",
        "get_volume_snapshots",
        "get_volumes_performance",
    ],
)
def test_other_lists_are_answered(world: World, a: Client, function: str) -> None:
    """The SDK can read every one of them."""
    pod_with_volume(a)
    host(a, "h")
    assert isinstance(call(getattr(a, function)), list)


def test_arrays_are_connected_with_the_peers_key(world: World, a: Client, b: Client) -> None:
    """A key shows once that both ends are ours; it stays out of the log."""
    call(a.delete_array_connections, names=[B])
    (key,) = call(b.get_array_connections_connection_key)
    wanted = m.ArrayConnectionPost(
        type="sync-replication",
        management_address=world.arrays[B].management_address,
        connection_key=key["connection_key"],
        replication_transport="ip",
    )
    call(a.post_array_connections, array_connection=wanted)
    assert call(b.get_array_connections)[0]["status"] == "connected"
    assert key["connection_key"] not in "".join(change.line() for change in world.changes)


# --- faults ---


def test_a_dropped_reply_leaves_its_effect(world: World, a: Client) -> None:
    """The client knows nothing, the pod is there."""
    world.faults.plant(Fault(service=A, call=f"POST /pods {POD}", action="drop"))
    with pytest.raises(HTTPError):
        a.post_pods(names=[POD], pod=m.PodPost())
    assert [pod["name"] for pod in call(a.get_pods)] == [POD]
    assert verbs(world) == [f"{A} pod.create {POD}"]


def test_a_planted_failure_has_purity_s_shape(world: World, a: Client) -> None:
    """The SDK reads message and status of it, and nothing was done."""
    fault = Fault(service=A, call="POST /pods", action="fail", status=500, message="Internal error")
    world.faults.plant(fault)
    assert refusal(a.post_pods, names=[POD], pod=m.PodPost()) == (500, "Internal error", None)
    assert fault.met == [f"{A} POST /pods {POD}"]
    assert world.changes == []


def test_an_array_without_power_does_not_answer(world: World, a: Client, b: Client) -> None:
    """And its peer sees the connection come and go."""
    world.arrays[B].powered = False
    with pytest.raises(HTTPError):
        b.get_arrays()
    assert call(a.get_array_connections)[0]["status"] == "connecting"
