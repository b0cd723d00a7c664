"""Each guest's own outages, and what is news of a guest."""

from datetime import UTC, datetime, timedelta

import pytest

from cluster.outages import FIRST, NEWEST, Outages, Standing, Waits

T0 = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_a_guest_that_falls_again_has_two_outages():
    """Begun twice it is one; over before it has begun it is none."""
    found = Outages().over("vm:300", at(0)).begun("vm:300", at(0)).begun("vm:300", at(5)).over("vm:300", at(190))
    found = found.begun("vm:301", at(0)).begun("vm:300", at(400))

    assert [(one.begin, one.until) for one in found.of("vm:300")] == [(at(0), at(190)), (at(400), None)]
    assert [(one.begin, one.until) for one in found.of("vm:301")] == [(at(0), None)]


def test_an_outage_is_reported_from_and_until():
    """The names that a script reads."""
    [one] = Outages().begun("vm:300", at(0)).known

    assert one.model_dump(mode="json") == {
        "sid": "vm:300",
        "from": "2026-03-01T03:12:00Z",
        "until": None,
        "times": 1,
        "seconds": None,
    }
    assert type(one).model_validate(one.model_dump()) == one


@pytest.mark.parametrize(
    ("before", "now", "news"),
    [
        (Standing(state="down", node="a"), Standing(state="down", node="b"), False),
        (Standing(state="down", text="x"), Standing(state="down", text="y"), False),
        (Standing(state="down"), Standing(state="running", node="b"), True),
        (Standing(state="running", node="b"), Standing(state="running", node="c"), True),
        (Standing(state="running", node="b", up=1.0), Standing(state="running", node="b", up=9.0), False),
        (Standing(state="running", node="b", up=9.0), Standing(state="running", node="b", up=1.0), True),
        (Standing(state="running", node="b", up=9.0), Standing(state="running", node="b"), False),
        (Standing(state="running", node="b"), Standing(state="unseen", node="b"), True),
        (Standing(state="hopeless"), Standing(state="running", node="b"), True),
        (Standing(state="hopeless"), Standing(state="hopeless", set_down=True), True),
    ],
)
def test_news_of_a_guest_is_where_it_runs_or_that_it_does_not(before: Standing, now: Standing, *, news: bool):
    """Reasons change while it is waited for: that alone wakes nobody."""
    assert now.same(before) is not news


@pytest.mark.parametrize("falls", [1, FIRST + NEWEST, FIRST + NEWEST + 1, 1440])
def test_a_day_of_falls_is_told_whole_and_stays_short(falls: int):
    """Each minute ten seconds down: how often and how long is kept, first and newest ones one by one."""
    found = Outages().begun("vm:301", at(-5))
    for number in range(falls):
        found = found.begun("vm:300", at(60 * number)).over("vm:300", at(60 * number + 10))
    told = found.of("vm:300")

    assert len(told) == min(falls, FIRST + NEWEST)
    assert found.count == falls + 1
    assert sum(one.lasted for one in told) == falls * 10
    assert (told[0].begin, told[-1].until) == (at(0), at(60 * (falls - 1) + 10))
    assert [one.times for one in told[:FIRST]] == [1] * min(falls, FIRST)
    assert [one.times for one in told[FIRST + 1 :]] == [1] * len(told[FIRST + 1 :])
    assert found.of("vm:301")[0].until is None


def test_a_guest_that_is_back_is_late_no_more():
    """Told late once; it comes back, falls again, and that outage is late by its own time."""
    waits = Waits().now(["vm:300", "vm:301"], at(240))
    assert waits.judged(at(239)) == (waits, ())
    late, new = waits.judged(at(240))
    assert new == ("vm:300", "vm:301")
    assert late.judged(at(300)) == (late, ())
    assert late.next is None

    back = late.now(["vm:301"], at(999))
    assert back.late == ("vm:301",)
    again = back.now(["vm:300", "vm:301"], at(800))
    assert (again.late, again.next) == (("vm:301",), at(800))
    assert again.judged(at(799))[1] == ()
    assert again.judged(at(800))[1] == ("vm:300",)


def test_one_that_follows_is_late_by_its_own_time():
    """A further node is lost when the first guests are late already."""
    late, _ = Waits().now(["vm:300"], at(240)).judged(at(240))
    wider = late.now(["vm:300", "vm:302"], at(500))
    assert wider.next == at(500)
    assert wider.judged(at(500))[1] == ("vm:302",)


def test_a_later_forecast_holds_for_those_that_are_not_late():
    """Nodes came back before the locks were free: the others get more time; who was told late stays so."""
    late, _ = Waits().now(["vm:300"], at(240)).judged(at(240))
    later = late.now(["vm:300", "vm:301"], at(300)).until(at(420))
    assert later.due == {"vm:300": at(240), "vm:301": at(420)}
    assert later.until(at(400)).next == at(420)
