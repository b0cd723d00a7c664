"""Workers are killed before and after every change that a deployment makes, and the Temporal server again and again."""

import asyncio
import os
import signal
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from cluster.plan import Mode
from runbooks.deploy import DeployReport, DeployStretchedCluster
from tests.conftest import Deployment, working
from tests.endurance.deaths import dying
from tests.twin import TwinThread
from workers.temporal.embedded import TemporalServer, free_port
from workflows.catalogue import RunbookRequest

pytestmark = pytest.mark.slow

LIMIT = 20 * 60.0
# Slower than elsewhere: a server needs a second to come back, and the world shall not be done by then.
SLOWER = 3.0

APPLY = RunbookRequest(mode=Mode.APPLY)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_deployment_survives_a_worker_killed_at_every_change(
    twin: TwinThread, temporal: TemporalServer, client: Client, tmp_path: Path, when: str
):
    """The points are the engine's own: it asks before each change whether it still may. One death at each of them."""
    queue = f"kill-{uuid.uuid4()}"
    run = await client.start_workflow(
        DeployStretchedCluster.run, APPLY, id=f"deploy/{twin.inventory.name}", task_queue=queue,
        execution_timeout=timedelta(seconds=LIMIT),
    )  # fmt: skip
    with dying(twin.path, temporal, queue, when, tmp_path) as deaths:
        report = await asyncio.wait_for(run.result(), LIMIT)

    died = deaths()
    changes = twin.change_lines()
    print(f"killed {when} a change: {len(report.planned)} points, {len(died)} deaths survived, {report.seconds:.0f} s")
    assert sorted(map(place, died)) == sorted(map(place, map(str, report.planned)))
    assert report.proof is not None
    assert report.proof.ha.started == ("vm:300", "vm:301")
    assert len(changes) == len(set(changes)), "something was done twice"


async def test_a_deployment_is_replayed_at_every_task(twin: TwinThread, client: Client):
    """A worker that keeps no run in its cache plays each from its start at every task: plan, apply, and once more."""
    async with working(client, twin.inventory, twin.path.parent, cached=0) as start:
        plan = await (await start(RunbookRequest(mode=Mode.PLAN))).result()
        run = await start()
        first, page = await run.result(), await run.query("page")
        changes = twin.change_lines()
        second = await (await start()).result()

    assert first.digest == plan.digest
    assert first.changed == len(plan.planned)
    assert first.proof is not None
    assert f"{first.changed} changes made. No action needed.**" in page
    assert len(changes) == len(set(changes)) > 100
    assert (second.changed, second.planned, second.proof) == (0, (), first.proof)
    assert twin.change_lines() == changes


async def test_a_deployment_survives_a_server_that_is_killed_again_and_again(twin: TwinThread, tmp_path: Path):
    """The server's file keeps the run; worker and run go on when it is back."""
    server = TemporalServer(database=tmp_path / "t.db", port=free_port(), ui_port=None, log=tmp_path / "log")
    client = await server.start()
    kills = 0
    twin.world.clock.speed = SLOWER
    try:
        async with working(client, twin.inventory, twin.path.parent) as start:
            run = await start(limit=LIMIT)
            result = asyncio.create_task(_result(run))
            while not result.done():
                await _grown(twin, len(twin.world.changes) + 1, result)
                if not result.done():
                    assert server.pid is not None
                    os.kill(server.pid, signal.SIGKILL)
                    await server.stop()
                    await server.start()
                    kills += 1
            report = await result
    finally:
        await server.stop()

    changes = twin.change_lines()
    print(f"server killed {kills} times in {len(changes)} changes of the world, all survived, {report.seconds:.0f} s")
    assert kills > 10
    assert report.proof is not None
    assert len(changes) == len(set(changes)), "something was done twice"


def place(change: str) -> str:
    """Where and what; the id of a new device is not known yet in the plan."""
    return " ".join(change.split(" ")[:3])


async def _result(run: Deployment) -> DeployReport:
    """The result, asked for again whenever the server was away."""
    while True:
        try:
            return await run.result()
        except RPCError:
            await asyncio.sleep(0.2)


async def _grown(twin: TwinThread, changes: int, result: "asyncio.Task[DeployReport]") -> None:
    """Wait until the world's log has that many changes, or the run has ended."""
    deadline = time.monotonic() + 120
    while len(twin.world.changes) < changes and not result.done():
        assert time.monotonic() < deadline, f"the world stays at {len(twin.world.changes)} of {changes} changes"
        await asyncio.sleep(0.01)
