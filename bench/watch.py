"""What watching a healthy cluster costs: `python -m bench.watch`. CPU of the worker, while nothing happens.

Twin, server and worker are processes of their own; only the worker's time counts. Figures go to var/bench-watch.json
as well.
"""

import asyncio
from typing import Any

from bench.figures import SMALL, cpu_seconds, told
from bench.stage import staged
from cluster.watching import watch_id
from workers.cli.watch import ensure_watch
from workflows.watch import ClusterWatch

IDLE, WARM, MEASURED = (1.0, 2.0, 2.0) if SMALL else (20.0, 30.0, 90.0)
GOAL = 200


async def measure() -> dict[str, Any]:
    """One healthy cluster, six nodes: CPU a second, and history that grows or does not."""
    async with staged() as stage:
        client, worker, inventory = stage.client, stage.worker, stage.inventory
        idle = cpu_seconds(worker.pid)
        await asyncio.sleep(IDLE)
        idle = (cpu_seconds(worker.pid) - idle) / IDLE
        await ensure_watch(client, inventory, "runbooks")
        watch = client.get_workflow_handle(watch_id(inventory.name))
        await asyncio.sleep(WARM)
        events = (await watch.describe()).history_length
        before = cpu_seconds(worker.pid)
        await asyncio.sleep(MEASURED)
        busy = (cpu_seconds(worker.pid) - before) / MEASURED
        state = await watch.query(ClusterWatch.state)
        verdict = state.verdict.kind if state.verdict else "?"
        grown = (await watch.describe()).history_length - events
    return {
        "verdict": verdict,
        "worker_without_a_watch_ms_per_second": round(idle * 1000, 2),
        "worker_with_a_watch_ms_per_second": round(busy * 1000, 2),
        "watched_clusters_per_core": round(1 / max(busy - idle, 0.0001)),
        "goal_clusters_per_core": GOAL,
        "history_events_grown_in_90_s": grown,
    }


if __name__ == "__main__":
    told(asyncio.run(measure()), "bench-watch")
