"""`make bench`: one deployment on a fresh twin in real time, and what it cost.

*Device time* is the wall time in which at least one emulated device worked for the run: an API call or a host command
under way, a task running, a pod copying, the votes settling, HA bringing a resource up. The rest is ours: the engine,
Temporal, the SDKs, and every moment in which a device was ready and nobody had noticed.
"""

import asyncio
import json
import os
import urllib.request
from typing import Any

from temporalio.client import Client

from bench.figures import SMALL, SPEED, resident, told
from bench.stage import staged
from cluster.plan import Mode
from lab.twin import control_url
from runbooks.deploy import DeployReport, DeployStretchedCluster
from workers.children import Child
from workers.cli import follow
from workflows.catalogue import RunbookRequest

GOAL = 1.5


def control(url: str, method: str = "GET") -> dict[str, Any]:
    """One call of the twin's control plane."""
    request = urllib.request.Request(url, method=method)  # noqa: S310  # our own loopback address
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


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
    """Deploy twice (the first one warms the worker up); small, once."""
    async with staged(built=False) as stage:
        base, cluster = control_url(stage.inventory), stage.inventory.name
        figures = {"cold": await one_deployment(stage.client, base, stage.worker, cluster)}
        if not SMALL:
            figures["warm"] = await one_deployment(stage.client, base, stage.worker, cluster)
    return {**figures, "cores": os.cpu_count(), "twin_speed": SPEED}


if __name__ == "__main__":
    told(asyncio.run(measure()), "bench")
