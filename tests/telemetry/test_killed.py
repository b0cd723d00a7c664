"""A deployment whose worker is killed three times: its trace is that of a run without, and the attempts that died."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from temporalio.client import Client

from cluster.traces import trace_of
from lab.physics.faults import Fault
from runbooks.deploy import DeployStretchedCluster
from tests.conftest import APPLY
from tests.patience import Deadline
from tests.telemetry.deployed import BESIDE, MADE, tree
from tests.telemetry.tree import lines, misfits
from tests.twin import TwinThread
from workers.telemetry.encoding import decoded
from workers.telemetry.store import Store
from workers.temporal.embedded import TemporalServer

pytestmark = pytest.mark.slow

ATTEMPT_OF = dict(MADE)
# Where a worker dies: the step, and the call that hangs until then.
DEATHS = {
    "Hosts see the volume on X90R3-SiteA": Fault("^X90R3-SiteA$", "^POST /connections", "hang"),
    "Paths of pxmx01-02": Fault("^ssh:pxmx01-02$", "iscsiadm.*--login", "hang"),
    "Storage pxmx-ac-shared is active on all nodes": Fault("^pve:", "^POST /storage", "hang"),
}
WITHIN = 240.0


@contextmanager
def worker(twin: TwinThread, temporal: TemporalServer, queue: str, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as people start it, with its traces in that folder; killed where it still lives."""
    given = {
        "TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": queue, "QUORATE_STATE": str(state),
        "QUORATE_SPEED": f"{twin.world.clock.speed:g}",
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", "workers.cli", "worker", "-i", str(twin.path)]
    with (state / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | given)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def hangs(store: Store, trace: str, step: str, fault: Fault) -> None:
    """Wait until an attempt of that step is all that goes on, and all before it is told."""
    deadline = Deadline(WITHIN)
    while not fault.met or under_way(kept(store, trace)) != [step]:
        assert not deadline.over, f"waited for {step}: {fault.met}, {under_way(kept(store, trace))}"
        await deadline.a_while()


def under_way(spans: list[ReadableSpan]) -> list[str]:
    """The steps with an attempt that has not ended."""
    names = {one.context.span_id: one.name for one in spans if one.context}
    return [names.get(one.parent.span_id, "?") for one in spans if is_attempt(one) and not one.end_time and one.parent]


def is_attempt(one: ReadableSpan) -> bool:
    return "quorate.attempt" in (one.attributes or {})


def kept(store: Store, trace: str) -> list[ReadableSpan]:
    return list(decoded(store.spans(trace))) if store.path.exists() else []


async def test_after_three_kills_a_run_has_the_trace_of_one_without(
    twin: TwinThread, temporal: TemporalServer, client: Client, tmp_path: Path
):
    """The attempts that died are there too, each ended; no span is there twice, and one is the root."""
    queue, store = f"killed-{uuid.uuid4()}", Store(tmp_path, read_only=True)
    run = await client.start_workflow(DeployStretchedCluster.run, APPLY, id="deploy/killed", task_queue=queue)
    trace = trace_of(run.first_execution_run_id or "")
    for step, fault in DEATHS.items():
        twin.world.faults.plant(fault)
        with worker(twin, temporal, queue, tmp_path) as process:
            await hangs(store, trace, step, fault)
            process.send_signal(signal.SIGKILL)
    with worker(twin, temporal, queue, tmp_path) as process:
        report = await asyncio.wait_for(run.result(), WITHIN)
        process.terminate()
        await asyncio.to_thread(process.wait)
    spans = kept(store, trace)

    assert report.proof is not None
    assert misfits(spans, trace) == []
    assert lines(spans, beside=BESIDE) == tree(more={step: [f"{ATTEMPT_OF[step]} ✗ Lost"] for step in DEATHS})
    assert attempts(spans) == {step: [1, 2] for step in DEATHS}


def attempts(spans: list[ReadableSpan]) -> dict[str, list[int]]:
    """The attempts of steps that had several, by their numbers, in the order of time."""
    steps = {one.context.span_id: one.name for one in spans if one.context}
    found: dict[int, list[int]] = {}
    for one in sorted(spans, key=lambda one: one.start_time or 0):
        if one.name in ATTEMPT_OF.values() and one.parent:
            found.setdefault(one.parent.span_id, []).append(int(str((one.attributes or {})["quorate.attempt"])))
    return {steps[step]: numbers for step, numbers in found.items() if len(numbers) > 1}
