"""What it costs to tell: `python -m bench.telling`. The same runs on several workers at once, one of which is silent.

Runs alternate between them, so that other work on the machine meets all. First steps that do nothing, where every
microsecond of ours shows: silent, with spans that are encoded and thrown away, and with all that a worker tells (its
store of traces, the metrics, the audit record). Then whole deployments on the twin in real time, by a silent worker and
by one that tells all: what a step of theirs takes. Figures go to var/bench-telling.json as well.
"""

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from temporalio.client import Client

from bench.engine import begin, stepped, work
from bench.figures import SMALL, cpu_seconds, resident, told
from bench.stage import Stage, deployed, staged
from workers.audit.process import keeping
from workers.inventory_file import load
from workers.settings import Settings
from workers.telemetry.exporting import processors
from workers.telemetry.metrics import metered
from workers.telemetry.survey import surveyed
from workers.telemetry.tracing import tracing
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer, free_port
from workers.worker.run import worker as silent_worker

# What a worker tells, by the name of its switch; the first one is silent.
SILENT, SPANS, ALL = SWITCHES = ("silent", "spans", "all")
ROUNDS, STEPS, OPEN, DEPLOYMENTS = (2, 10, 5, 1) if SMALL else (12, 60, 100, 3)
AT_ONCE = 10
STEP_GOAL, MEMORY_GOAL = 1.05, 1.15


class Nowhere(SpanExporter):
    """Encodes and forgets."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As the exporters of OTLP do."""
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


async def idle_worker(switch: str) -> None:
    """The process of a worker whose steps do nothing, on a queue of that name."""
    if switch == ALL:
        settings = Settings(task_queue=switch)
        tracing(settings, processors(settings))
        metered(settings, cluster="bench", program="worker")
        client = await connect()
        async with surveyed(client, "bench"), keeping(client, "bench", settings.state, settings):
            await work(switch)
    if switch == SPANS:
        tracing(Settings(), [BatchSpanProcessor(Nowhere())])
    await work(switch)


async def deploying_worker(inventory: Path) -> None:
    """The process of a worker that deploys and tells nothing of it, on the queue of the silent."""
    settings = Settings(task_queue=SILENT)
    async with silent_worker(await connect(), load(inventory), inventory.parent, settings):
        await asyncio.Event().wait()


async def child(environment: Mapping[str, str], *words: str) -> asyncio.subprocess.Process:
    """One of these two processes."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.telling", *words, env={**os.environ, **environment}
    )


async def steps(client: Client, switch: str, number: int) -> list[float]:
    """Milliseconds from the begin of a step to the begin of the next, of one run."""
    handle = await begin(client, f"{switch}-{number}", switch, steps=STEPS)
    began = [step.at.total_seconds() * 1000 for step in (await handle.result()).steps]
    return [after - before for before, after in itertools.pairwise(began)]


async def opened(client: Client, switch: str) -> None:
    """So many runs that have done their steps and stay open."""
    for first in range(0, OPEN, AT_ONCE):
        names = [f"{switch}-open-{number}" for number in range(first, min(first + AT_ONCE, OPEN))]
        handles = await asyncio.gather(*(begin(client, name, switch, wait=True) for name in names))
        await asyncio.gather(*map(stepped, handles))


async def idle_steps() -> dict[str, Any]:
    """Start a server and a worker for each switch, measure them by turns, stop all."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        server = TemporalServer(database=state / "t.db", port=free_port(), ui_port=None, log=state / "log")
        client = await server.start(print)
        environment = {
            "TEMPORAL_ADDRESS": server.address,
            "QUORATE_STATE": folder,
            "QUORATE_METRICS": f"127.0.0.1:{free_port()}",
        }
        children = {one: await child(environment, "--idle", one) for one in SWITCHES}
        try:
            for one in SWITCHES:  # warm
                await steps(client, one, 0)
            gaps: dict[str, list[float]] = {one: [] for one in SWITCHES}
            before = {one: cpu_seconds(process.pid) for one, process in children.items()}
            for number in range(1, ROUNDS + 1):
                for one in SWITCHES:
                    gaps[one] += await steps(client, one, number)
            done = ROUNDS * STEPS
            cpu = {one: (cpu_seconds(process.pid) - before[one]) / done for one, process in children.items()}
            for one in SWITCHES:
                await opened(client, one)
            memory = {one: resident(process.pid) for one, process in children.items()}
        finally:
            for process in children.values():
                process.kill()
                await process.wait()
            await server.stop()
    medians = {one: statistics.median(found) for one, found in gaps.items()}
    return {"steps_each": done, "open_runs_each": OPEN, **compared(medians, cpu, memory)}


async def deployments() -> dict[str, Any]:
    """The same deployment by turns: by a worker that tells all, as `quorate worker` does, and by a silent one."""
    metrics = {"QUORATE_METRICS": f"127.0.0.1:{free_port()}"}
    async with staged(built=False, environment=metrics) as stage:
        silent = await child(stage.environment, "--deploying", str(stage.path))
        try:
            return await by_turns(stage, {SILENT: silent.pid, ALL: stage.worker.pid})
        finally:
            silent.kill()
            await silent.wait()


async def by_turns(stage: Stage, pids: dict[str, int]) -> dict[str, Any]:
    """Each deploys once to be warm, and so many times to be measured."""
    queues = {SILENT: SILENT, ALL: Settings().task_queue}
    for one in pids:
        await deployed(stage, queues[one])
    taken: dict[str, list[float]] = {one: [] for one in pids}
    before = {one: cpu_seconds(pid) for one, pid in pids.items()}
    for _ in range(DEPLOYMENTS):
        for one in pids:
            _, report = await deployed(stage, queues[one])
            taken[one].append(report.seconds * 1000 / len(report.steps))
    cpu = {one: (cpu_seconds(pid) - before[one]) / (DEPLOYMENTS * len(report.steps)) for one, pid in pids.items()}
    memory = {one: resident(pid, "VmHWM") for one, pid in pids.items()}
    medians = {one: statistics.median(found) for one, found in taken.items()}
    return {"deployments_each": DEPLOYMENTS, "steps_each": len(report.steps), **compared(medians, cpu, memory)}


def compared(median: dict[str, float], cpu: dict[str, float], memory: dict[str, int]) -> dict[str, Any]:
    """Each switch, and what a step and a worker take in proportion to the silent one's."""
    return {
        one: {
            "step_ms": round(median[one], 2),
            "cpu_ms_per_step": round(cpu[one] * 1000, 2),
            "worker_bytes": memory[one],
            "step_ratio": round(median[one] / median[SILENT], 3),
            "cpu_ratio": round(cpu[one] / cpu[SILENT], 3),
            "memory_ratio": round(memory[one] / memory[SILENT], 3),
        }
        for one in median
    }


async def measure() -> dict[str, Any]:
    """Steps that do nothing, then those of deployments."""
    return {
        "step_goal": STEP_GOAL,
        "memory_goal": MEMORY_GOAL,
        "steps_that_do_nothing": await idle_steps(),
        "steps_of_deployments": await deployments(),
    }


if __name__ == "__main__":
    if "--idle" in sys.argv:
        asyncio.run(idle_worker(sys.argv[-1]))
    if "--deploying" in sys.argv:
        asyncio.run(deploying_worker(Path(sys.argv[-1])))
    told(asyncio.run(measure()), "bench-telling")
