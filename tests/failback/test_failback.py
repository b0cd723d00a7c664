"""Guests go home when the site has proven itself and people have signed."""

import asyncio
import re
from typing import Any

from runbooks.homecoming import FailbackReport
from tests.audit.explaining import agrees, recorded
from tests.failback.conftest import Begin
from tests.failback.people import Person
from tests.failback.test_explained_votes import checks, planted
from tests.failback.test_stops import asked
from tests.incidents.conftest import Site, ended
from tests.runs import steps
from workers.cli.follow import looks
from workflows.page import SIGNS


async def _told(run) -> list[str]:
    """The titles of the steps that `quorate` prints while it follows."""
    return [step.title async for look in looks(run) for step in look.steps]


async def test_guests_go_home_when_two_people_have_signed(site: Site, begin: Begin, people: dict[str, Person]):
    """Quarantine, plan, gate, one guest, the other, each proven; no second without its guest."""
    run = await begin()
    told = asyncio.create_task(_told(run))
    await asked(run)
    assert re.search(
        r"\*\*Decide by [-\d]+ [:\d]+ UTC: Bring 2 guests home to site-b: 0 of 2 approvals\.", await run.query("page")
    )
    assert await people["ben"].says(run) == "approve: 1 of 2 approvals"
    assert await people["cleo"].says(run) == "approve: approved"
    await ended(run)

    report = FailbackReport.model_validate(await run.result())
    print("\n".join(f"{SIGNS[step.state]} {step.title}: {step.finding}" for step in await steps(run)))
    assert {(one.sid, one.source, one.home) for one in report.moved} == {
        ("vm:300", "pxmx01-01", "pxmx02-01"),
        ("vm:301", "pxmx01-02", "pxmx02-02"),
    }
    assert [one.downtime for one in report.moved] == [0.0, 0.0]
    assert {step.state for step in await steps(run)} <= {"done", "unneeded"}
    await _each_change_is_explained(run)
    # who follows it reads each check once, although it was repeated with other figures all the time
    assert (await told).count("Clocks agree") == 1
    guests = site.world.cluster.guests
    assert {guest.vmid: guest.node for guest in guests.values() if guest.running} == {
        300: "pxmx02-01",
        301: "pxmx02-02",
    }


async def _each_change_is_explained(run) -> None:
    """Votes were checked before each change, which is on record; had one been revoked by then, it would be named."""
    found = await agrees(run)
    begun = [one for one in found if one.kind == "change"]
    assert [one.what.partition("begun: ")[2].partition(" runs")[0] for one in begun if "runs" in one.what] == [
        "vm:300",
        "vm:301",
    ]

    def revoked(data: list[dict[str, Any]]) -> None:
        bad = {"kind": "bad", "word": "RevokedKey", "sentence": "the key of ben was revoked", "fingerprint": ""}
        checks(data, "change")[-1]["evidence"]["proofs"][0] = bad

    [wrong] = planted(await recorded(run), revoked)
    assert wrong.what == begun[-1].what
    assert wrong.conclusion == (
        "WRONG: nothing should have begun: the approval is no longer valid: 1 of 2 approvals; not counted: ben "
        "(RevokedKey)"
    )
