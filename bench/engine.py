"""What the engine itself costs: `python -m bench.engine`. No device, no wait: a runbook whose steps do nothing.

The embedded server on a file, one worker in a process of its own. Figures go to var/bench-engine.json as well.
"""

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from bench.figures import SMALL, resident, told

with workflow.unsafe.imports_passed_through():
    from activities.attempt import OFTEN
    from activities.serving import serves
    from cluster.contracts.reference import Activity
    from cluster.plan import Finding, Mode
    from workers.settings import Settings
    from workers.temporal.connect import connect
    from workers.temporal.embedded import TemporalServer, free_port
    from workers.worker.pulse import Pulse
    from workers.worker.run import FAILURES, SANDBOX
    from workflows.catalogue import About, RunbookReport, RunbookRequest
    from workflows.claim import Claim
    from workflows.runbook import Runbook

QUEUE = "bench"
STEPS, SHORT, AT_ONCE, OPEN = (20, 10, 5, 5) if SMALL else (320, 10, 50, 500)
RUNS = 5 if SMALL else 200
GOAL_MS = 12.0


class IdleRequest(RunbookRequest):
    """So many steps; with `wait` the run stays open afterwards."""

    steps: int = SHORT
    wait: bool = False


NOTHING = Activity("bench.nothing", RunbookRequest, Finding)


class Nothing:
    """An activity that does nothing."""

    @serves(NOTHING)
    async def nothing(self, _: RunbookRequest) -> Finding:
        """Say so."""
        return Finding(finding="nothing was done")


@workflow.defn(name="Idle")
class Idle(Runbook):
    """Steps that do nothing, one after another."""

    about = About(name="idle", what="Nothing", when="never", asks="", landing="", example={}, request=IdleRequest)

    @workflow.run
    async def run(self, request: IdleRequest | None = None) -> RunbookReport:
        """The steps, and perhaps a wait."""
        request = request or IdleRequest()
        async with self.conclusion():
            await self.begin(f"{request.steps} steps", str(request.cluster))
            self.section("Steps")
            for number in range(request.steps):
                await self.step(f"Step {number} does nothing", NOTHING, RunbookRequest())
            if request.wait:
                await workflow.wait_condition(lambda: False)
        return self.report(RunbookReport, mode=Mode.PLAN, planned=())


@workflow.defn(name="Bare")
class Bare:
    """The same activity without the engine: what Temporal itself takes on this machine at this hour."""

    @workflow.run
    async def run(self, steps: int) -> list[float]:
        """Milliseconds of each."""
        began = []
        for _ in range(steps):
            began.append(workflow.time() * 1000)
            await workflow.execute_activity(
                NOTHING.name, args=[RunbookRequest()], start_to_close_timeout=timedelta(minutes=1)
            )
        return [after - before for before, after in itertools.pairwise(began)]


async def work(queue: str = QUEUE) -> None:
    """The worker's process."""
    settings = Settings()
    async with Worker(
        await connect(),
        task_queue=queue,
        workflows=[Idle, Bare, Claim],
        activities=[Nothing().nothing],
        activity_executor=ThreadPoolExecutor(settings.activities),
        max_cached_workflows=settings.cached_workflows,
        workflow_runner=SANDBOX,
        workflow_failure_exception_types=FAILURES,
        interceptors=[Pulse()],
        max_heartbeat_throttle_interval=OFTEN,
    ):
        await asyncio.Event().wait()


async def begin(client: Client, name: str, queue: str = QUEUE, **fields: Any) -> WorkflowHandle[Idle, RunbookReport]:
    """Start one run under its own fixed id."""
    request = IdleRequest(cluster=name, **fields)
    return await client.start_workflow(
        Idle.run, request, id=f"idle/{name}", task_queue=queue, execution_timeout=timedelta(minutes=5)
    )


async def one_after_another(client: Client) -> dict[str, Any]:
    """One run of many steps: how long from the begin of a step to the begin of the next."""
    await (await begin(client, "warm")).result()
    handle = await begin(client, "long", steps=STEPS)
    report = await handle.result()
    began = [step.at.total_seconds() * 1000 for step in report.steps]
    gaps = [after - before for before, after in itertools.pairwise(began)]
    bare = await client.execute_workflow(Bare.run, STEPS, id="bare", task_queue=QUEUE)
    described = await handle.describe()
    size = described.raw_description.workflow_execution_info.history_size_bytes
    return {
        "steps": STEPS,
        "median_ms": round(statistics.median(gaps), 2),
        "p99_ms": round(statistics.quantiles(gaps, n=100)[98], 2),
        "median_ms_of_the_last_20": round(statistics.median(gaps[-20:]), 2),
        "median_goal_ms": GOAL_MS,
        "median_ms_without_the_engine": round(statistics.median(bare), 2),
        "events_per_step": round(described.history_length / STEPS, 2),
        "bytes_per_step": round(size / STEPS),
    }


async def many_runs(client: Client) -> dict[str, Any]:
    """Short runs, fifty at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await (await begin(client, f"many-{number}")).result()

    started = time.monotonic()
    await asyncio.gather(*map(one, range(RUNS)))
    took = time.monotonic() - started
    return {"runs": RUNS, "steps_each": SHORT, "runs_per_second": round(RUNS / took, 2)}


async def open_runs(client: Client, pid: int) -> dict[str, Any]:
    """Memory of the worker before and while many runs are open."""
    before = resident(pid)
    handles = []
    for first in range(0, OPEN, AT_ONCE):
        names = [f"open-{number}" for number in range(first, first + AT_ONCE)]
        handles += await asyncio.gather(*(begin(client, name, wait=True) for name in names))
        await asyncio.gather(*(stepped(handle) for handle in handles[-AT_ONCE:]))
    after = resident(pid)
    await asyncio.gather(*(handle.terminate() for handle in handles))
    return {
        "open_runs": OPEN,
        "worker_bytes_before": before,
        "worker_bytes": after,
        "cached_runs": Settings().cached_workflows,
    }


async def stepped(handle: WorkflowHandle[Idle, RunbookReport]) -> None:
    """Wait until all its steps are done."""
    deadline = time.monotonic() + 60
    while "9 does nothing" not in str(await handle.query("page")) or "under way" in str(await handle.query("page")):
        if time.monotonic() > deadline:
            raise SystemExit(f"{handle.id} did not do its steps in 60 s")
        await asyncio.sleep(0.2)


async def measure() -> dict[str, Any]:
    """Start server and worker, measure, stop both."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        server = TemporalServer(database=state / "t.db", port=free_port(), ui_port=None, log=state / "log")
        client = await server.start(print)
        environment = {**os.environ, "TEMPORAL_ADDRESS": server.address}
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.engine", "--worker", env=environment)
        try:
            return {
                "one_after_another": await one_after_another(client),
                "many_runs": await many_runs(client),
                "memory": await open_runs(client, child.pid),
            }
        finally:
            child.kill()
            await child.wait()
            await server.stop()


if __name__ == "__main__":
    if "--worker" in sys.argv:
        asyncio.run(work())
    told(asyncio.run(measure()), "bench-engine")
