"""A Temporal Schedule looks every night whether the cluster is still as wished: it starts runbooks as anybody may."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest_asyncio
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
)

from runbooks.deploy import DeployReport, DeployStretchedCluster
from tests.conftest import Deployment, Start
from tests.patience import Deadline
from tests.runs import aborted, parked, said
from tests.twin import TwinThread
from tests.workflows.test_operator import FULL, plant

Nightly = Callable[[str], Awaitable[ScheduleHandle]]


@pytest_asyncio.fixture
async def nightly(client: Client) -> AsyncIterator[Nightly]:
    """A schedule for a queue: the runbook's name, an id, and no input. It has no times: only triggers start it."""
    made: list[ScheduleHandle] = []

    async def create(queue: str) -> ScheduleHandle:
        action = ScheduleActionStartWorkflow("DeployStretchedCluster", id="nightly-plan", task_queue=queue)
        schedule = Schedule(
            action=action,
            spec=ScheduleSpec(),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
            state=ScheduleState(note="does it still match the inventory?"),
        )
        made.append(await client.create_schedule(f"nightly-{queue}", schedule, trigger_immediately=True))
        return made[-1]

    yield create
    for handle in made:
        await handle.delete()


async def started_by(client: Client, schedule: ScheduleHandle) -> Deployment:
    """The first run that the schedule has started."""
    deadline = Deadline(30)
    while not (actions := (await schedule.describe()).info.recent_actions):
        assert not deadline.over, "waited for the schedule's first run"
        await deadline.a_while()
    action = actions[0].action
    assert isinstance(action, ScheduleActionExecutionStartWorkflow)
    return client.get_workflow_handle_for(
        DeployStretchedCluster.run, action.workflow_id, run_id=action.first_execution_run_id
    )


async def queue_of(run: Deployment) -> str:
    return (await run.describe()).task_queue


async def test_a_schedule_without_input_plans(twin: TwinThread, start: Start, client: Client, nightly: Nightly):
    """Nothing at all means plan: the run completes, its report lists what differs, and nothing was changed."""
    first = await start(None, empty=True)
    await first.result()
    run = await started_by(client, await nightly(await queue_of(first)))
    report = DeployReport.model_validate(await run.result())

    assert run.id.startswith("nightly-plan-")
    assert (report.mode, report.changed) == ("plan", 0)
    assert report.planned
    assert twin.change_lines() == []


async def test_while_a_run_goes_on_a_scheduled_one_fails_at_once(
    twin: TwinThread, start: Start, client: Client, nightly: Nightly
):
    """It says which run it met and where; the one that was there first does not notice."""
    plant(twin, FULL)
    first = await start()
    await parked(first)
    run = await started_by(client, await nightly(await queue_of(first)))
    refusal = await asyncio.wait_for(aborted(run), timedelta(seconds=30).total_seconds())

    assert refusal == (
        "deploy/pxmx-cluster is running already, one at a time: see /namespaces/default/workflows/deploy%2Fpxmx-cluster"
    )
    assert (await parked(first)).state == "parked"
    await said(first, "abort")
