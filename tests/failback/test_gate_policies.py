"""What the inventory says about a gate: how long it is open, whether a click counts, who has to be among the yeses."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError

from cluster.approval import ApprovalPolicy
from tests.failback.asking import AskingReport
from tests.failback.desk import opened
from tests.failback.people import Run, refused


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
        assert "not enough people had agreed by 20" in await ends(run)
        assert [(line.by, line.what, line.sentence) for line in await desk.audit(run)] == [
            ("ben", "approve", ""),
            ("time", "expiry", "with 1 of 2 yeses"),
        ]
        page = await run.query("page")
        assert "**Aborted. Nothing was changed.**" in page
        assert "| ✗ | Bring guests home |" in page


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
        assert "said yes: ben (claimed)" in await run.query("page")
        await desk.people["cleo"].says(run)
        report = AskingReport.model_validate(await run.result())
        assert [(vote.said.by, vote.claimed) for vote in report.approval.votes] == [("ben", True), ("cleo", False)]
        assert [line.by for line in report.approvals if line.accepted] == ["ben (claimed)", "cleo"]
        assert str(report.approval).endswith("approved by ben (claimed), cleo")


async def test_a_role_has_to_be_among_the_yeses(client: Client, tmp_path: Path):
    """Two yeses are not enough while nobody of the storage team has said one."""
    policy = "  needed: 1\n  roles:\n    storage: [cleo]\n  per_role:\n    storage: 1\n"
    async with opened(client, tmp_path, policy) as desk:
        run = await desk.run()
        assert await desk.people["ben"].says(run) == "approve: 0 of 1 from storage"
        assert await desk.people["cleo"].says(run) == "approve: approved"


@pytest.mark.parametrize(
    ("policy", "request_", "why"),
    [
        ("  needed: 2\n", {"by": ""}, "by: who asks for it?"),
        ("  needed: 3\n", {}, "approvals: 3 have to agree, and 2 of the list may (ana has asked for it)"),
        ("  needed: 1\n  allowed_signers: none\n", {}, "approvals.allowed_signers: none cannot be read by the worker"),
    ],
)
async def test_a_gate_that_could_never_open_ends_the_run_at_once(
    client: Client, tmp_path: Path, policy: str, request_: dict[str, Any], why: str
):
    """The field and what to do about it."""
    async with opened(client, tmp_path, policy) as desk:
        run = await desk.run(opened=False, **request_)
        await run.signal("go_on")
        assert why in await ends(run)


def test_roles_that_cannot_be_met_are_told():
    """The inventory is refused, not the run at night."""
    with pytest.raises(ValueError, match="per_role asks for 2 of storage, roles name 1: add them to roles"):
        ApprovalPolicy(roles={"storage": ("ben",)}, per_role={"storage": 2})
