"""What a storm of events costs: `python -m bench.gateway`, and with `--minute` also ten thousand paced over a minute.

The gateway as a process of its own before the embedded server on a file; a workflow in the place of the watch counts
what reaches it. An event that was acknowledged and is not there makes the bench fail. Figures go to
var/bench-gateway.json as well.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.figures import SMALL, resident, told
from cluster.events import EventBatch
from workers.examples import example_file
from workers.inventory_file import load
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer, free_port

QUEUE = "bench"
EVENTS, AT_ONCE = (200, 8) if SMALL else (10_000, 64)
MINUTE = 60.0
SECRET = "of-the-bench"  # noqa: S105  # for a gateway on loopback that lives as long as the bench
GATEWAY = "import typer; from workers.cli.gateway import gateway; typer.run(gateway)"


@workflow.defn(name="ClusterWatch")
class Counter:
    """Counts what it is sent, by the storm that it belongs to."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._batches = 0

    @workflow.run
    async def run(self, _: dict[str, str]) -> None:
        """Stay."""
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def events(self, batch: EventBatch) -> None:
        """Keep the ids."""
        self._batches += 1
        self._ids += [event.id for event in batch.events]

    @workflow.query
    def seen(self) -> tuple[int, list[str]]:
        """How many batches, and every id as often as it came."""
        return self._batches, self._ids


async def work() -> None:
    """The worker's process."""
    runner = UnsandboxedWorkflowRunner()
    async with Worker(await connect(), task_queue=QUEUE, workflows=[Counter], workflow_runner=runner):
        await asyncio.Event().wait()


@asynccontextmanager
async def child(environment: dict[str, str], *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of ours, for as long as it is needed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


def inventory_file(folder: Path, cluster: str) -> Path:
    """The example, under another name, with a sender."""
    document = yaml.safe_load(example_file().read_text())
    document |= {"name": cluster}
    document["events"] = [{"name": "storm", "kind": "cloudevents", "secret": "env:BENCH_SECRET"}]
    path = folder / f"{cluster}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    load(path)
    return path


async def send(url: str, over: float) -> tuple[list[float], int, float]:
    """All events, over so many seconds: how long each answer took, how often one was told to come again, the whole."""
    numbers, took, again = iter(range(EVENTS)), [], 0
    began = time.monotonic()

    async def sender(session: aiohttp.ClientSession) -> None:
        nonlocal again
        for number in numbers:
            if (early := began + over * number / EVENTS - time.monotonic()) > 0:
                await asyncio.sleep(early)
            event = {"specversion": "1.0", "id": f"{number}", "source": "/bench", "type": "bench.storm"}
            while True:
                asked = time.monotonic()
                async with session.post(url, json=event) as response:
                    await response.read()
                took.append(time.monotonic() - asked)
                if response.status == 202:
                    break
                again += 1
                await asyncio.sleep(float(response.headers["Retry-After"]))

    headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/cloudevents+json"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        await asyncio.gather(*(sender(session) for _ in range(AT_ONCE)))
    return took, again, time.monotonic() - began


async def storm(client: Client, environment: dict[str, str], path: Path, over: float) -> dict[str, Any]:
    """One storm through a gateway of its own, and what reached the watch."""
    cluster = load(path).name
    async with child(environment, "-c", GATEWAY, "-i", str(path), "--port", "0") as process:
        assert process.stdout  # noqa: S101  # it was asked for
        said = (await process.stdout.readline()).decode()
        url = next(word for word in said.split() if word.startswith("http")) + "storm"
        before = resident(process.pid)
        took, again, seconds = await send(url, over)
        batches, ids = await client.get_workflow_handle(f"watch/{cluster}").query(Counter.seen)
        missing = {f"/bench/{number}" for number in range(EVENTS)} - set(ids)
        figures = {
            "events": EVENTS,
            "seconds": round(seconds, 2),
            "events_per_second": round(EVENTS / seconds, 1),
            "median_ms": round(statistics.median(took) * 1000, 1),
            "p99_ms": round(statistics.quantiles(took, n=100)[98] * 1000, 1),
            "told_to_come_again": again,
            "batches": batches,
            "seen_by_the_watch": len(set(ids)),
            "seen_twice": len(ids) - len(set(ids)),
            "lost_after_acknowledgement": len(missing),
            "gateway_bytes_before": before,
            "gateway_bytes_after": resident(process.pid),
            "gateway_bytes_most": resident(process.pid, "VmHWM"),
        }
    if missing:
        raise SystemExit(json.dumps(figures, indent=2))
    return figures


async def measure(*, minute: bool) -> dict[str, Any]:
    """Start server and worker, let it storm, stop both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = TemporalServer(database=folder / "t.db", port=free_port(), ui_port=None, log=folder / "log")
        client = await server.start(print)
        known = {"TEMPORAL_ADDRESS": server.address, "QUORATE_TASK_QUEUE": QUEUE, "BENCH_SECRET": SECRET}
        unlimited = {"QUORATE_GATEWAY_RATE": "1e6", "QUORATE_GATEWAY_BURST": "1000000"}
        try:
            async with child(known, "-m", "bench.gateway", "--worker"):
                found = {
                    "as_fast_as_it_takes": await storm(client, known | unlimited, inventory_file(folder, "fast"), 0)
                }
                if minute:
                    found["over_a_minute"] = await storm(client, known, inventory_file(folder, "minute"), MINUTE)
                return found
        finally:
            await server.stop()


if __name__ == "__main__":
    if "--worker" in sys.argv:
        asyncio.run(work())
    told(asyncio.run(measure(minute="--minute" in sys.argv)), "bench-gateway")
