"""What a measurement stands on: a twin, a Temporal server and a worker, each a process of its own."""

import asyncio
import json
import random
import socket
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from bench.figures import SMALL, SPEED
from cluster.inventory import Inventory
from cluster.plan import Mode
from lab.twin import CONTROL_PORT, control_url
from runbooks.deploy import DeployReport, DeployStretchedCluster
from workers.children import TWIN_READY, WORKER_READY, Child
from workers.cli import follow
from workers.examples import example_file
from workers.inventory_file import load
from workers.temporal.embedded import TemporalServer, free_port
from workflows.catalogue import RunbookReport, RunbookRequest


@dataclass(frozen=True)
class Stage:
    """A client of the server, the worker, and the example's inventory as the twin serves it.

    `environment` is what another worker of this stage needs to be told.
    """

    client: Client
    worker: Child
    path: Path
    inventory: Inventory
    environment: Mapping[str, str]

    def control(self, what: str, method: str = "GET") -> dict[str, Any]:
        """One call of the twin's control plane."""
        order = urllib.request.Request(f"{control_url(self.inventory)}/{what}", method=method)  # noqa: S310  # loopback
        with urllib.request.urlopen(order, timeout=60) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found


async def deployed(stage: Stage, queue: str = "runbooks") -> tuple[WorkflowHandle[Any, Any], RunbookReport]:
    """Deploy once on bare arrays, by a worker on that queue."""
    await asyncio.to_thread(stage.control, "reset", "POST")
    request = RunbookRequest(mode=Mode.APPLY)
    handle = await follow.start_run(stage.client, DeployStretchedCluster, request, stage.inventory.name, queue)
    return handle, await follow.result(handle, DeployReport)


def example(folder: Path) -> Path:
    """The shipped example in `folder`, on loopback addresses where no other twin answers, its secrets beside it."""
    path = folder / "inventory.yaml"
    text = example_file().read_text().replace("127.21.", f"127.{_free_net()}.").replace("../var/lab/", "secrets/")
    if SMALL:  # so fast, seven clocks cannot be read at one moment
        text = text.replace("clock_offset: 1s", "clock_offset: 60s")
    path.write_text(text)
    return path


def _free_net() -> int:
    for net in random.sample(range(30, 250), 50):
        with socket.socket() as probe:
            try:
                probe.bind((f"127.{net}.103.117", CONTROL_PORT))
            except OSError:
                continue
            return net
    raise SystemExit("fifty twins answer on this machine: end some of them")


@asynccontextmanager
async def staged(*, built: bool = True, environment: Mapping[str, str] | None = None) -> AsyncIterator[Stage]:
    """All of it, as after the deployment or with bare arrays; it ends with the measurement.

    `environment` is told the worker besides.
    """
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        path = example(state)
        up = ["lab", "up", *(["--built"] if built else []), "-i", str(path), "--speed", f"{SPEED:g}"]
        twin = Child("the twin", up, log=state / "twin.log")
        server = TemporalServer(database=state / "t.db", port=free_port(), ui_port=None, log=state / "log")
        client = await server.start(print)
        worker = None
        try:
            await twin.says(TWIN_READY, 120)
            told = {"TEMPORAL_ADDRESS": server.address, "QUORATE_SPEED": f"{SPEED:g}", "QUORATE_STATE": folder}
            told |= environment or {}
            worker = Child("the worker", ["worker", "-i", str(path)], log=state / "worker.log", environment=told)
            await worker.says(WORKER_READY)
            yield Stage(client, worker, path, load(path), told)
        finally:
            if worker is not None:
                worker.stop()
            twin.stop()
            await server.stop()
