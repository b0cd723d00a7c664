"""What people say to a run stands in its trace: who, what, and whether it counted."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from cluster.traces import trace_of
from tests.failback.desk import Desk, opened
from tests.failback.people import Person, refused
from tests.runs import aborted
from tests.telemetry import Collected
from tests.telemetry.tree import lines, misfits, of_trace


@pytest_asyncio.fixture
async def desk(traced: Client, tmp_path: Path, collected: Collected) -> AsyncIterator[Desk]:
    """A worker for the runbook that only asks."""
    async with opened(traced, tmp_path) as one:
        yield one


# What is asked of others meanwhile, and who is told, may come in any order.
BESIDE = ("records.together", "people.tell")


async def test_a_gate_says_who_answered_and_whether_it_counted(desk: Desk, collected: Collected):
    """Its span is the wait; a vote that is refused is an event of it too, and what checked it stands under the vote."""
    run = await desk.run()
    view = await run.query("gate")
    await refused(run, "approve", Person("eve").ballot(view))
    await desk.people["ben"].says(run)
    await desk.people["cleo"].says(run)
    await run.result()

    trace = trace_of(str(run.first_execution_run_id))
    spans = of_trace(collected.spans(), trace)
    assert misfits(spans, trace) == []
    assert sorted(lines(spans, beside=BESIDE)) == sorted(
        [
            "Asking",
            "  Inventory is read",
            "    records.inventory",
            "  signal go_on",
            "  Claim",
            "  people.verify",
            "  Bring guests home (approve eve Unknown, approve ben, approve cleo)",
            "  update approve ✗ Unknown",
            "    people.verify",
            "  update approve",
            "    people.verify",
            "  update approve",
            "    people.verify",
            "    people.verify",
        ]
    )


async def test_the_wait_for_people_is_a_wait_for_people(desk: Desk, collected: Collected):
    """What is waited for, for what plan, and how it ended."""
    run = await desk.run()
    await desk.people["ben"].says(run, "reject")
    await aborted(run)

    spans = of_trace(collected.spans(), trace_of(str(run.first_execution_run_id)))
    (gate,) = [one for one in spans if one.name == "Bring guests home"]
    about = gate.attributes or {}
    assert (about["quorate.waits_for"], about["quorate.outcome"], gate.status.description) == (
        "people",
        "rejected",
        "Stopped",
    )
