"""What a run asks around its gate: conditions that must not be old, and a look that ends with the gate."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio import workflow
from temporalio.exceptions import ActivityError, CancelledError, RetryState

from workflows.conditions import Agreement, Condition
from workflows.interlock import Interlock


def cancelled() -> ActivityError:
    """What a look comes to that its own run has called off."""
    return ActivityError(
        "cancelled", scheduled_event_id=1, started_event_id=1, identity="", activity_type="", activity_id="",
        retry_state=RetryState.IN_PROGRESS,
    )  # fmt: skip


class Lasting:
    """The part that does steps, with a look that lasts until it is called off."""

    async def learn(self, *_: Any, **__: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise cancelled() from CancelledError("Cancelled")


def looks() -> Interlock:
    """That of a run on the cluster metro."""
    state: Any = SimpleNamespace(cluster="metro")
    steps: Any = Lasting()
    return Interlock(state, steps)


@pytest.fixture(autouse=True)
def _outside_a_workflow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workflow, "patched", lambda _: True)


def looking() -> list[asyncio.Task[Any]]:
    """The looks that go on; connections of other tests may still have tasks in the same loop."""
    return [task for task in asyncio.all_tasks() if "_watched" in repr(task.get_coro())]


async def test_a_look_that_is_called_off_tells_nothing_and_ends():
    """The last word is that no incident and no other run is in the way any more."""
    told: list[str] = []
    async with looks().minding(told.append):
        await asyncio.sleep(0)
        assert len(looking()) == 1
    await asyncio.sleep(0.01)
    assert told == [""]
    assert not looking()


async def test_a_run_that_leaves_the_memory_tells_nobody():
    """Its coroutines are closed where no workflow is at work."""
    told: list[str] = []

    async def gate() -> None:
        async with looks().minding(told.append):
            await asyncio.Event().wait()

    others = asyncio.all_tasks()
    coroutine = gate()
    coroutine.send(None)
    coroutine.close()
    for task in asyncio.all_tasks() - others:
        task.cancel()
    assert told == []


@pytest.mark.parametrize(("waited", "asked"), [(timedelta(seconds=20), 1), (timedelta(hours=1), 2)])
async def test_conditions_are_asked_again_when_votes_could_not_be_checked_for_long(
    monkeypatch: pytest.MonkeyPatch, waited: timedelta, asked: int
):
    """The list of approvers cannot be read for an hour; what was seen before that is no fact any more."""
    now, waits, seen = [datetime(2026, 1, 1, tzinfo=UTC)], [waited, timedelta()], []
    monkeypatch.setattr(workflow, "now", lambda: now[0])

    async def check() -> str:
        seen.append(now[0])
        return "" if len(seen) < asked or asked == 1 else "the pod is resyncing"

    async def why_not(*_: Any) -> str:
        now[0] += waits.pop(0)
        return ""

    run: Any = SimpleNamespace(why_not=why_not)
    agreement = Agreement(run, (), [Condition("quarantine", "holds", check)])
    granted: Any = object()
    agreement.approval = granted
    why = await agreement.why_not()
    assert len(seen) == asked
    assert bool(why) == (asked == 2)
