"""A judgement that the watch owes is not lost with a look that was cut short."""

from datetime import UTC, datetime

import pytest
from temporalio import workflow

from cluster.conditions import Condition
from cluster.memory import Memory
from cluster.verdict import Verdict
from cluster.watching import Seen, WatchWish
from workflows.watch import ClusterWatch


async def test_a_look_that_was_cut_short_leaves_the_judgement_owed(monkeypatch: pytest.MonkeyPatch):
    """An incident has ended, the look that is to judge anew is cut by a hint: the next look judges anew as well."""
    wishes: list[WatchWish] = []
    monkeypatch.setattr(workflow, "start_activity", lambda _, wish, **more: wishes.append(wish))
    monkeypatch.setattr(workflow, "patched", lambda _: True)
    verdict = Verdict(main=Condition(kind="witness-lost", where=("qdevice",)))
    seen = Seen(
        finding="", cluster="metro", policy="act", verdict=verdict, memory=Memory(), at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    watch = ClusterWatch()
    watch._seen = seen
    watch._judge_anew()
    watch._look()
    await watch._learn(seen.model_copy(update={"new": False}))
    watch._look()
    assert [wish.known for wish in wishes] == ["", ""]
    assert watch._handed_over().anew
