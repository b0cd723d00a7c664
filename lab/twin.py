"""The whole twin: every server of it, started and stopped together."""

import asyncio
from pathlib import Path
from typing import Any

import asyncssh
from aiohttp import web

from cluster.inventory import Inventory
from lab.clock import Clock
from lab.control import control
from lab.credentials import Credentials, host_of, prepare
from lab.hosts import serve
from lab.proxmox.models import ENGINE_PRIVILEGES
from lab.proxmox.urls import application as proxmox_application
from lab.purity.urls import application as purity_application
from lab.world import World

CONTROL_PORT = 8901


def control_url(inventory: Inventory) -> str:
    """Where the control plane of that inventory's twin answers."""
    return f"http://{inventory.witness.address}:{CONTROL_PORT}"


class Twin:
    """Two arrays, the nodes and a witness on loopback, with a control plane beside them."""

    def __init__(self, inventory: Inventory, base: Path, *, speed: float = 1.0, seed: int = 1) -> None:
        self.inventory = inventory
        self.world = World(inventory, clock=Clock(speed), seed=seed)
        self._base = base
        self._credentials: Credentials | None = None
        self._runners: list[web.AppRunner] = []
        self._acceptors: list[asyncssh.SSHAcceptor] = []

    async def start(self) -> None:
        """Write the credentials, start all servers, arm the cluster's own loops."""
        credentials = self._credentials = prepare(self.inventory, self._base)
        self._grant()
        await self.world.cluster.start()
        for array in self.inventory.arrays:
            port = int(array.address.rsplit(":", 1)[1]) if ":" in array.address else 443
            await self._serve(purity_application(self.world, self.world.arrays[array.name]), array.address, port)
        for node in self.inventory.nodes:
            await self._serve(proxmox_application(self.world, node.name), node.address, self.inventory.api.port)
        for host in (*self.world.nodes.values(), self.world.witness):
            self._acceptors.append(
                await serve(
                    self.world,
                    host,
                    address=host.address,
                    port=self.inventory.ssh.port,
                    host_key=credentials.host_keys[host.name],
                    authorized_keys=[credentials.client_key],
                )
            )
        await self._serve(control(self), self.inventory.witness.address, CONTROL_PORT, tls=False)

    async def reset(self) -> None:
        """Back to bare arrays and a bare cluster; addresses and credentials stay."""
        await self.world.cluster.stop()
        self.world.reset()
        self._grant()
        await self.world.cluster.start()

    async def stop(self) -> None:
        """Stop all servers and loops."""
        await self.world.cluster.stop()
        for acceptor in self._acceptors:
            acceptor.close()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))

    def _grant(self) -> None:
        """Give the engine its tokens, with the rights the references suggest."""
        if self._credentials is None:
            raise RuntimeError("the twin has no credentials before it was started")
        for name, token in self._credentials.array_tokens.items():
            self.world.arrays[name].tokens[token] = "array_admin"
        self.world.cluster.add_token(self.inventory.api.token_id, self._credentials.api_secret, ENGINE_PRIVILEGES)

    async def _serve(self, application: web.Application, address: str, port: int, *, tls: bool = True) -> None:
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        host = host_of(address)
        arguments: dict[str, Any] = {}
        if tls and self._credentials is not None:
            arguments["ssl_context"] = self._credentials.tls(host)
        await web.TCPSite(runner, host, port, **arguments).start()
        self._runners.append(runner)
