"""What the inventory says about a gate: how long it is open, whether a click counts, whose approval is needed."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError

from cluster.approval import ApprovalPolicy
from tests.failback.asking import AskingReport
from tests.failback.desk import opened
from tests.failback.people import Run, refused
from tests.runs import parked, steps


async def ends(run: Run) -> str:
    """Why it has ended."""
    with pytest.raises(WorkflowFailureError) as ended:
        await run.result()
    return str(ended.value.cause)


async def test_silence_is_a_no(client: Client, tmp_path: Path):
    """One yes of two when the time is over: the run ends, and says so."""
    async with opened(client, tmp_path, "  needed: 2\n  within: 5s\n") as desk:
        run = await desk.run()
        await desk.people["ben"].says(run)
        assert "too few approvals: 1 of 2 approvals by 20" in await ends(run)
        assert [(line.by, line.what, line.sentence) for line in await desk.audit(run)] == [
            ("ben", "approve", ""),
            ("time", "expiry", "with 1 of 2 approvals"),
        ]
        page = await run.query("page")
        assert "**Aborted: too few approvals: 1 of 2 approvals by 20" in page
        assert " UTC. Nothing was changed.**" in page
        assert "| ✗ | Bring guests home |" in page
        assert "approved by ben |" in page


async def test_a_click_counts_where_the_inventory_allows_it_and_is_called_claimed(client: Client, tmp_path: Path):
    """On the page, in the record, in the approval; and only for people on the list."""
    async with opened(client, tmp_path, "  needed: 2\n  unsigned: allowed\n") as desk:
        run = await desk.run()
        plan = (await desk.view(run)).digest
        assert await refused(run, "approve", {"by": "dora", "plan": plan}) == (
            "Unknown",
            "dora is not on the list of approvers",
        )
        assert (await refused(run, "approve", {"by": "ben", "plan": "0" * 16}))[0] == "OtherPlan"
        await run.execute_update("approve", {"by": "ben", "plan": plan})
        assert "approved by ben (claimed)" in await run.query("page")
        await desk.people["cleo"].says(run)
        report = AskingReport.model_validate(await run.result())
        assert [(vote.said.by, vote.claimed) for vote in report.approval.votes] == [("ben", True), ("cleo", False)]
        assert [line.by for line in report.approvals if line.accepted] == ["ben (claimed)", "cleo"]
        assert str(report.approval).endswith("approved by ben (claimed), cleo")


async def test_a_role_has_to_be_among_those_who_approve(client: Client, tmp_path: Path):
    """One approval is not enough while none is of the storage team."""
    policy = "  needed: 1\n  roles:\n    storage: [cleo]\n  per_role:\n    storage: 1\n"
    async with opened(client, tmp_path, policy) as desk:
        run = await desk.run()
        assert await desk.people["ben"].says(run) == "approve: 0 of 1 from storage"
        assert await desk.people["cleo"].says(run) == "approve: approved"


async def test_a_run_that_nobody_has_asked_for_ends_at_once(client: Client, tmp_path: Path):
    """Wrong input: the field and what to do about it."""
    async with opened(client, tmp_path) as desk:
        run = await desk.run(opened=False, by="")
        await run.signal("go_on")
        assert "by is missing: name who requests the run" in await ends(run)


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (
            "  needed: 3\n",
            "TooFew: approvals.needed is 3, and the list of approvers has 2 besides ana, who requested the run: ",
        ),
        (
            "  needed: 1\n  roles: {storage: [dora]}\n  per_role: {storage: 1}\n",
            "TooFew: approvals.per_role asks for 1 of storage",
        ),
        (
            "  needed: 1\n  allowed_signers: none\n",
            "NotFound: approvals.allowed_signers: none cannot be read by the wor",
        ),
    ],
    ids=["people", "role", "list"],
)
async def test_a_gate_that_could_not_open_parks_until_the_list_is_put_right(
    client: Client, tmp_path: Path, policy: str, why: str
):
    """Nothing ends: the page says what is missing, and the gate opens by itself once it is there."""
    async with opened(client, tmp_path, policy) as desk:
        run = await desk.run(opened=False)
        await run.signal("go_on")
        step = await parked(run)
        assert (step.title, step.finding[: len(why)]) == ("Approvals can be checked", why)
        assert "changes nothing meanwhile and checks again" in await run.query("page")
        assert (await run.query("gate")) is None

        desk.listed = list(desk.people.values())
        desk.write_list()
        (desk.folder / "none").write_text((desk.folder / "allowed_signers").read_text())
        assert (await desk.view(run)).outcome == "open"
        titles = [(one.state, one.title) for one in await steps(run)][-2:]
        assert titles == [("asked", "Bring guests home"), ("done", "Approvals can be checked")]


async def test_the_time_to_collect_and_the_life_of_an_approval_are_two(client: Client, tmp_path: Path):
    """Both are in what is signed; an approval given in time holds on after the time to collect is over."""
    async with opened(client, tmp_path, "  needed: 1\n  within: 5s\n  valid: 90m\n") as desk:
        run = await desk.run()
        said = await desk.said(run, "ben")
        assert "\nvalid: 90 min after enough people have agreed\n" in said.text
        await desk.people["ben"].says(run)
        report = AskingReport.model_validate(await run.result())
        terms, granted = report.approval.terms, report.approval.granted
        assert granted is not None
        assert terms.until - terms.opened <= timedelta(seconds=5)
        assert report.approval.ends == granted + timedelta(minutes=90)


def test_roles_that_cannot_be_met_are_told():
    """The inventory is refused, not the run at night."""
    with pytest.raises(
        ValueError, match=r"per_role asks for 2 of storage, roles lists 1: add people to roles\.storage"
    ):
        ApprovalPolicy(roles={"storage": ("ben",)}, per_role={"storage": 2})
