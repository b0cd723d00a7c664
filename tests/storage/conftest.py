"""The engine's own activities on nodes and arrays of a built twin, without a run around them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.clients.purity import Arrays
from activities.clients.secrets import Secrets
from activities.clients.ssh import Hosts as SshHosts
from activities.hosts.lvm import Lvm
from activities.hosts.nodes import Hosts
from activities.hosts.paths import Paths
from activities.purity.access import Access
from activities.purity.pods import Purity
from cluster.contracts.hosts import PathsFinding
from cluster.contracts.purity import ArrayFinding
from cluster.inventory import Inventory
from cluster.plan import Finding, Mode
from cluster.wishes import Wishes
from lab.physics.power import switch_off, switch_on
from lab.physics.world import Host
from tests.incidents.conftest import Site
from tests.twin import inventory_file

NODE, A, B = "pxmx01-01", "X90R3-SiteA", "X90R3-SiteB"


@dataclass
class Stand:
    """What is asked of one node, and what it answers."""

    site: Site
    ssh: SshHosts
    inventory: Inventory

    @property
    def host(self) -> Host:
        """The node in the world."""
        return self.site.world.nodes[NODE]

    @property
    def wwid(self) -> str:
        """Of the pod's volume."""
        return self.site.world.called(next(iter(self.site.world.disks.values())))

    @property
    def portals(self) -> tuple[str, ...]:
        """Of array A."""
        return self.site.world.arrays[A].portals

    def with_policy(self, **changes: Any) -> None:
        """The inventory says something else about paths."""
        policy = self.inventory.paths.model_copy(update=changes)
        self.inventory = self.inventory.model_copy(update={"paths": policy})

    def with_portals(self, *wanted: str) -> None:
        """The inventory chooses portals of array A."""
        arrays = tuple(
            one.model_copy(update={"portals": wanted}) if one.name == A else one for one in self.inventory.arrays
        )
        self.inventory = self.inventory.model_copy(update={"arrays": arrays})

    def prefers(self, array: str) -> None:
        """The inventory says which array goes on alone."""
        pod = self.inventory.pod.model_copy(update={"failover_preference": array})
        self.inventory = self.inventory.model_copy(update={"pod": pod})

    @property
    def arrays(self) -> Arrays:
        """Their clients."""
        return Arrays(self.inventory.arrays, Secrets(self.site.path.parent))

    async def found(self) -> dict[str, ArrayFinding]:
        """Both arrays as the preflight finds them."""
        wishes, purity = Wishes(self.inventory, Mode.PLAN), Purity(self.arrays)
        return {name: self.run(purity.preflight, wishes.array_pair(name)) for name in (A, B)}

    async def ensure(self, mode: Mode = Mode.APPLY) -> PathsFinding:
        """The node's paths, made as the deployment makes them."""
        wish = Wishes(self.inventory, mode).paths(NODE, await self.found(), self.wwid)
        return await self.run(Paths(self.ssh).ensure_paths, wish)

    async def plan(self) -> list[str]:
        """What that would change."""
        return [str(intent) for intent in (await self.ensure(Mode.PLAN)).changes]

    async def proof(self) -> str:
        """What the deployment's proof says of the node's paths."""
        wish = Wishes(self.inventory, Mode.PLAN).paths(NODE, await self.found(), self.wwid, lasting=True)
        return (await self.run(Paths(self.ssh).paths, wish)).finding

    async def preflight(self) -> str:
        """What the deployment's preflight says of the node."""
        check = Wishes(self.inventory, Mode.PLAN).node(NODE, await self.found())
        return (await self.run(Hosts(self.ssh).preflight, check)).finding

    async def group(self) -> Finding:
        """What the deployment finds of the volume group."""
        return await self.run(
            Lvm(self.ssh).ensure_volume_group, Wishes(self.inventory, Mode.APPLY).volume_group(self.wwid)
        )

    async def says(self, line: str) -> str:
        """What a command on the node prints."""
        return (await self.ssh.run(NODE, *line.split())).stdout

    @property
    def changes(self) -> list[str]:
        """What anybody has changed on the node's way to the arrays, from the world's log."""
        kinds = ("iscsi.", "fc.", "nvme.", "multipath", "unit.", "file.", "lvm.")
        return [line for line in self.site.change_lines() if line.split()[1].startswith(kinds)]

    async def offered(self) -> list[str]:
        """The same as something that is awaited."""
        return self.access()

    def access(self, mode: Mode = Mode.APPLY) -> list[str]:
        """What is changed on both arrays for the nodes' access."""
        access, wishes = Access(self.arrays), Wishes(self.inventory, mode)
        return [str(one) for name in (A, B) for one in self.run(access.ensure_access, wishes.access(name)).changes]

    def pod(self, mode: Mode = Mode.APPLY) -> list[str]:
        """What is changed of the pod."""
        found = self.run(Purity(self.arrays).ensure_pod, Wishes(self.inventory, mode).pod())
        return [str(intent) for intent in found.changes]

    def run(self, activity: Any, wish: Any) -> Any:
        """The activity as a worker runs it."""
        return ActivityEnvironment().run(activity, wish)

    def reboot(self) -> None:
        """The node loses its power and boots."""

        async def again() -> None:
            switch_off(self.site.world, [NODE])
            await switch_on(self.site.world, [NODE])

        self.site.call(again())


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    one = Site(inventory_file(tmp_path_factory.mktemp("storage"), "storage"), 50.0)
    yield one
    one.stop()


@pytest_asyncio.fixture
async def stand(running: Site) -> AsyncIterator[Stand]:
    """A built cluster of prepared nodes."""
    running.rebuild()
    ssh = SshHosts(running.inventory, Secrets(Path(running.path.parent)))
    yield Stand(running, ssh, running.inventory)
    await ssh.close()
