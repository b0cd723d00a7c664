"""Six nodes over HTTPS on loopback, for the tests of their API; `api` is proxmoxer, `http` a bare request."""

import asyncio
import socket
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
from proxmoxer import ProxmoxAPI

from cluster.inventory import Inventory
from lab.physics.clock import Clock
from lab.physics.disks import Disk, VolumeGroup
from lab.physics.power import switch_off
from lab.pve.daemon.keepalive import meet
from lab.pve.etc.roles import ALL
from lab.pve.urls import application
from lab.serving.listener import Listener
from lab.world import World

T = TypeVar("T")

EXAMPLE = Path(__file__).parents[2] / "examples" / "lab.yaml"
SPEED = 50.0
TOKEN, SECRET = "engine@pve!runbook", "0f4c3a52-9a0e-4d8e-8a63-3f1d8f1c7f10"
# More than the engine's token has: these tests are about the API, the engine's own rights about docs/prepare.md.
RIGHTS = {
    "/": dict.fromkeys(("Sys.Audit", "Sys.Syslog", "VM.Audit", "Mapping.Audit", "SDN.Audit", "Pool.Audit"), True)
    | {"Sys.Console": False, "Sys.AccessNetwork": False},
    "/vms": dict.fromkeys(
        (
            "VM.PowerMgmt", "VM.Migrate", "VM.Allocate", "VM.Clone", "VM.Audit", "VM.GuestAgent.Audit",
            "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options",
        ),
        True,
    ),
    "/storage": dict.fromkeys(("Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.Audit"), True),
    "/sdn/zones/localnetwork": {"SDN.Use": True, "SDN.Audit": True},
    "/mapping/notifications": {"Mapping.Modify": True, "Mapping.Audit": True},
}  # fmt: skip
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
        self._listeners: list[Listener] = []
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

            async def take(connection: socket.socket, runner: web.AppRunner = runner) -> None:
                if runner.server is not None:
                    await meet(connection, runner.server, context)

            listener = Listener(self.world, node.name, node.address, 0, take)
            self.ports[node.name] = listener.port
            self._listeners.append(listener)
            self._runners.append(runner)
        await self._begin()

    async def _begin(self) -> None:
        self.world.cluster.add_token(TOKEN, SECRET, RIGHTS)
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
        for listener in self._listeners:
            listener.close()
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

    def root(self) -> Any:
        """The real client, logged in as root@pam."""
        password = self.world.cluster.users["root@pam"].password
        address = self.inventory.node(FIRST).address
        return ProxmoxAPI(
            address, port=self.ports[FIRST], user="root@pam", password=password, verify_ssl=str(self.ca), timeout=10
        )

    def all_rights(self) -> None:
        """Let the engine's token do everything."""
        access = self.world.cluster.access
        access.acl.grant("user", "engine@pve", {"/": dict.fromkeys(ALL, True)})
        access.tokens[TOKEN].privsep = False

    def http(self, verb: str, path: str, *, node: str = FIRST, token: str = SECRET, **more: Any) -> requests.Response:
        """A bare request, with the engine's token unless the headers say otherwise."""
        headers = {"Authorization": f"PVEAPIToken={TOKEN}={token}", **more.pop("headers", {})}
        return requests.request(verb, self.url(path, node), headers=headers, verify=str(self.ca), timeout=10, **more)

    def url(self, path: str, node: str = FIRST) -> str:
        return f"https://{self.inventory.node(node).address}:{self.ports[node]}/api2/json{path}"

    def session(self) -> requests.Session:
        """A client that keeps its connection, with the engine's token."""
        session = requests.Session()
        session.headers["Authorization"] = f"PVEAPIToken={TOKEN}={SECRET}"
        session.trust_env = False  # a CA bundle in the environment would win over this one
        session.verify = str(self.ca)
        return session

    def connection(self) -> ssl.SSLSocket:
        """A bare connection to the first node."""
        address = self.inventory.node(FIRST).address
        plain = socket.create_connection((address, self.ports[FIRST]), timeout=5)
        return ssl.create_default_context(cafile=str(self.ca)).wrap_socket(plain, server_hostname=address)

    def cut(self, link: str) -> None:
        async def now() -> None:
            self.world.links.cut(link)

        self.call(now())

    def volume_group(self, *nodes: str, size: int = TEN_TIB) -> VolumeGroup:
        """A volume group that the named nodes see; all of them when none is named."""
        group = VolumeGroup("pxmx-ac-vg", size)
        disk = self.world.disk("730D187406C1477500A7AA92", size)
        disk.vg = group
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
