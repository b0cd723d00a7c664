"""Where the links of the page lead: nobody is sent to a screen that is not there."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.screens import RUNBOOK, Console, json_field

pytestmark = pytest.mark.browser


async def test_a_parked_run_leads_to_its_history_and_not_to_attempts_that_are_not_made(parked: Console):
    """In a window of its own, at the tab that is named; nothing is pending while it waits for a person."""
    await expect(parked.details.get_by_role("link", name="Attempts and next tries")).to_have_count(0)
    history = await parked.follow("History")
    await _shows_tab(history, "History")
    await expect(history.get_by_role("heading", name="Event History"), "the events are there").to_be_visible()


async def test_the_links_of_an_ended_run_open_its_history_and_a_filled_start_form(console: Console):
    """*Start again* knows the runbook and the queue, and offers what was sent before."""
    await console.start_deployment('{"mode": "plan"}')
    await console.is_shown_as("Completed")
    await console.tab("User Metadata")
    await console.read_until("Done: ")

    await _shows_tab(await console.follow("History"), "History")
    form = await console.follow("Start again")
    await expect(form.get_by_label("Workflow Type")).to_have_value(RUNBOOK)
    await expect(form.get_by_label("Task Queue")).to_have_value(console.queue)
    await expect(json_field(form.locator("main")), "what was sent before").to_contain_text('"mode": "plan"')
    await console.shot("start-again", form)


async def _shows_tab(page: Page, name: str) -> None:
    await expect(page.get_by_role("heading", name="deploy/pxmx-cluster"), "it is that run").to_be_visible()
    await expect(page.get_by_role("tab", name=name), f"{name} is open").to_have_attribute("aria-selected", "true")
