"""All clients of one cluster for those who work while something is dark: they give up early, and wait for nobody."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from activities.tracing import in_thread
from cluster.inventory import Bmc

if TYPE_CHECKING:
    from activities.clients.proxmox import PveApi
    from activities.clients.purity import Arrays
    from activities.clients.ssh import Hosts as SshHosts

T = TypeVar("T")

# Longer than a healthy answer ever takes, shorter than anybody's patience with a decision (a dead address in the
# own network is told by ARP after 3 s).
LIMIT = 3.0


@dataclass(frozen=True)
class Clients:
    """How the vantage points are reached. `power` asks one management controller."""

    ssh: "SshHosts"
    api: "PveApi"
    arrays: "Arrays"
    power: Callable[[Bmc], bool]
    threads: Executor

    async def threaded(self, work: Callable[[], T]) -> T:
        """A blocking call, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, in_thread(work))

    async def get(self, path: str, node: str | None = None) -> Any:
        """What the cluster's API says, through that node or any other."""
        return await self.threaded(lambda: self.api.get(path, node=node))
