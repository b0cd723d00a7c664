"""What the Update dialog says to a slip, and how an answer is sent from beside the page."""

import pytest
from playwright.async_api import expect

from tests.browser.screens import Console, json_field
from tests.workflows.test_operator import PARKED

pytestmark = pytest.mark.browser


async def test_a_refused_answer_says_why_in_the_dialog(parked: Console):
    """The dialog stays open with the message, and takes the next try."""
    await parked.tab("History")
    dialog = await parked.fill_update("answer", '{"answer": "perhaps"}')
    submit = dialog.get_by_role("button", name="Submit")
    await submit.click()
    alert = dialog.get_by_role("alert")
    await expect(alert, "the choice is named").to_contain_text("Input should be 'retry', 'skip' or 'abort'")
    await parked.shot("refused-choice")

    await parked.write(dialog, '{"answer": "retry", "step": "Nothing"}')
    await submit.click()
    await expect(alert, "the step is named").to_contain_text(f"step 'Nothing' is not parked; parked: '{PARKED}'")
    await parked.shot("refused-step")

    await parked.write(dialog, '{"answer": "retry"}')
    await submit.click()
    await expect(dialog, "the right answer is accepted").to_be_hidden()
    await parked.is_shown_as("Completed")


async def test_beside_the_page_an_answer_is_pasted_because_the_letter_r_cannot_be_typed(parked: Console):
    """On *User Metadata* UI 2.42 takes every r for its shortcut, in the dialog too; what is pasted arrives whole."""
    dialog = await parked.fill_update("answer", '{"answer": "retry"}')
    typed = await json_field(dialog).inner_text()
    assert "".join(typed.split()) == '{"answe":"ety"}', "a newer UI? then the page need not warn of it any more"

    await parked.paste(dialog, '{"answer": "retry"}')
    await dialog.get_by_role("button", name="Submit").click()
    await expect(dialog, "the pasted answer is accepted").to_be_hidden()
    await parked.is_shown_as("Completed")
