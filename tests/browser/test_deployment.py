"""A deployment from the start form to its last page, with nothing but a browser."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.screens import DEPLOY, RUNBOOK, Console
from tests.twin import TwinThread
from tests.workflows.test_operator import FULL, PARKED, plant

pytestmark = pytest.mark.browser


async def test_a_parked_deployment_is_answered_and_completes(console: Console, twin: TwinThread):
    """Start form, page with the question, Update dialog, page with the end: nobody needs a terminal."""
    plant(twin, FULL)
    await console.fill_start_form(DEPLOY, RUNBOOK, '{"mode": "apply"}')
    await console.shot("start-form")
    await console.start()

    await console.tab("User Metadata")
    text = await console.read_until("waits for your answer.")
    await console.shot("parked")
    assert text.startswith("Deploy the stretched cluster pxmx-cluster (apply)\n")
    assert f"Act now: {PARKED} failed and waits for your answer." in text
    assert f"{PARKED}: Rejected X90R3-SiteB: Array is out of LUNs." in text
    assert 'Send an Update, answer, and paste {"answer": "retry"}' in text
    table = console.details.get_by_role("row")
    assert re.fullmatch(r"T\+\tUTC \d{4}-\d\d-\d\d\t\tStep\tTook\tFinding", await table.first.inner_text())
    last = await table.last.get_by_role("cell").all_inner_texts()
    assert last[2:] == ["?", PARKED, "", "Rejected: X90R3-SiteB: Array is out of LUNs."]

    await console.tab("History")
    dialog = await console.fill_update("answer", '{"answer": "retry"}')
    await console.shot("update")
    await dialog.get_by_role("button", name="Submit").click()
    await expect(dialog, "the answer is accepted").to_be_hidden()
    await console.is_shown_as("Completed")

    await console.tab("User Metadata")
    done = await console.read_until("Done: ")
    await console.shot("page")
    assert "changes made. No action needed." in done
    assert f"retried {PARKED}" in done
    changes = twin.change_lines()
    assert changes
    assert len(changes) == len(set(changes)), "something was done twice"
