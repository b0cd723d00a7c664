"""`make bench`: one deployment on a fresh twin in real time, and what it cost.

*Device time* is the wall time in which at least one emulated device worked for the run: an API call or a host command
under way, a task running, a pod copying, the votes settling, HA bringing a resource up. The rest is ours: the engine,
Temporal, the SDKs, and every moment in which a device was ready and nobody had noticed.
"""

import asyncio
import os
from typing import Any

from bench.figures import SMALL, SPEED, resident, told
from bench.stage import Stage, deployed, staged

GOAL = 1.5


async def one_deployment(stage: Stage) -> dict[str, Any]:
    """What was measured of one."""
    handle, report = await deployed(stage)
    described = await handle.describe()
    busy = stage.control("status")["busy_seconds"]
    return {
        "changes": report.changed,
        "steps": len(report.steps),
        "wall_seconds": round(report.seconds, 2),
        "device_seconds": round(busy, 2),
        "ratio": round(report.seconds / busy, 3),
        "ratio_goal": GOAL,
        "history_events": described.history_length,
        "history_bytes": described.raw_description.workflow_execution_info.history_size_bytes,
        "worker_peak_bytes": resident(stage.worker.pid, "VmHWM"),
    }


async def measure() -> dict[str, Any]:
    """Deploy twice (the first one warms the worker up); small, once."""
    async with staged(built=False) as stage:
        figures = {"cold": await one_deployment(stage)}
        if not SMALL:
            figures["warm"] = await one_deployment(stage)
    return {**figures, "cores": os.cpu_count(), "twin_speed": SPEED}


if __name__ == "__main__":
    told(asyncio.run(measure()), "bench")
