"""What people are told of planned work: that they are asked, reminded, that it begins, and how it ended."""

import json
from collections.abc import Iterator

import pytest

from tests.failback.conftest import Begin
from tests.failback.people import Person
from tests.failback.test_stops import asked
from tests.incidents.conftest import Site, ended
from tests.receivers import Receiver, told_in

pytestmark = pytest.mark.slow


@pytest.fixture
def duty(site: Site) -> Iterator[Receiver]:
    """Whoever wants to know of everything; it stands in the inventory before the worker reads it."""
    with told_in(site.path, "duty") as receiver:
        yield receiver


@pytest.fixture
def boss(site: Site, duty: Receiver) -> Iterator[Receiver]:
    """Who is told of nothing, but of what nobody has answered."""
    receiver, text = Receiver(), site.path.read_text()
    row = f"  - {{name: boss, webhook: {receiver.url}, occasions: [], escalates: true}}\n"
    site.path.write_text(f"{text}{row}")
    yield receiver
    site.path.write_text(text)
    receiver.stop()


@pytest.fixture
def hasty(site: Site) -> Iterator[None]:
    """A gate that closes after some seconds."""
    text = site.path.read_text()
    site.path.write_text(text.replace("within: 10m", "within: 12s"))
    yield
    site.path.write_text(text)


def told(duty: Receiver, run: str) -> list[dict[str, object]]:
    """The notices of that run, each once, in the order of their arrival."""
    found = [json.loads(body) for _, body in duty.got]
    return list({one["key"]: one for one in found if one["incident"] == run}.values())


async def test_planned_work_is_told_from_the_question_to_its_end(
    duty: Receiver, site: Site, begin: Begin, people: dict[str, Person]
):
    """Asked with the command, begun with who has approved, done."""
    run = await begin()
    await asked(run)
    await people["ben"].says(run)
    await people["cleo"].says(run)
    await ended(run, 120)
    notices = told(duty, run.id)

    assert [one["occasion"] for one in notices] == ["asked", "begun", "done"]
    assert str(notices[0]["title"]).startswith("Decide by ")
    assert f"quorate approve {run.id}" in str(notices[0]["tasks"])
    assert "approved by ben, cleo" in str(notices[1]["text"])
    assert notices[2]["urgency"] == "nothing"


async def test_who_does_not_decide_is_reminded_until_the_time_is_over_and_at_last_others_are_told(
    hasty: None, boss: Receiver, duty: Receiver, site: Site, begin: Begin, people: dict[str, Person]
):
    """At half of the time and before its end; whoever is there for that gets the last one; then nothing is done."""
    run = await begin()
    await ended(run, 120)
    notices, late = told(duty, run.id), told(boss, run.id)

    assert [one["occasion"] for one in notices] == ["asked", "asked", "asked", "expired"]
    assert [str(one["title"]).partition(", decide by ")[0] for one in notices[1:3]] == ["Reminder", "Last reminder"]
    assert [(one["severity"], one["escalated"]) for one in notices[:3]] == [
        ("warning", False),
        ("warning", False),
        ("critical", True),
    ]
    assert "Nothing was changed" in str(notices[3]["text"])
    assert [one["title"] for one in late] == [notices[2]["title"]]


async def test_a_rejection_is_told(duty: Receiver, site: Site, begin: Begin, people: dict[str, Person]):
    """To everybody who was asked."""
    run = await begin()
    await asked(run)
    await people["ben"].says(run, "reject")
    await ended(run, 120)

    assert [one["occasion"] for one in told(duty, run.id)] == ["asked", "refused"]
