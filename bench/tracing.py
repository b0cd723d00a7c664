"""What it costs to tell: `python -m bench.tracing`. The same runs on two workers at once, one of which is silent.

Runs alternate between the two, so that other work on the machine meets both. Spans are encoded as for a receiver and
thrown away; what a store or a network takes is theirs. Figures go to var/bench-tracing.json as well.
"""

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from temporalio.client import Client

from bench.engine import begin, stepped, work
from bench.figures import SMALL, cpu_seconds, resident, told
from workers.settings import Settings
from workers.telemetry.tracing import tracing
from workers.temporal.embedded import TemporalServer, free_port

# What a worker tells, by the name of its switch; the first one is the silent one.
SWITCHES = ("off", "tracing")
ROUNDS, STEPS, OPEN = (2, 10, 5) if SMALL else (12, 60, 100)
AT_ONCE = 10
STEP_GOAL, MEMORY_GOAL = 1.05, 1.15


class Nowhere(SpanExporter):
    """Encodes and forgets."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As the exporters of OTLP do."""
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


async def worker(switch: str) -> None:
    """The worker's process, on a queue of that name."""
    if switch != SWITCHES[0]:
        tracing(Settings(), [BatchSpanProcessor(Nowhere())])
    await work(switch)


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


async def measure() -> dict[str, Any]:
    """Start a server and a worker for each switch, measure them by turns, stop all."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        server = TemporalServer(database=state / "t.db", port=free_port(), ui_port=None, log=state / "log")
        client = await server.start(print)
        environment = {**os.environ, "TEMPORAL_ADDRESS": server.address}
        children = {
            one: await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.tracing", "--worker", one, env=environment
            )
            for one in SWITCHES
        }
        try:
            for one in SWITCHES:  # warm
                await steps(client, one, 0)
            gaps: dict[str, list[float]] = {one: [] for one in SWITCHES}
            before = {one: cpu_seconds(child.pid) for one, child in children.items()}
            for number in range(1, ROUNDS + 1):
                for one in SWITCHES:
                    gaps[one] += await steps(client, one, number)
            done = ROUNDS * STEPS
            cpu = {one: (cpu_seconds(child.pid) - before[one]) / done for one, child in children.items()}
            for one in SWITCHES:
                await opened(client, one)
            memory = {one: resident(child.pid) for one, child in children.items()}
        finally:
            for child in children.values():
                child.kill()
                await child.wait()
            await server.stop()
    return figures({one: statistics.median(found) for one, found in gaps.items()}, cpu, memory)


def figures(median: dict[str, float], cpu: dict[str, float], memory: dict[str, int]) -> dict[str, Any]:
    """Each switch, and what it takes in proportion to the silent worker."""
    silent = SWITCHES[0]
    return {
        "steps_each": ROUNDS * STEPS,
        "open_runs_each": OPEN,
        "step_goal": STEP_GOAL,
        "memory_goal": MEMORY_GOAL,
        **{
            one: {
                "median_ms": round(median[one], 2),
                "cpu_ms_per_step": round(cpu[one] * 1000, 2),
                "worker_bytes": memory[one],
                "step_ratio": round(median[one] / median[silent], 3),
                "cpu_ratio": round(cpu[one] / cpu[silent], 3),
                "memory_ratio": round(memory[one] / memory[silent], 3),
            }
            for one in SWITCHES
        },
    }


if __name__ == "__main__":
    if "--worker" in sys.argv:
        asyncio.run(worker(sys.argv[sys.argv.index("--worker") + 1]))
    told(asyncio.run(measure()), "bench-tracing")
