"""What the start form makes of wrong input and of none."""

import pytest
from playwright.async_api import expect

from tests.browser.screens import RUNBOOK, Console
from tests.twin import TwinThread

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("mode", '{"mode": "destroy"}', ("mode", "Input should be 'plan' or 'apply'")),
        ("field", '{"mode": "apply", "clster": "pxmx-cluster"}', ("clster", "Extra inputs are not permitted")),
        ("text", '"apply"', ("input: Input should be an object, given 'apply'", "Example: ")),
    ],
)
async def test_wrong_input_fails_the_run_at_once_and_names_the_field(
    console: Console, twin: TwinThread, name: str, data: str, said: tuple[str, ...]
):
    """The run is shown as failed, its failure says what was wrong, and nothing has been touched."""
    await console.fill_start_form(f"wrong/{name}", RUNBOOK, data)
    await console.start()
    await console.is_shown_as("Failed")
    await console.shot(f"failed-{name}")

    result = console.page.get_by_role("heading", name="Result").locator("xpath=../..")
    for words in said:
        await expect(result, f"the failure says {words!r}").to_contain_text(words)
    assert twin.change_lines() == []


async def test_empty_input_makes_a_plan(console: Console, twin: TwinThread):
    """Who sends the form as it is gets a plan: the page says what would be changed, and nothing is."""
    await console.start_deployment("")
    await console.is_shown_as("Completed")

    await console.tab("User Metadata")
    text = await console.read_until("Done: ")
    await console.shot("plan")
    assert text.startswith("Deploy the stretched cluster pxmx-cluster (plan)\n")
    assert "would be stretched to X90R3-SiteB" in text
    assert twin.change_lines() == []
