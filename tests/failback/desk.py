"""A desk at which people are asked: runs of a runbook that only asks, keys, and the list of those who may agree."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.clients.secrets import Secrets
from activities.people.approvals import Approvals
from cluster.approval import Audit, Said, statement
from cluster.contracts.people import VerifyFinding, VerifyWish
from cluster.inventory import Inventory
from tests.audit.explaining import agrees
from tests.failback.asking import Asking
from tests.failback.people import Person, Run, list_of
from tests.patience import Deadline
from tests.twin import inventory_file, with_policy
from workers.inventory_file import load
from workers.temporal.bootstrap import bootstrap
from workers.worker.run import FAILURES, SANDBOX
from workers.worker.wiring import activities
from workflows.ballot import GateView
from workflows.claim import Claim

POLICY = "  needed: 2\n  within: 1h\n  revoked_keys: revoked\n"


class Checks:
    """The activity that checks votes, and what happens right after it the next time."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals
        self.then: Callable[[], object] | None = None

    @activity.defn(name="people.verify")
    async def verify(self, wish: VerifyWish) -> VerifyFinding:
        found = await self._approvals.verify(wish)
        then, self.then = self.then, None
        _ = then and then()
        return found


class Desk:
    """Runs of the asking runbook, and the people around them."""

    def __init__(self, client: Client, inventory: Inventory, folder: Path, queue: str, checks: Checks) -> None:
        self.checks = checks
        self._client, self.inventory, self.folder, self._queue = client, inventory, folder, queue
        self.people = {name: Person(name) for name in ("ana", "ben", "cleo", "dora")}
        self.listed = [self.people[name] for name in ("ana", "ben", "cleo")]
        self.write_list()
        self._runs: list[Run] = []

    async def judged_right(self) -> None:
        """Every vote on every run was judged right, as far as the records tell."""
        for run in self._runs:
            await agrees(run)

    async def close(self) -> None:
        """Nothing is left running: neither the runs nor the claims that they have held."""
        for run in self._runs:
            for name in (run.id, f"asking/{run.id}"):
                with contextlib.suppress(RPCError):
                    await self._client.get_workflow_handle(name).terminate("the test is over")

    def write_list(self, *extra: str) -> None:
        """Write the list of approvers, with more lines at its end."""
        path = self.folder / "allowed_signers"
        list_of(path, *self.listed)
        path.write_text(path.read_text() + "".join(f"{line}\n" for line in extra))

    async def run(self, *, opened: bool = True, **request: Any) -> Run:
        """A run that asks; ana has asked for it."""
        run = await self._client.start_workflow(
            "Asking", {"mode": "apply", "by": "ana", **request}, id=f"asking-{uuid.uuid4()}", task_queue=self._queue
        )
        self._runs.append(run)
        if opened:
            await run.signal("go_on")
            await self.view(run)
        return run

    async def view(self, run: Run) -> GateView:
        """The open gate."""
        deadline = Deadline(10)
        while (found := await run.query("gate")) is None:
            assert not deadline.over, "waited for the gate"
            await deadline.a_while()
        return GateView.model_validate(found)

    async def said(self, run: Run, by: str, **changed: Any) -> Said:
        """What that person would say, changed a little."""
        waives = tuple(veto.name for veto in (await self.view(run)).terms.vetoes if not veto.safety)
        return statement((await self.view(run)).terms, by, waives).model_copy(update=changed)

    async def audit(self, run: Run) -> list[Audit]:
        """The lines so far."""
        return [Audit.model_validate(line) for line in await run.query("approvals")]


@asynccontextmanager
async def opened(client: Client, folder: Path, policy: str = POLICY) -> AsyncIterator[Desk]:
    """A worker for the asking runbook; no twin is needed."""
    path = with_policy(inventory_file(folder), f"\napprovals:\n{policy}")
    (folder / "revoked").write_text("")
    await bootstrap(client)
    queue, inventory = f"test-{uuid.uuid4()}", load(path)
    checks = Checks(Approvals(inventory.approvals, Secrets(folder)))
    others = [one for one in activities(inventory, folder) if one.__name__ != "verify"]
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Asking, Claim],
        activities=[checks.verify, *others],
        activity_executor=ThreadPoolExecutor(4),
        workflow_runner=SANDBOX,
        workflow_failure_exception_types=FAILURES,
    ):
        desk = Desk(client, inventory, folder, queue, checks)
        yield desk
        await desk.judged_right()
        await desk.close()
