"""A deployment is paused for a month of Temporal's time, and its trace is that of one which was not."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import ReadableSpan
from temporalio.client import Client

from cluster.traces import trace_of
from runbooks.deploy import DeployStretchedCluster
from tests.conftest import APPLY
from tests.runs import said, until
from tests.telemetry import Collected
from tests.telemetry.deployed import BESIDE, tree
from tests.telemetry.skipping import leap, skipping
from tests.telemetry.tree import lines, misfits, of_run
from tests.twin import TwinThread
from workers.settings import Settings
from workers.worker.run import worker
from workflows.page import StepRecord

pytestmark = pytest.mark.foreign

MONTH, QUEUE = timedelta(days=30), "month"


@pytest_asyncio.fixture
async def leaping(telling: bool, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a Temporal whose time can be skipped."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        pytest.skip("Temporal's test server needs Java, and comes by Maven: there is no `java` or no `mvn` on PATH")
    async with skipping(tmp_path) as client:
        yield client


async def deployed(client: Client, pause: timedelta) -> str:
    """A deployment from nothing that is paused for so long; the id of its run."""
    run = await client.start_workflow(DeployStretchedCluster.run, APPLY, id=f"deploy/{pause}", task_queue=QUEUE)
    await said(run, "pause", {"by": "ana", "why": "holidays"})
    await until(run, at_rest, "the pause", 60)
    await leap(client, pause)
    await said(run, "resume", {"by": "ben"})
    assert (await run.result()).proof is not None
    return run.first_execution_run_id or ""


def at_rest(steps: list[StepRecord]) -> bool:
    """The next steps wait, and nothing else is under way."""
    return bool(steps) and steps[-1].state == "waiting" and all(one.state != "running" for one in steps)


async def test_after_a_month_of_pause_a_run_has_the_trace_of_one_that_went_on(
    leaping: Client, twin: TwinThread, collected: Collected
):
    """The same tree, each span ended once, with one root; longer by a month are the pause and what it lies in."""
    settings = Settings(task_queue=QUEUE, grace=timedelta(seconds=1))
    async with worker(leaping, twin.inventory, twin.path.parent, settings):
        short = await deployed(leaping, timedelta(seconds=1))
        twin.reset()
        long = await deployed(leaping, MONTH)
    went_on, month = (of_run(collected.spans(), run) for run in (short, long))

    assert lines(month, beside=(*BESIDE, "Paused")) == tree(" (paused ana, resumed ben)")
    assert lines(went_on, beside=(*BESIDE, "Paused")) == lines(month, beside=(*BESIDE, "Paused"))
    assert misfits(month, trace_of(long)) == []
    assert lasted(month) == {"DeployStretchedCluster": 30, "Claim": 30, "Paused": 30} | dict.fromkeys(held(month), 30)


def held(spans: list[ReadableSpan]) -> set[str]:
    """The steps that the pause lies in."""
    above = {one.parent.span_id for one in spans if one.name == "Paused" and one.parent}
    return {one.name for one in spans if one.context and one.context.span_id in above}


def lasted(spans: list[ReadableSpan]) -> dict[str, int]:
    """How many days those took that took one."""
    long = {
        one.name: timedelta(microseconds=((one.end_time or 0) - (one.start_time or 0)) / 1000).days for one in spans
    }
    return {name: days for name, days in long.items() if days}
