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


async def test_who_does_not_decide_is_reminded_and_told_that_the_time_is_over(
    hasty: None, duty: Receiver, site: Site, begin: Begin, people: dict[str, Person]
):
    """Once, before the end; then that nothing was done."""
    run = await begin()
    await ended(run, 120)
    notices = told(duty, run.id)

    assert [one["occasion"] for one in notices] == ["asked", "asked", "expired"]
    assert str(notices[1]["title"]).startswith("Reminder, decide by ")
    assert "Nothing was changed" in str(notices[2]["text"])


async def test_a_rejection_is_told(duty: Receiver, site: Site, begin: Begin, people: dict[str, Person]):
    """To everybody who was asked."""
    run = await begin()
    await asked(run)
    await people["ben"].says(run, "reject")
    await ended(run, 120)

    assert [one["occasion"] for one in told(duty, run.id)] == ["asked", "refused"]
