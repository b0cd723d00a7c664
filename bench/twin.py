"""What the twin costs: its start, its idle share of a core at speed 1, its memory; for six nodes and for thirty-two.

The goals: a start under 2 s, idle under 3 % of a core, under 250 MB.
"""

import asyncio
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from bench.figures import SMALL, cpu_seconds, resident, told
from bench.sizes import grown
from bench.stage import example
from lab.twin import control_url
from workers.children import TWIN_READY, Child
from workers.examples import example_file
from workers.inventory_file import load

# HA takes its guests over in the first of these; seconds.
SETTLES_IN, IDLE_FOR = (1.0, 1.0) if SMALL else (30.0, 30.0)
GOALS = {"start_seconds": 2.0, "idle_cpu_percent": 3.0, "memory_bytes": 250_000_000}


async def one(inventory: Path, log: Path) -> dict[str, Any]:
    """Start a built twin in a process of its own, leave it alone, and see what it takes."""
    known = load(inventory)
    began = time.monotonic()
    twin = Child("the twin", ["lab", "up", "--inventory", str(inventory)], log=log)
    try:
        await twin.says(TWIN_READY)
        started = time.monotonic() - began
        order = urllib.request.Request(f"{control_url(known)}/reset", b'{"built": true}', method="POST")  # noqa: S310
        await asyncio.to_thread(lambda: urllib.request.urlopen(order, timeout=60).read())  # noqa: S310
        await asyncio.sleep(SETTLES_IN)
        before, since = cpu_seconds(twin.pid), time.monotonic()
        await asyncio.sleep(IDLE_FOR)
        share = (cpu_seconds(twin.pid) - before) / (time.monotonic() - since)
        memory = resident(twin.pid)
    finally:
        await asyncio.to_thread(twin.stop)
    return {
        "nodes": len(known.nodes),
        "guests": len(known.guests),
        "start_seconds": round(started, 2),
        "idle_cpu_percent": round(share * 100, 2),
        "memory_bytes": memory,
    }


async def measure() -> dict[str, Any]:
    """The example, and a big one."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        found = {"goals": GOALS, "small": await one(example(base), base / "small.log")}
        data = grown(yaml.safe_load(example_file().read_text().replace("../var/lab/", "")), nodes=32, guests=200)
        big = base / "big.yaml"
        big.write_text(yaml.safe_dump(data))
        return found | {"big": await one(big, base / "big.log")}


if __name__ == "__main__":
    told(asyncio.run(measure()), "bench-twin")
