"""Each guest's own outages, and what is news of a guest."""

from datetime import UTC, datetime, timedelta

import pytest

from cluster.outages import Outages, Standing

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

    assert one.model_dump(mode="json") == {"sid": "vm:300", "from": "2026-03-01T03:12:00Z", "until": None}
    assert type(one).model_validate(one.model_dump()) == one


@pytest.mark.parametrize(
    ("before", "now", "news"),
    [
        (Standing(state="down", node="a"), Standing(state="down", node="b"), False),
        (Standing(state="down", text="x"), Standing(state="down", text="y"), False),
        (Standing(state="down"), Standing(state="running", node="b"), True),
        (Standing(state="running", node="b"), Standing(state="running", node="c"), True),
        (Standing(state="running", node="b", up=1.0), Standing(state="running", node="b", up=9.0), False),
        (Standing(state="running", node="b"), Standing(state="unseen", node="b"), True),
        (Standing(state="hopeless"), Standing(state="running", node="b"), True),
    ],
)
def test_news_of_a_guest_is_where_it_runs_or_that_it_does_not(before: Standing, now: Standing, *, news: bool):
    """Reasons change while it is waited for: that alone wakes nobody."""
    assert now.same(before) is not news
