"""`make bench`: one deployment on a fresh twin in real time, and what it cost.

*Device time* is the wall time in which at least one emulated device worked for the run: an API call or a host command
under way, a task running, a pod copying, the votes settling, HA bringing a resource up. The rest is ours: the engine,
Temporal, the SDKs, and every moment in which a device was ready and nobody had noticed.
"""

import asyncio
import json
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench.figures import resident, told
from cluster.plan import Mode
from lab.twin import control_url
from runbooks.deploy import DeployReport, DeployStretchedCluster
from workers import follow
from workers.children import TWIN_READY, WORKER_READY, Child
from workers.embedded import TemporalServer, free_port
from workers.inventory_file import load
from workers.options import EXAMPLE
from workflows.catalogue import RunbookRequest

GOAL = 1.5


def control(url: str, method: str = "GET") -> dict[str, Any]:
    """One call of the twin's control plane."""
    request = urllib.request.Request(url, method=method)  # noqa: S310  # our own loopback address
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


async def one_deployment(client: Client, base: str, worker: Child, cluster: str) -> dict[str, Any]:
    """Deploy once on bare arrays; what was measured."""
    control(f"{base}/reset", "POST")
    request = RunbookRequest(mode=Mode.APPLY)
    handle = await follow.start_run(client, DeployStretchedCluster, request, cluster, "runbooks")
    report = await follow.result(handle, DeployReport)
    described = await handle.describe()
    busy = control(f"{base}/status")["busy_seconds"]
    return {
        "changes": report.changed,
        "steps": len(report.steps),
        "wall_seconds": round(report.seconds, 2),
        "device_seconds": round(busy, 2),
        "ratio": round(report.seconds / busy, 3),
        "ratio_goal": GOAL,
        "history_events": described.history_length,
        "history_bytes": described.raw_description.workflow_execution_info.history_size_bytes,
        "worker_peak_bytes": resident(worker.pid, "VmHWM"),
    }


async def measure() -> dict[str, Any]:
    """Start everything, deploy twice (the first one warms the worker up), stop everything."""
    inventory = load(EXAMPLE)
    base = control_url(inventory)
    children: list[Child] = []
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        server = TemporalServer(database=state / "t.db", port=free_port(), ui_port=None, log=state / "temporal.log")
        try:
            children.append(Child("the twin", ["lab", "up", "--inventory", str(EXAMPLE)], log=state / "twin.log"))
            client = await server.start(print)
            environment = {"TEMPORAL_ADDRESS": server.address}
            worker = Child("worker", ["worker", "-i", str(EXAMPLE)], log=state / "worker.log", environment=environment)
            children.append(worker)
            await children[0].says(TWIN_READY)
            await worker.says(WORKER_READY)
            cold = await one_deployment(client, base, worker, inventory.name)
            warm = await one_deployment(client, base, worker, inventory.name)
        finally:
            for child in reversed(children):
                await asyncio.to_thread(child.stop)
            await server.stop()
    return {"cold": cold, "warm": warm, "cores": os.cpu_count(), "twin_speed": 1.0}


if __name__ == "__main__":
    told(asyncio.run(measure()), "bench")
