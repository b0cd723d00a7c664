"""The whole twin: every server of it, started and stopped together."""

import asyncio
import random
import socket
import ssl
import tempfile
from pathlib import Path

from aiohttp import web

from cluster.controllers import IPMI_PORT
from cluster.inventory import Bmc, Inventory
from cluster.privileges import granted
from lab.bmc.controller import Service
from lab.bmc.controller import application as bmc_application
from lab.bmc.ipmi import Door
from lab.bmc.rmcp import Account
from lab.built import build
from lab.control.plane import control
from lab.hosts import serve
from lab.physics.clock import Clock
from lab.probed import world as probed
from lab.probed.facts import Facts
from lab.purity.urls import application as purity_application
from lab.pve.daemon import keepalive
from lab.pve.urls import application as proxmox_application
from lab.scenery import Scenery, furnish, surround
from lab.serving.certificates import Kind, fingerprint
from lab.serving.credentials import Credentials, host_of, port_of, prepare
from lab.serving.delivered import Identity
from lab.serving.listener import Listener
from lab.world import World

CONTROL_PORT = 8901
# The bridge that the card of the lab's source guest is on; plain bridges belong to the zone `localnetwork`.
SOURCE_BRIDGE = "/sdn/zones/localnetwork/vmbr0"


def control_url(inventory: Inventory) -> str:
    """Where the control plane of that inventory's twin answers."""
    return f"http://{inventory.outside}:{CONTROL_PORT}"


class Twin:
    """Two arrays, the nodes and a witness on loopback, with a control plane beside them."""

    def __init__(
        self,
        inventory: Inventory,
        base: Path,
        *,
        speed: float = 1.0,
        seed: int | None = None,
        scenery: Scenery | None = None,
        password: str | None = None,
        facts: Facts | None = None,
    ) -> None:
        """With `facts` the world is as a probe has found it.

        `password` is that of root@pam and of the engine's user; without one it is random.
        """
        self.inventory = inventory
        self._scenery, self._facts = scenery or Scenery(), facts
        # what is chance in the world is drawn from it, the phases of HA's daemons among the rest
        self.seed = random.randrange(1_000_000) if seed is None else seed
        self.world = World(inventory, clock=Clock(speed), seed=self.seed)
        self._base, self._password = base, password
        self._credentials: Credentials | None = None
        self._contexts: dict[tuple[Kind, str], ssl.SSLContext] = {}
        self._runners: list[web.AppRunner] = []
        self._listeners: list[Listener] = []
        self._doors: list[asyncio.DatagramTransport] = []

    async def start(self, *, built: bool = False) -> None:
        """Write the credentials, start all servers, arm the cluster's own loops; `built` as after the deployment."""
        credentials = self._credentials = prepare(
            self.inventory, self._base, password=self._password, style=self._scenery.certificates
        )
        self._grant()
        self._surround()
        await self.world.cluster.start()
        for array in self.inventory.arrays:
            served = purity_application(self.world, self.world.arrays[array.name])
            await self._serve_place("array", array.name, served, array.address, port_of(array.address))
        for node in self.inventory.nodes:
            api = proxmox_application(self.world, node.name)
            await self._serve_place("node", node.name, api, node.address, self.inventory.api.port)
            if (bmc := node.bmc) and bmc.protocol == "ipmi":
                await self._open_door(node.name, bmc, credentials.bmc_passwords[bmc.password])
            elif bmc:
                controller = bmc_application(self.world, node.name, bmc.user, credentials.bmc_passwords[bmc.password])
                await self._serve_place("controller", node.name, controller, bmc.address, port_of(bmc.address))
        for host in (*self.world.nodes.values(), *((self.world.witness,) if self.inventory.witness else ())):
            self._listeners.append(
                serve(
                    self.world,
                    host.name,
                    address=host.address,
                    port=self.inventory.ssh.port,
                    host_key=credentials.host_keys[host.name],
                    authorized_keys=[credentials.client_key],
                )
            )
        await self._serve(control(self), self.inventory.outside, CONTROL_PORT)
        await self._build(built=built)

    async def reset(self, *, built: bool = False) -> None:
        """Back to bare arrays and a bare cluster, or a built one; addresses and credentials stay."""
        await self.world.cluster.stop()
        self.world.reset()
        self._grant()
        self._surround()
        await self.world.cluster.start()
        await self._build(built=built)

    def _surround(self) -> None:
        surround(self.world, self._scenery)
        if self._facts is not None:
            probed.surround(self.world, self._facts)

    async def _build(self, *, built: bool) -> None:
        """As a probe has found it, or as after the deployment."""
        if self._facts is not None:
            await probed.furnish(self.world, self._facts)
        elif built:
            await build(self.world)
            await furnish(self.world, self._scenery)

    async def show(self, kind: Kind, name: str, identity: Identity) -> None:
        """From now on that server shows another certificate, as after a renewal; connections that stand go on."""
        with tempfile.NamedTemporaryFile() as file:  # the context reads from files alone
            file.write(identity.server)
            file.flush()
            self._contexts[kind, name].load_cert_chain(file.name)
        if kind == "node":
            self.world.fingerprints[name] = fingerprint(identity.certificate)

    async def stop(self) -> None:
        """Stop all servers and loops."""
        await self.world.cluster.stop()
        for listener in self._listeners:
            listener.close()
        for door in self._doors:
            door.close()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        await self.world.end()

    def _grant(self) -> None:
        """Give the engine its tokens: on the cluster with the rights of docs/prepare.md, to the letter.

        That page also asks for the bridge of a source that has a network card, as the twin's has one.
        """
        if self._credentials is None:
            raise RuntimeError("the twin has no credentials before it was started")
        for name, token in self._credentials.array_tokens.items():
            self.world.arrays[name].tokens[token] = "array_admin"
        rights = {SOURCE_BRIDGE: ("SDN.Use",), **granted(self.inventory)}
        privileges = {path: dict.fromkeys(names, True) for path, names in rights.items()}
        self.world.cluster.add_token(self.inventory.api.token_id, self._credentials.api_secret, privileges)
        for user in ("root@pam", self.inventory.api.token_id.partition("!")[0]):
            self.world.cluster.access.users[user].password = self._credentials.password
        bundle = self._credentials.certificates.bundle.decode()
        self.world.cluster.notifications.authorities.append(bundle)  # as if it were in the nodes' trust store

    async def _serve_place(self, kind: Kind, name: str, application: web.Application, address: str, port: int) -> None:
        """Serve as a place of the world, which can be out of reach."""
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        if self._credentials is None:
            raise RuntimeError("the twin has no credentials before it was started")
        host = host_of(address)
        context, shown = self._credentials.certificates.context(kind, name, host)
        self._contexts[kind, name] = context
        if kind == "node":
            self.world.fingerprints[name] = shown

        async def meet(connection: socket.socket) -> None:
            if runner.server is not None:
                await keepalive.meet(connection, runner.server, context)

        place = f"bmc:{name}" if kind == "controller" else name
        self._listeners.append(Listener(self.world, place, host, port, meet))
        self._runners.append(runner)

    async def _open_door(self, node: str, bmc: Bmc, password: str) -> None:
        """Serve a controller that speaks IPMI."""
        service, account = Service(self.world, node, bmc.user, password), Account(bmc.user.encode(), password.encode())
        at = (host_of(bmc.address), port_of(bmc.address, IPMI_PORT))
        door, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Door(service, account), at)
        self._doors.append(door)

    async def _serve(self, application: web.Application, address: str, port: int) -> None:
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, host_of(address), port).start()
        self._runners.append(runner)
