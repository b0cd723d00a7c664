"""What the engine adds to the migrations of a failback: `python -m bench.failback`, in real time (four minutes).

*Device time* is the wall time in which at least one emulated device worked: HA and its migrations, an API call, a host
command. The clock runs from the last yes to the end of the last move; quarantine and people take what they take.
Figures go to var/bench-failback.json as well.
"""

import asyncio
from typing import Any

from activities.clients import signatures
from bench.figures import told
from bench.stage import staged
from runbooks.failback import Failback
from runbooks.homecoming import FailbackReport, FailbackRequest
from workers.cli import follow
from workers.cli.approve import agree
from workers.cli.lab.client import Control

GOAL = 1.3


async def measure() -> dict[str, Any]:
    """Two guests from the first site to the second, each proven."""
    async with staged() as stage:
        client, inventory = stage.client, stage.inventory
        control, key = Control(stage.path), signatures.new_key()
        nodes = inventory.sites[1].nodes
        homes = {f"vm:{guest.vmid}": node.name for guest, node in zip(inventory.guests, nodes, strict=False)}
        signers = stage.path.parent / inventory.approvals.allowed_signers
        await asyncio.to_thread(signers.write_text, f"{signatures.line('bench', key)}\n")
        request = FailbackRequest(site=inventory.sites[1].name, by="demo", homes=homes, mode="apply")
        run = await follow.start_run(client, Failback, request, inventory.name, "runbooks")
        busy = 0.0
        async for look in follow.looks(run):
            if look.parked:
                raise SystemExit("a step has parked: see the run")
            if look.asked and not busy:
                busy = control.get("/status")["busy_seconds"]
                await agree(client, run.id, "bench", key)
        busy = control.get("/status")["busy_seconds"] - busy
        report = FailbackReport.model_validate((await follow.result(run, FailbackReport)).model_dump())
    gate = next(step for step in report.steps if step.title.startswith("Bring "))
    last = max(step.at + step.took for step in report.steps)
    wall = (last - gate.at - gate.took).total_seconds()
    return {
        "guests": len(report.moved),
        "wall_seconds": round(wall, 2),
        "device_seconds": round(busy, 2),
        "ratio": round(wall / busy, 3),
        "ratio_goal": GOAL,
        "moves_seconds": [round(one.seconds, 1) for one in report.moved],
        "downtime_seconds": [one.downtime for one in report.moved],
    }


if __name__ == "__main__":
    told(asyncio.run(measure()), "bench-failback")
