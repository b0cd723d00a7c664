"""What a watch has to tell people outlives its continue-as-new, and so do what it knows of rights and its remark."""

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio import workflow

from cluster.events import Event
from cluster.notices import NoticeWish
from cluster.watching import WatchRequest
from workflows.telling import LAST_TRY, TOLD_WITHIN
from workflows.watch import ClusterWatch

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


class Sent:
    """Notices whose sending has begun: none of them has been delivered yet."""

    def __init__(self) -> None:
        self.now = NOW
        self.wishes: list[NoticeWish] = []
        self.within: list[timedelta] = []

    async def activity(self, _: str, wish: NoticeWish, **options: Any) -> None:
        self.wishes.append(wish)
        self.within.append(options["schedule_to_close_timeout"])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """A watch outside Temporal; its notices stay on their way."""
    found = Sent()
    monkeypatch.setattr(workflow, "now", lambda: found.now)
    monkeypatch.setattr(workflow, "info", lambda: SimpleNamespace(workflow_id="watch/metro", run_id="first"))
    monkeypatch.setattr(workflow, "start_activity", found.activity)
    monkeypatch.setattr(workflow, "patched", lambda _: True)
    return found


def held(watch: ClusterWatch, monkeypatch: pytest.MonkeyPatch) -> list[Coroutine[Any, Any, None]]:
    """What it begins beside its look, not begun yet."""
    work: list[Coroutine[Any, Any, None]] = []
    monkeypatch.setattr(watch._incidents, "_does", work.append)
    return work


async def test_a_notice_that_is_on_its_way_is_sent_by_the_next_run(sent: Sent, monkeypatch: pytest.MonkeyPatch):
    """With its key, so that whoever has it already knows the repetition, and for what is left of its time."""
    first = ClusterWatch()
    on_its_way = held(first, monkeypatch)
    first._incidents.tell_people("incident/metro/1", "it was terminated before its end", "It is judged again.")
    first._incidents.tell_people("watch/metro", "A right is missing", "VM.Audit")
    await on_its_way[1]
    handed = WatchRequest.model_validate_json(first._handed_over().model_dump_json())
    assert [notice.title for notice in handed.untold] == ["it was terminated before its end"]

    sent.now += timedelta(minutes=4)
    second = ClusterWatch()
    anew = held(second, monkeypatch)
    second._take_over(handed)
    [sending] = anew
    await sending
    assert sent.wishes[-1].notice == handed.untold[0]
    assert sent.within == [TOLD_WITHIN, TOLD_WITHIN - timedelta(minutes=4)]
    assert second._handed_over().untold == ()
    on_its_way[0].close()


async def test_a_notice_whose_time_is_nearly_over_has_a_last_try(sent: Sent, monkeypatch: pytest.MonkeyPatch):
    """A run after another takes it over; the last one tries once more."""
    first = ClusterWatch()
    work = held(first, monkeypatch)
    first._incidents.tell_people("watch/metro", "A right is missing", "VM.Audit")
    sent.now += timedelta(hours=1)
    second = ClusterWatch()
    anew = held(second, monkeypatch)
    second._take_over(first._handed_over())
    await anew[0]
    assert sent.within == [LAST_TRY]
    work[0].close()


def test_what_the_page_of_a_watch_says_goes_along(sent: Sent):
    """Events, remark, missing rights, when they were asked last: a new run asks no sooner and tells nobody twice."""
    event = Event(id="1", source="purity", kind="alert 122")
    request = WatchRequest(
        latest=(event,), remark="x was terminated", rights="VM.Audit", rights_asked=NOW, opened={"incident/metro": NOW}
    )
    watch = ClusterWatch()
    watch._take_over(request)
    handed = watch._handed_over()
    fields = {"latest", "remark", "rights", "rights_asked", "opened"}
    assert handed.model_dump(include=fields) == request.model_dump(include=fields)
