"""A deployment is paused and aborted at two hundred random instants: no change begins afterwards, every abort lands."""

import asyncio
import random
import time

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from tests.conftest import Start
from tests.runs import aborted, said
from tests.twin import TwinThread

pytestmark = pytest.mark.slow

INSTANTS = 100
# An undisturbed deployment takes about four seconds at this speed of the world.
LONGEST = 4.5
# How long the world is watched after an acknowledged pause or abort: six lab seconds.
WATCHED = 0.3


@pytest.fixture
def chance() -> random.Random:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    return random.Random(seed)


def too_late(error: RPCError | WorkflowUpdateFailedError) -> bool:
    """The run has ended, or is about to and says so."""
    return "already completed" in str(error) or "the run has ended" in str(error.__cause__)


async def test_no_change_begins_after_an_acknowledged_pause(twin: TwinThread, start: Start, chance: random.Random):
    """A hundred pauses in as many runs as they need; each run ends well, and did everything once."""
    pauses, runs, slowest = 0, 0, 0.0
    while pauses < INSTANTS:
        twin.reset()
        run = await start()
        runs += 1
        while pauses < INSTANTS:
            await asyncio.sleep(chance.uniform(0, LONGEST / 6))
            began = time.monotonic()
            try:
                answer = await said(run, "pause", {"by": "chance"})
            except (RPCError, WorkflowUpdateFailedError) as error:
                if not too_late(error):
                    raise
                break
            slowest = max(slowest, time.monotonic() - began)
            before = engine_changes(twin)
            await asyncio.sleep(WATCHED)
            assert answer == "paused: nothing is changed until resumed"
            assert engine_changes(twin) == before, "a change began after the pause was acknowledged"
            await said(run, "resume")
            pauses += 1
        report = await run.result()
        assert report.proof is not None
        changes = twin.change_lines()
        assert len(changes) == len(set(changes)), "something was done twice"
    print(f"{pauses} pauses in {runs} runs, none broken; the slowest was acknowledged after {slowest:.1f} s")


async def test_every_abort_lands(twin: TwinThread, start: Start, chance: random.Random):
    """A hundred runs, each aborted somewhere; every tenth world is then built to its end by another run."""
    landed, late = 0, 0
    for number in range(INSTANTS):
        twin.reset()
        run = await start()
        await asyncio.sleep(chance.uniform(0, LONGEST))
        try:
            left = await said(run, "abort", {"by": "chance"})
        except (RPCError, WorkflowUpdateFailedError) as error:
            if not too_late(error):
                raise
            late += 1
            continue
        before = engine_changes(twin)
        await asyncio.sleep(WATCHED)
        assert engine_changes(twin) == before, "a change began after the abort was acknowledged"
        if left == "The run had ended.":
            late += 1
        else:
            assert await aborted(run) == f"aborted by chance. {left}"
            landed += 1
        if number % 10 == 0:
            report = await (await start()).result()
            assert report.proof is not None
            changes = twin.change_lines()
            assert len(changes) == len(set(changes)), "something was done twice"
    print(f"{landed} aborts landed, {late} came after the end; in {INSTANTS} runs")
    assert landed > INSTANTS / 2


def engine_changes(twin: TwinThread) -> list[str]:
    """What was done to the world; not what it does by itself: HA's managers choose their master when they like."""
    return [line for line in twin.change_lines() if " ha.master " not in line]
