"""Votes that come at once, in a pause, or while they cannot be checked: none undoes another, no run ends by it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.client import Client

from cluster.approval import Audit
from cluster.plan import Intent
from tests.failback.asking import AskingReport
from tests.failback.desk import Desk, opened
from tests.failback.people import Run
from tests.runs import parked, said, steps, until
from tests.standins import standing
from workflows.page import StepRecord


async def at_once(desk: Desk, run: Run, *names: str) -> list[str]:
    """They all send their approval in the same moment: what each was told, in order."""
    ballots = [desk.people[name].signs((await desk.said(run, name)).text) for name in names]
    told = await asyncio.gather(*(run.execute_update("approve", one) for one in ballots), return_exceptions=True)
    return sorted(str(getattr(one, "cause", one)).partition(":")[0] for one in told)


@pytest.mark.slow
async def test_more_approvals_than_needed_at_once_open_the_gate_once(client: Client, tmp_path: Path):
    """The first ones open it; whoever comes after is told that it is open, and the run goes on."""
    async with opened(client, tmp_path, "  needed: 1\n  within: 1h\n") as desk:
        desk.listed = list(desk.people.values())
        desk.write_list()
        for _ in range(15):
            run = await desk.run()
            assert await at_once(desk, run, "ben", "cleo", "dora") == ["Late", "Late", "approve"]
            report = AskingReport.model_validate(await asyncio.wait_for(run.result(), 20))
            assert len(report.approval.votes) == 1
            assert [line.accepted for line in report.approvals] == [True, False, False]


async def test_an_approval_given_while_the_run_is_paused_waits_for_it(desk: Desk):
    """Two at once and one after them; resumed, the run has what the first two have given."""
    desk.listed = list(desk.people.values())
    desk.write_list()
    run = await desk.run()
    await said(run, "pause")
    assert await at_once(desk, run, "ben", "cleo") == ["approve", "approve"]
    assert await at_once(desk, run, "dora") == ["Late"]
    await said(run, "resume")
    report = AskingReport.model_validate(await asyncio.wait_for(run.result(), 20))
    assert {vote.said.by for vote in report.approval.votes} == {"ben", "cleo"}


async def test_a_list_that_is_away_when_the_gate_would_open_ends_nothing(desk: Desk):
    """The vote is counted; the page says why the gate is not open yet; it opens once the list is there again."""
    run = await desk.run()
    await desk.people["ben"].says(run)
    ballot = desk.people["cleo"].signs((await desk.said(run, "cleo")).text)
    # the list goes between the check of this vote and that of all
    desk.checks.then = (desk.folder / "allowed_signers").unlink
    told = str(await run.execute_update("approve", ballot))
    assert told.startswith("counted: the gate opens as soon as all votes can be checked again")
    step = await parked(run)
    assert (step.title, step.finding[:9]) == ("Bring guests home", "NotFound:")
    assert "Quorate changes nothing meanwhile and checks again" in await run.query("page")

    desk.write_list()
    report = AskingReport.model_validate(await asyncio.wait_for(run.result(), 30))
    assert [vote.said.by for vote in report.approval.votes] == ["ben", "cleo"]


async def test_a_gate_that_opens_by_itself_asks_for_an_incident_first(desk: Desk, client: Client):
    """The list is away when the last yes comes, and a site is lost before it is there again: the gate stays closed."""
    run = await desk.run()
    await desk.people["ben"].says(run)
    ballot = desk.people["cleo"].signs((await desk.said(run, "cleo")).text)
    desk.checks.then = (desk.folder / "allowed_signers").unlink
    assert str(await run.execute_update("approve", ballot)).startswith("counted: the gate opens as soon as")
    async with standing(client, desk.inventory.name, "SiteLoss"):
        desk.write_list()
        await until(run, held_by("site-loss/of-a-test is open: a site is lost"), "the incident on the gate's line", 30)
        assert (await desk.view(run)).outcome == "open"
    report = AskingReport.model_validate(await asyncio.wait_for(run.result(), 60))
    assert [vote.said.by for vote in report.approval.votes] == ["ben", "cleo"]


def held_by(words: str) -> Callable[[list[StepRecord]], bool]:
    return lambda found: any(one.state == "parked" and f"Held: {words}" in one.finding for one in found)


async def test_a_check_that_cannot_be_made_parks_and_goes_on_by_itself(desk: Desk):
    """Before a change: the list is away for a while, the run says so, and is as good as before afterwards."""
    run = await desk.run(asks_again=True, lingers=True)
    await desk.people["ben"].says(run)
    await desk.people["cleo"].says(run)
    await until(run, lambda found: any(step.title == "Opened" for step in found), "the gate")
    (desk.folder / "allowed_signers").unlink()
    await run.signal("ask_again")
    step = await parked(run)
    assert (step.title, step.finding[:9]) == ("Approvals can be checked", "NotFound:")
    desk.write_list()
    assert (await asked_again(run)).finding == "stands"


async def test_an_approval_that_is_withdrawn_stands_no_more(desk: Desk):
    """Signed, told in full sentences, kept with the approval; and only who has approved can withdraw."""
    run = await desk.run(asks_again=True, lingers=True)
    await desk.people["ben"].says(run)
    await desk.people["cleo"].says(run)
    assert await desk.people["ben"].says(run, "reject") == "Approval withdrawn. No further change will start."
    await run.signal("ask_again")
    assert (await asked_again(run)).finding == (
        "the approval is no longer valid: 1 of 2 approvals; not counted: ben (withdrawn)"
    )
    held = await run.query("approval", 1)
    assert [vote["said"]["by"] for vote in held["withdrawn"]] == ["ben"]
    assert [line.what for line in await desk.audit(run)] == ["approve", "approve", "withdraws the approval"]


async def test_other_changes_than_the_approved_ones_do_not_stand(desk: Desk):
    """One more, or under other conditions."""
    run = await desk.run(asks_again=True, lingers=True)
    await desk.people["ben"].says(run)
    await desk.people["cleo"].says(run)
    await run.signal("ask_again", Intent(where="HA", what="bring home", target="vm:999").model_dump())
    assert (await asked_again(run)).finding.startswith("the plan has changed: approved was ")


async def asked_again(run: Run) -> StepRecord:
    """The line that says whether the approval stands."""
    await until(run, lambda found: any(step.title == "Asked again" for step in found), "the answer")
    return next(step for step in await steps(run) if step.title == "Asked again")


async def test_a_no_says_why(desk: Desk):
    """The reason is signed, and stands where the run's end is told."""
    run = await desk.run()
    ben = desk.people["ben"]
    text = (await desk.said(run, "ben", decision="reject", why="the array is being repaired")).text
    assert await run.execute_update("reject", ben.signs(text)) == "reject: rejected"
    line: Audit = (await desk.audit(run))[-1]
    assert (line.by, line.sentence) == ("ben", "the array is being repaired")
    await until(run, lambda found: found[-1].state == "failed", "the end")
    assert (await steps(run))[-1].finding == "rejected by ben: rejected the plan (signed): the array is being repaired"
