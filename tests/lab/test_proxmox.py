"""The nodes' API as its real clients meet it: proxmoxer for what it says, requests for how it says it."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
import trustme
import yaml
from aiohttp import web
from proxmoxer import AuthenticationError, ProxmoxAPI, ResourceException

from cluster.inventory import Inventory
from lab.clock import Clock
from lab.disks import Disk, VolumeGroup
from lab.faults import Fault
from lab.power import switch_off
from lab.proxmox.models import ENGINE_PRIVILEGES
from lab.proxmox.urls import application
from lab.world import World

T = TypeVar("T")

EXAMPLE = Path(__file__).parents[2] / "examples" / "lab.yaml"
SPEED = 50.0
TOKEN, SECRET = "engine@pve!runbook", "0f4c3a52-9a0e-4d8e-8a63-3f1d8f1c7f10"
GIB = 2**30
TEN_TIB = 10 * 2**40
FIRST, SECOND = "pxmx01-01", "pxmx01-02"


class DiskWorld(World):
    """A world whose one disk is seen wherever a test says so: the arrays are another room's business."""

    seen: frozenset[str] = frozenset()

    def visible_disks(self, node: str) -> list[Disk]:
        return list(self.disks.values()) if node in self.seen else []

    def sees(self, node: str, serial: str) -> bool:
        return node in self.seen


class Nodes:
    """Six nodes over HTTPS on loopback, in a thread of their own."""

    def __init__(self, folder: Path) -> None:
        self.inventory = Inventory.model_validate(yaml.safe_load(EXAMPLE.read_text()))
        self.world = DiskWorld(self.inventory, clock=Clock(SPEED))
        self.ports: dict[str, int] = {}
        self.ca = folder / "ca.pem"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runners: list[web.AppRunner] = []
        self.call(self._serve())

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _serve(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(*[node.address for node in self.inventory.nodes]).configure_cert(context)
        for node in self.inventory.nodes:
            runner = web.AppRunner(application(self.world, node.name), access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, node.address, 0, ssl_context=context)
            await site.start()
            self.ports[node.name] = runner.addresses[0][1]
            self._runners.append(runner)
        await self._begin()

    async def _begin(self) -> None:
        self.world.cluster.add_token(TOKEN, SECRET, ENGINE_PRIVILEGES)
        await self.world.cluster.start()

    async def _reset(self) -> None:
        await self.world.cluster.stop()
        self.world.reset()
        self.world.seen = frozenset()
        await self._begin()

    def reset(self) -> None:
        self.call(self._reset())

    def power_off(self, *names: str) -> None:
        """Take nodes' power and wait until the others' votes are settled."""

        async def off() -> None:
            switch_off(self.world, list(names))
            left = frozenset(name for name, host in self.world.nodes.items() if host.powered)
            while any(self.world.membership.members(name) != left for name in left):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        self.call(off())

    async def _end(self) -> None:
        await self.world.cluster.stop()
        for runner in self._runners:
            await runner.cleanup()

    def stop(self) -> None:
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def api(self, node: str = FIRST) -> Any:
        """The real client, with the engine's token."""
        user, _, name = TOKEN.partition("!")
        return ProxmoxAPI(
            self.inventory.node(node).address,
            port=self.ports[node],
            user=user,
            token_name=name,
            token_value=SECRET,
            verify_ssl=str(self.ca),
            timeout=10,
        )

    def http(self, verb: str, path: str, *, node: str = FIRST, token: str = SECRET, **more: Any) -> requests.Response:
        """A bare request, with the engine's token unless the headers say otherwise."""
        headers = {"Authorization": f"PVEAPIToken={TOKEN}={token}", **more.pop("headers", {})}
        url = f"https://{self.inventory.node(node).address}:{self.ports[node]}/api2/json{path}"
        return requests.request(verb, url, headers=headers, verify=str(self.ca), timeout=10, **more)

    def volume_group(self, *nodes: str, size: int = TEN_TIB) -> VolumeGroup:
        """A volume group that the named nodes see; all of them when none is named."""
        group = VolumeGroup("pxmx-ac-vg", size)
        disk = self.world.disk("730D187406C1477500A7AA92", size)
        disk.is_pv, disk.vg = True, group
        self.world.seen = frozenset(nodes or self.world.nodes)
        return group

    def shared_storage(self) -> VolumeGroup:
        """The storage of the article, active everywhere."""
        group = self.volume_group()
        self.api().storage.post(storage="pxmx-ac-shared", type="lvm", vgname="pxmx-ac-vg", shared=1)
        return group

    def ended(self, node: str, upid: str) -> dict[str, Any]:
        """A task's status once it has stopped."""
        task = self.api().nodes(node).tasks(upid)
        return until(lambda: task.status.get(), lambda status: status["status"] == "stopped")

    def guest(self, vmid: int = 300, target: str = FIRST) -> None:
        """A clone of the base guest on the shared storage."""
        storage = {"full": 1, "storage": "pxmx-ac-shared", "target": target}
        upid = self.api().nodes(FIRST).qemu(101).clone.post(newid=vmid, name=f"ac-test-vm-{vmid}", **storage)
        assert self.ended(FIRST, upid)["exitstatus"] == "OK"

    def running_guest(self, vmid: int = 300, target: str = FIRST) -> None:
        self.guest(vmid, target)
        upid = self.api().nodes(target).qemu(vmid).status.start.post()
        assert self.ended(target, upid)["exitstatus"] == "OK"

    def changes(self) -> list[str]:
        """The world's log of changes, without times."""
        return [f"{change.where} {change.what} {change.target}" for change in self.world.changes]


def until(read: Callable[[], T], fits: Callable[[T], bool], within: float = 5.0) -> T:
    """Read until it fits; the last reading when it never does."""
    deadline = time.monotonic() + within
    while not fits(found := read()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path_factory.mktemp("pve"))
    yield nodes
    nodes.stop()


@pytest.fixture
def nodes(served: Nodes) -> Nodes:
    """Six nodes of a bare cluster."""
    served.reset()
    return served


def test_answers_with_the_literal_content_type(nodes):
    """npm's proxmox-api compares the header as text."""
    answer = nodes.http("GET", "/version")

    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["Server"] == "pve-api-daemon/3.0"
    assert answer.json()["data"]["version"] == "9.1.9"


def test_knows_which_node_was_asked(nodes):
    """Every node says `local` of itself alone."""
    status = nodes.api("pxmx02-01").cluster.status.get()

    assert status[0] == {
        "type": "cluster", "id": "cluster", "name": "pxmx-cluster", "nodes": 6, "version": 7, "quorate": 1,
    }  # fmt: skip
    assert [entry["name"] for entry in status[1:] if entry["local"]] == ["pxmx02-01"]


def test_takes_a_blank_after_the_token_scheme(nodes):
    """`PVEAPIToken USER...` is the other form of the header."""
    answer = nodes.http("GET", "/version", headers={"Authorization": f"PVEAPIToken {TOKEN}={SECRET}"})

    assert answer.status_code == 200


def test_holds_back_every_401_for_three_seconds(nodes):
    """A wrong secret is not told apart from an unknown token, and not at once."""
    began = time.monotonic()
    answer = nodes.http("GET", "/version", token="wrong")

    assert (answer.status_code, answer.reason, answer.content) == (401, "Authentication failed!", b"")
    assert time.monotonic() - began >= 3 / SPEED


def test_wants_a_login(nodes):
    """Without any credential the reason says so."""
    answer = nodes.http("GET", "/version", headers={"Authorization": ""})

    assert (answer.status_code, answer.reason) == (401, "No ticket")


def test_logs_in_with_a_password(nodes):
    """proxmoxer's own login: a ticket as cookie, and a CSRF token on writes."""
    api = ProxmoxAPI(
        nodes.inventory.node(FIRST).address,
        port=nodes.ports[FIRST],
        user="engine@pve",
        password=nodes.world.cluster.users["engine@pve"].password,
        verify_ssl=str(nodes.ca),
    )
    api.storage.post(storage="s1", type="lvm", vgname="vg1")

    assert nodes.changes() == ["pve storage.create s1"]


def test_refuses_a_wrong_password(nodes):
    """The client turns the login's 401 into its own error."""
    with pytest.raises(AuthenticationError):
        ProxmoxAPI(
            nodes.inventory.node(FIRST).address,
            port=nodes.ports[FIRST],
            user="engine@pve",
            password="wrong",
            verify_ssl=str(nodes.ca),
        )


def test_asks_tickets_for_a_csrf_token(nodes):
    """A cookie alone must not write."""
    password = nodes.world.cluster.users["engine@pve"].password
    form = {"username": "engine", "realm": "pve", "password": password}
    login = nodes.http("POST", "/access/ticket", headers={"Authorization": ""}, data=form).json()["data"]
    cookie = {"Authorization": "", "Cookie": f"PVEAuthCookie={login['ticket']}"}
    answer = nodes.http("POST", "/storage", headers=cookie, data={"storage": "s1", "type": "lvm"})

    assert (answer.status_code, answer.reason) == (401, "Permission denied - invalid csrf token")


def test_tokens_make_no_tickets(nodes):
    """Only a password opens a session."""
    answer = nodes.http("POST", "/access/ticket", data={"username": "engine@pve", "password": "x"})

    assert answer.status_code == 403


def test_names_every_wrong_parameter(nodes):
    """PVE's own texts, one per parameter, and the summary in the reason phrase."""
    form = {"newid": "99", "full": "True", "format": "vdi", "nonsense": "1"}
    answer = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/clone", data=form)

    assert (answer.status_code, answer.reason) == (400, "Parameter verification failed.")
    assert answer.json() == {
        "data": None,
        "message": "Parameter verification failed.\n",
        "errors": {
            "newid": "invalid format - value does not look like a valid VM ID\n",
            "full": "type check ('boolean') failed - got 'True'\n",
            "format": "value 'vdi' does not have a value in the enumeration 'raw, qcow2, vmdk'\n",
            "nonsense": "property is not defined in schema and the schema does not allow additional properties\n",
        },
    }


@pytest.mark.parametrize(
    ("verb", "path", "form", "name", "text"),
    [
        ("POST", "/cluster/ha/resources", {}, "sid", "property is missing and it is not optional"),
        ("PUT", "/nodes/pxmx01-01/qemu/101/config", {"cores": 0}, "cores", "value must have a minimum value of 1"),
        ("PUT", "/nodes/pxmx01-01/qemu/101/config", {"cores": "x"}, "cores", "type check ('integer') failed - got 'x'"),
        (
            "PUT",
            "/nodes/pxmx01-01/qemu/101/config",
            {"net1": "virtio,tag=5000"},
            "net1",
            "invalid format - format error\nnet1.tag: value must have a maximum value of 4094",
        ),
        (
            "POST",
            "/nodes/pxmx01-01/qemu/101/migrate",
            {"target": SECOND, "vmid": 102},
            "vmid",
            "duplicate parameter (already defined in URI) with conflicting values!",
        ),
        ("POST", "/nodes/pxmx01-01/qemu/101/migrate", {"target": FIRST}, "target", "target is local node."),
        ("GET", "/nodes/pxmx01-01/tasks/UPID:pxmx01-01:00000001:00000001:00000001:x:1:a@pve:/status", {}, "upid",
         "no such task"),
    ],
)  # fmt: skip
def test_checks_parameters_in_pves_words(nodes, verb, path, form, name, text):
    """The texts that clients and people search for."""
    answer = nodes.http(verb, path, data=form)

    assert answer.json()["errors"] == {name: f"{text}\n"}


def test_repeats_of_path_parameters_are_fine_while_equal(nodes):
    """Ansible sends the vmid in the body again."""
    answer = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/migrate", data={"vmid": 101, "target": "nowhere"})

    assert (answer.status_code, answer.reason) == (500, "no such cluster node 'nowhere'")


def test_reads_json_bodies(nodes):
    """Booleans may be real ones there."""
    body = {"storage": "s1", "type": "lvm", "vgname": "vg1", "shared": True}
    answer = nodes.http("POST", "/storage", json=body)

    assert answer.json() == {"data": {"storage": "s1", "type": "lvm"}}
    assert nodes.api().storage.get(type="lvm")[0]["shared"] == 1


def test_reads_untyped_bodies_as_forms_and_joins_repeated_keys(nodes):
    """`nodes=a&nodes=b` becomes the list that the schema asks for."""
    body = f"storage=s1&type=lvm&vgname=vg1&nodes={FIRST}&nodes={SECOND}".encode()
    nodes.http("POST", "/storage", data=body)

    assert nodes.api().storage.get(type="lvm")[0]["nodes"] == f"{FIRST},{SECOND}"


@pytest.mark.parametrize(
    ("verb", "path", "more", "status", "reason"),
    [
        ("DELETE", "/storage/s1", {"data": {"a": 1}}, 501, "Unexpected content for method 'DELETE'"),
        ("POST", "/storage", {"data": iter([b"a=1"])}, 501, "chunked transfer encoding not supported"),
        ("PATCH", "/version", {}, 501, "method 'PATCH' not available"),
        ("POST", "/storage", {"data": b"<x/>", "headers": {"Content-Type": "text/xml"}}, 506,
         "upload 'Content-Type 'text/xml' not implemented"),
    ],
)  # fmt: skip
def test_the_http_layer_refuses_without_json(nodes, verb, path, more, status, reason):
    """No content type, and the connection ends."""
    answer = nodes.http(verb, path, **more)

    assert (answer.status_code, answer.reason, answer.headers.get("Content-Type")) == (status, reason, None)
    assert answer.headers["Connection"] == "close"


def test_unknown_paths_are_handler_errors(nodes):
    """501 with a JSON body, unlike a verb the daemon does not know."""
    answer = nodes.http("GET", "/nowhere")

    assert (answer.status_code, answer.reason) == (501, "Method 'GET /nowhere' not implemented")
    assert answer.json() == {"data": None, "message": "Method 'GET /nowhere' not implemented\n"}


def test_names_the_missing_privilege(nodes):
    """Path and privilege, so that an operator knows what to grant."""
    nodes.world.cluster.drop_privilege(TOKEN, "VM.PowerMgmt")
    answer = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/status/start")

    assert (answer.status_code, answer.reason) == (403, "Permission check failed (/vms/101, VM.PowerMgmt)")


def test_asks_for_rights_before_it_reads_parameters(nodes):
    """A caller without rights never learns that a parameter was wrong."""
    nodes.world.cluster.drop_privilege(TOKEN, "Sys.Console")
    answer = nodes.http("POST", "/cluster/ha/resources", data={"nonsense": 1})

    assert answer.reason == "Permission check failed (/, Sys.Console)"


def test_checks_each_option_of_a_guest_for_its_own_privilege(nodes):
    """Cores need one right, memory another."""
    nodes.world.cluster.drop_privilege(TOKEN, "VM.Config.Memory")
    answer = nodes.http("PUT", f"/nodes/{FIRST}/qemu/101/config", data={"cores": 1, "memory": 1024})

    assert answer.reason == "Permission check failed (/vms/101, VM.Config.Memory)"


def test_a_clone_needs_the_bridge_of_its_card(nodes):
    """The new card hangs on the old one's bridge."""
    nodes.world.cluster.drop_privilege(TOKEN, "SDN.Use")
    answer = nodes.http("POST", f"/nodes/{FIRST}/qemu/101/clone", data={"newid": 300})

    assert answer.reason == "Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"


def test_a_deeper_grant_replaces_the_one_above(nodes):
    """As PVE's ACLs do: what stands on /vms/300 hides what came from /."""
    grants = {"/": {"VM.Audit": True}, "/vms/300": {"VM.PowerMgmt": True}}
    nodes.world.cluster.add_token(TOKEN, SECRET, grants)

    assert nodes.api().access.permissions.get(path="/vms/300") == {"/vms/300": {"VM.PowerMgmt": 1}}


def test_tells_a_token_its_own_rights(nodes):
    """The engine checks itself before it starts; a right that does not propagate is marked 0."""
    rights = nodes.api().access.permissions.get(path="/")["/"]

    assert (rights["Sys.Audit"], rights["Sys.Console"]) == (1, 0)


def test_root_alone_may_run_what_is_open_to_nobody(nodes):
    """Null permissions in the schema refuse every token."""
    answer = nodes.http("POST", "/cluster/config", data={"clustername": "x"})

    assert (answer.status_code, answer.reason) == (403, "Permission check failed (user != root@pam)")


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


def test_the_new_guest_appears_only_at_the_end(nodes):
    """While the copy runs the id is taken, but nobody lists it."""
    nodes.shared_storage()
    clone = nodes.api().nodes(FIRST).qemu(101).clone
    clone.post(newid=300, storage="pxmx-ac-shared", full=1, target=SECOND)
    listed = [entry["vmid"] for entry in nodes.api().cluster.resources.get(type="vm")]
    with pytest.raises(ResourceException, match="unable to create VM 300: config file already exists"):
        clone.post(newid=300, storage="pxmx-ac-shared", full=1, target=SECOND)

    assert listed == [101]


def test_a_clone_without_room_fails_in_its_task(nodes):
    """The call succeeds; the task says why it did not."""
    nodes.shared_storage().size = 4 * GIB
    upid = nodes.api().nodes(FIRST).qemu(101).clone.post(newid=300, storage="pxmx-ac-shared", full=1)

    assert nodes.ended(FIRST, upid)["exitstatus"] == "clone failed: not enough free space (4294967296 < 8589934592)"


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


def test_a_dropped_answer_follows_the_accomplished_work(nodes):
    """The client sees a broken connection; the storage is there."""
    nodes.world.faults.plant(Fault(service=f"pve:{FIRST}", call="POST /storage", action="drop"))
    with pytest.raises(requests.exceptions.ConnectionError):
        nodes.api().storage.post(storage="s1", type="lvm", vgname="vg1")

    assert nodes.changes() == ["pve storage.create s1"]


def test_a_planted_failure_looks_like_pves_own(nodes):
    """Any status with any reason phrase, and for 59x an empty body."""
    nodes.world.faults.plant(
        Fault(service="pve", call="GET /version", action="fail", status=596, message="Broken pipe")
    )
    answer = nodes.http("GET", "/version")

    assert (answer.status_code, answer.reason, answer.content) == (596, "Broken pipe", b"")


def test_forwarding_to_a_dead_node_ends_with_595(nodes):
    """ARP gives up after three seconds; the node that was asked says so."""
    nodes.power_off(SECOND)
    began = time.monotonic()
    answer = nodes.http("GET", f"/nodes/{SECOND}/status")

    assert (answer.status_code, answer.reason, answer.content) == (595, "No route to host", b"")
    assert time.monotonic() - began >= 3 / SPEED


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


@pytest.mark.parametrize(
    "path",
    [f"/nodes/{FIRST}/lxc", "/pools", f"/nodes/{FIRST}/network", "/cluster/backup-info/not-backed-up",
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


def test_finds_a_task_whose_answer_was_lost(nodes):
    """By type, guest and time, as the reference advises."""
    nodes.shared_storage()
    nodes.running_guest()
    found = nodes.api().nodes(FIRST).tasks.get(source="all", vmid=300, typefilter="qmstart", since=0)

    assert [(task["type"], task["id"], task["status"]) for task in found] == [("qmstart", "300", "OK")]
