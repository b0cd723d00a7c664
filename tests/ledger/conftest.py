"""A built twin whose switches are on, a worker that may be stopped, and runs that hold switches."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.clients.proxmox import PveApi
from activities.clients.secrets import Secrets
from activities.ha.switches import Freeze
from activities.people.approvals import Approvals
from cluster.inventory import Inventory
from cluster.ledger import INCIDENTS, Book, ledger_id
from cluster.privileges import granted
from lab.pve.etc.acl import Entry
from tests.incidents.conftest import Site
from tests.ledger.holding import Holding, HoldingRequest
from tests.ledgers import book, erase
from tests.patience import Deadline
from tests.runs import until
from tests.twin import inventory_file
from workers.inventory_file import load
from workers.temporal.bootstrap import bootstrap
from workers.worker.pulse import Pulse
from workers.worker.run import FAILURES, SANDBOX
from workers.worker.wiring import activities
from workflows.claim import Claim
from workflows.ledger import ClusterLedger

JOB = "backup-nightly"
SWITCHES = ("vm:300 failback 1", "vm:301 failback 1", "crs ha-auto-rebalance 1", f"{JOB} enabled 1")


class Switched(Site):
    """A twin on which everything is on that moves guests by itself."""

    async def taken_up(self) -> None:
        """Until HA's master has its guests in its list: when its first round comes is chance."""
        ha = self.world.cluster.ha
        for _ in range(60):
            if ha.manager is not None and ha.manager.services.keys() >= ha.resources.keys():
                return
            await self.world.clock.sleep(1)
        raise AssertionError("HA has not taken up its guests within a lab minute")

    def switch_on(self) -> None:
        for sid in ("vm:300", "vm:301"):
            self.world.cluster.ha.resources[sid]["failback"] = 1
        self.world.cluster.options["crs"] = "ha=static,ha-auto-rebalance=1"
        self.world.cluster.jobs[JOB] = {"enabled": 1, "schedule": "21:00", "storage": "local", "all": 1}

    def lacks(self, *privileges: str) -> None:
        """The token may do what docs/prepare.md grants, but for these."""
        token = self.inventory.api.token_id
        rights = {path: dict.fromkeys(given, True) for path, given in granted(self.inventory).items()}
        self.world.cluster.access.acl.grant("token", token, rights)
        for privilege in privileges:
            self.world.cluster.drop_privilege(token, privilege)

    def entry(self, path: str, privileges: dict[str, bool]) -> None:
        """One entry of the access list is another one, for the token and its user."""
        token = self.inventory.api.token_id
        rights = {where: dict.fromkeys(given, True) for where, given in granted(self.inventory).items()}
        for kind, who in (("user", token.partition("!")[0]), ("token", token)):
            self.world.cluster.access.acl.grant(kind, who, rights | {path: privileges})

    def closed(self, path: str, kind: str) -> None:
        """NoAccess on that path, for the user or for its token; else they have what docs/prepare.md grants."""
        self.lacks()
        token = self.inventory.api.token_id
        who = {"user": token.partition("!")[0], "token": token}[kind]
        self.world.cluster.access.acl.entries[Entry(path, kind, who, "NoAccess")] = True

    def failback(self, sid: str) -> int:
        return int(self.world.cluster.ha.resources[sid]["failback"])

    @property
    def crs(self) -> str:
        return str(self.world.cluster.options["crs"])

    @property
    def off(self) -> set[str]:
        """What is off now."""
        off = {sid for sid in ("vm:300", "vm:301") if not self.failback(sid)}
        off |= {"crs"} if "ha-auto-rebalance=0" in self.crs else set()
        return off | {name for name, job in self.world.cluster.jobs.items() if not int(job.get("enabled", 1))}


class Office:
    """Runs on one cluster, the worker that does them, and the cluster's ledger.

    `speed` is how much faster than the wall the cluster's time runs for the worker.
    """

    def __init__(self, client: Client, inventory: Inventory, folder: Path, speed: float) -> None:
        self.client, self.inventory, self._folder, self.speed = client, inventory, folder, speed
        self.queue = f"test-{uuid.uuid4()}"
        self._worker: Worker | None = None
        self._runs: list[WorkflowHandle[Any, Any]] = []

    async def open(self) -> None:
        """A worker begins."""
        self._worker = Worker(
            self.client,
            task_queue=self.queue,
            workflows=[Holding, Claim, ClusterLedger],
            activities=self._activities(),
            activity_executor=ThreadPoolExecutor(8),
            workflow_runner=SANDBOX,
            workflow_failure_exception_types=FAILURES,
            interceptors=[Pulse()],
            graceful_shutdown_timeout=timedelta(seconds=1),
        )
        self._working = asyncio.create_task(self._worker.run())

    def _activities(self) -> list[Callable[..., Any]]:
        """All of a worker's; the run that holds switches here needs no licence, as an incident."""
        secrets = Secrets(self._folder)
        freeze = Freeze(
            PveApi(self.inventory, secrets),
            Approvals(self.inventory.approvals, secrets),
            unlicensed=(*INCIDENTS, "Holding"),
        )
        own = [one for one in activities(self.inventory, self._folder, speed=self.speed) if one.__name__ != "freeze"]
        return [*own, freeze.freeze]

    async def shut(self) -> None:
        """No worker is left."""
        if self._worker is not None:
            await self._worker.shutdown()
            await self._working
        self._worker = None

    async def holds(self, **request: Any) -> WorkflowHandle[Any, Any]:
        """A run that has turned everything off, and holds it."""
        run = await self.begun(**request)
        await until(run, lambda found: any(step.title == "Holds" for step in found), "the run to hold")
        return run

    async def begun(self, kind: str = "Holding", **request: Any) -> WorkflowHandle[Any, Any]:
        wish = HoldingRequest(cluster=self.inventory.name, **({"mode": "apply"} | request))
        name = f"holding/{uuid.uuid4().hex[:8]}"
        self._runs.append(await self.client.start_workflow(kind, wish, id=name, task_queue=self.queue))
        return self._runs[-1]

    async def lets_go(self, run: WorkflowHandle[Any, Any]) -> dict[str, Any]:
        await run.signal("let_go")
        result: dict[str, Any] = await run.result()
        return result

    async def book(self) -> Book:
        return await book(self.client, self.inventory.name)

    async def says(self, true: Callable[[Book], bool], what: str, within: float = 30) -> Book:
        deadline = Deadline(within)
        while not true(found := await self.book()):
            assert not deadline.over, f"waited for {what}: {found}"
            await deadline.a_while()
        return found

    async def compares(self) -> Book:
        """The ledger compares itself with the cluster now."""
        await self.client.get_workflow_handle(ledger_id(self.inventory.name)).execute_update("compare")
        return await self.book()

    async def close(self) -> None:
        for run in self._runs:
            with contextlib.suppress(RPCError):
                await run.terminate("the test is over")
            with contextlib.suppress(RPCError):
                await self.client.get_workflow_handle(f"holding/{run.id}").terminate("the test is over")
        await erase(self.client, self.inventory.name)
        await self.shut()


@pytest.fixture(scope="session")
def running_switched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switched]:
    twin = Switched(inventory_file(tmp_path_factory.mktemp("ledger"), "ledger"), 20.0)
    yield twin
    twin.stop()


@pytest.fixture
def site(running_switched: Switched) -> Switched:
    """A healthy, built cluster with every switch on, and a token that may turn them off."""
    running_switched.rebuild()
    running_switched.switch_on()
    running_switched.call(running_switched.taken_up())
    return running_switched


@pytest_asyncio.fixture
async def office(client: Client, site: Switched) -> AsyncIterator[Office]:
    """A worker, and a ledger that knows nothing yet."""
    await bootstrap(client)
    inventory = load(site.path)
    await erase(client, inventory.name)
    one = Office(client, inventory, site.path.parent, site.speed)
    await one.open()
    yield one
    await one.close()
