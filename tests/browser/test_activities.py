"""Temporal's own buttons on an activity that is tried again: they work under the engine, and do nothing twice."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from lab.physics.faults import Fault
from tests.browser.screens import Console
from tests.twin import TwinThread
from tests.workflows.test_operator import PARKED, plant

pytestmark = pytest.mark.browser

# Until it is lifted: the screen is slower than a few attempts.
BUSY = Fault("X90R3-SiteB", "POST /connections", "fail", status=503, message="Array is busy.", times=None)


@pytest_asyncio.fixture
async def busy(console: Console, twin: TwinThread) -> AsyncIterator[Page]:
    """The screen with the one step that an array keeps from its end, after a few attempts."""
    plant(twin, BUSY)
    await console.start_deployment('{"mode": "apply"}')
    await console.tab("Pending Activities")
    page = console.page
    await expect(page.get_by_text(PARKED, exact=False).last, "the step is named").to_be_visible()
    await expect(page.get_by_text("Array is busy."), "the error is shown").to_be_visible()
    await expect(page.get_by_text(re.compile("[3-9] of Unlimited")), "the attempts are counted").to_be_visible()
    yield page


async def test_a_paused_activity_is_tried_no_more_until_it_is_unpaused(console: Console, twin: TwinThread, busy: Page):
    """Pause, mend, unpause: the run completes, and nothing was done twice."""
    await _press(console, "Pause", reason="array is being repaired")
    await expect(busy.get_by_text("array is being repaired"), "whoever looks reads why").to_be_visible()
    await expect(busy.get_by_role("button", name="Unpause"), "it is paused").to_be_visible()
    await console.shot("paused-activity")
    twin.world.faults.clear()
    # with the fault gone the next attempt would succeed: that the time of it passes is what is to be seen
    await expect(busy.get_by_text("Next Retry"), "the time of the next attempt passes").to_be_hidden()
    await expect(busy.get_by_role("button", name="Unpause"), "it is still paused").to_be_visible()

    await _press(console, "Unpause")
    await console.is_shown_as("Completed")

    _once(twin)


async def test_a_reset_activity_counts_its_attempts_anew(console: Console, twin: TwinThread, busy: Page):
    """Reset while the array is busy, then mend: the run completes, and nothing was done twice."""
    await _press(console, "Reset")
    await expect(busy.get_by_text(re.compile("[12] of Unlimited")), "the attempts begin anew").to_be_visible()
    twin.world.faults.clear()
    await console.is_shown_as("Completed")

    _once(twin)


async def _press(console: Console, button: str, reason: str | None = None) -> None:
    """A button of the card, and the one of the same name in its dialog."""
    await console.page.locator("main").get_by_role("button", name=button, exact=True).click()
    dialog = console.page.get_by_role("dialog")
    if reason is not None:
        await dialog.get_by_label("Reason").fill(reason)
    await dialog.get_by_role("button", name=button, exact=True).click()
    await expect(dialog, f"{button} is accepted").to_be_hidden()


def _once(twin: TwinThread) -> None:
    changes = twin.change_lines()
    assert changes
    assert len(changes) == len(set(changes)), "something was done twice"
