"""When people are told once more that they are asked, and what the inventory may say of it."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from cluster.approval import ApprovalPolicy
from cluster.around import Notify
from cluster.reminders import reminders

OPENED = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def times(policy: ApprovalPolicy) -> list[str]:
    return [f"{one:%H:%M}" for one in reminders(policy.reminders, OPENED, OPENED + policy.within)]


def test_people_are_reminded_at_half_of_the_time_and_an_hour_before_its_end():
    """Of a short time an hour is its last quarter; two reminders at one moment are one."""
    assert times(ApprovalPolicy()) == ["10:00", "15:00"]
    assert times(ApprovalPolicy(within=timedelta(hours=2))) == ["05:00", "05:30"]
    assert times(ApprovalPolicy.model_validate({"within": "4h", "reminders": ["25%", "1h"]})) == ["07:00"]
    assert times(ApprovalPolicy.model_validate({"reminders": []})) == []


def test_a_policy_says_the_same_after_a_journey():
    """It travels as JSON between the parts of a run."""
    policy = ApprovalPolicy.model_validate({"reminders": ["50%", "30m"]})

    assert ApprovalPolicy.model_validate_json(policy.model_dump_json()) == policy
    assert policy.reminders == (0.5, timedelta(minutes=30))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("150%", "is no share of the time: write 1% to 99%"),
        ("0%", "is no share of the time"),
        ("half", "reminders"),
        ("0s", "is not before the end"),
        (1, "a duration needs a unit"),
    ],
)
def test_what_is_no_time_before_the_end_is_refused_with_the_remedy(given: object, said: str):
    """In the words of the inventory."""
    with pytest.raises(ValidationError, match=said):
        ApprovalPolicy.model_validate({"reminders": [given]})


def test_who_escalates_gets_what_nobody_has_answered_whatever_its_occasions():
    """And nothing else."""
    boss = Notify(name="boss", webhook="https://x.example", occasions=(), escalates=True)

    assert boss.wants("asked", escalated=True)
    assert not boss.wants("asked")
    assert not Notify(name="x", webhook="https://x.example", occasions=()).wants("asked", escalated=True)
