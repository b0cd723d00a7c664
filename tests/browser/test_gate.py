"""A failback that waits for people, in the UI: what it shows them, and what a click is worth."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from temporalio.client import Client

from runbooks.homecoming import FailbackReport
from tests.browser.screens import Console
from tests.failback.conftest import Begin
from tests.failback.desk import opened
from tests.failback.people import Person
from tests.incidents.conftest import ended

pytestmark = pytest.mark.browser


async def test_a_gate_shows_its_plan_refuses_a_click_and_opens_for_two_signatures(
    window: Page, begin: Begin, people: dict[str, Person]
):
    """Unsigned claims are refused where the inventory does not allow them; the refusal is on the page."""
    run = await begin()
    console = Console(window, "")
    await console.open(run.id)
    await console.tab("User Metadata")
    page = await console.read_until("with too few approvals by then")
    assert "2 changes, requested by ana" in page
    assert "pxmx02-01: bring home vm:300 (from pxmx01-01)" in page
    assert "each guest is moved live and proven" in page
    assert f"quorate approve {run.id}" in page
    await console.shot("gate")

    await console.tab("History")
    plan = (await run.query("gate"))["digest"]
    dialog = await console.fill_update("approve", f'{{"by": "ben", "plan": "{plan}"}}')
    await dialog.get_by_role("button", name="Submit").click()
    alert = dialog.get_by_role("alert")
    await expect(alert, "the dialog says why").to_contain_text(
        "this gate takes signed votes only: use `quorate approve`"
    )
    await console.shot("gate-refused-click")
    await dialog.get_by_role("button", name="Cancel").last.click()

    await people["ben"].says(run)
    await console.tab("User Metadata")
    page = await console.read_until("approved by ben")
    assert "1 vote was refused" in page
    assert "1 of 2 approvals" in page
    await console.shot("gate-one-yes")

    await people["cleo"].says(run)
    await ended(run)
    await console.read_until("2 guests are at home")
    await console.shot("failback")
    report = FailbackReport.model_validate(await run.result())
    assert [line.by for line in report.approvals if not line.accepted] == ["ben (claimed)"]


async def test_where_the_inventory_allows_it_a_click_counts_and_is_called_claimed(
    window: Page, client: Client, tmp_path: Path
):
    """Marked on the page and in the record: nothing proves who said it."""
    async with opened(client, tmp_path, policy="  needed: 1\n  within: 1h\n  unsigned: allowed\n") as desk:
        run = await desk.run()
        plan = (await desk.view(run)).digest
        console = Console(window, "")
        await console.open(run.id)
        dialog = await console.fill_update("approve", f'{{"by": "ben", "plan": "{plan}"}}')
        await dialog.get_by_role("button", name="Submit").click()
        await expect(dialog, "the claim is accepted").to_be_hidden()
        await console.is_shown_as("Completed")
        await console.tab("User Metadata")
        await console.read_until("approved by ben (claimed)")
        await console.shot("gate-claimed")
        assert [line.by for line in await desk.audit(run)] == ["ben (claimed)"]
