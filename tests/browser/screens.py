"""The screens of Temporal's UI that an operator uses, by what stands on them.

Knows the UI (2.42), and of runbooks only how the example is started.
Every wait has a deadline, and says what it waited for when it is over.
"""

import re
import time
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import FrameLocator, Locator, Page, ViewportSize, expect

SHOTS = Path(__file__).parents[2] / "var" / "browser"
SIZE = ViewportSize(width=1400, height=960)  # the whole start form just fits
DEPLOY, RUNBOOK = "deploy/pxmx-cluster", "DeployStretchedCluster"
FRESH = 60.0  # seconds within which a run has to show something


class Console:
    """One browser window on the UI, and the queue of the worker behind it."""

    def __init__(self, page: Page, queue: str) -> None:
        self.page = page
        self.queue = queue
        self.started: list[str] = []

    async def shot(self, name: str, page: Page | None = None) -> None:
        """Keep what is to be seen now: build output, for people."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        await (page or self.page).screenshot(path=SHOTS / f"{name}.png")

    # --- the start form ---

    async def fill_start_form(self, workflow_id: str, runbook: str, data: str) -> None:
        """As a person does who came by nobody's link: every field by hand."""
        await self.page.goto("/namespaces/default/workflows/start-workflow")
        await self.page.get_by_label("Workflow ID").fill(workflow_id)
        await self.page.get_by_label("Task Queue").fill(self.queue)
        await self.page.get_by_label("Workflow Type").fill(runbook)
        await expect(self.page.get_by_text("Task Queue is Active"), "the form knows the worker").to_be_visible()
        await self.write(self.page.locator("main"), data)
        self.started.append(workflow_id)

    async def start(self) -> None:
        """Send the form, and follow its link to the run."""
        await self.page.get_by_role("button", name="Start Workflow").click()
        await self.page.get_by_role("link", name="Workflow started successfully").click()
        await self.page.wait_for_url("**/history")
        await self.page.get_by_role("log").get_by_role("button").click()  # else the toast hides what is below it

    async def start_deployment(self, data: str) -> None:
        """Fill the form for the example cluster, and send it."""
        await self.fill_start_form(DEPLOY, RUNBOOK, data)
        await self.start()

    async def is_shown_as(self, status: str) -> None:
        """Wait until the run's heading says so."""
        badge = self.page.locator("main").get_by_text(status, exact=True).first
        await expect(badge, f"the run is shown as {status}").to_be_visible(timeout=FRESH * 1000)

    async def write(self, where: Locator, data: str) -> None:
        """Type into the JSON field there, and leave it by Tab.

        Leaving it sets the text anew and the button below moves: a click straight from the field would miss it.
        """
        field = json_field(where)
        await field.click()
        await field.press("Control+A")
        await field.press_sequentially(data)
        await field.press("Tab")

    async def paste(self, where: Locator, data: str) -> None:
        """The same from the clipboard."""
        await self.page.evaluate("text => navigator.clipboard.writeText(text)", data)
        field = json_field(where)
        await field.click()
        await field.press("Control+A")
        await field.press("Control+V")
        await field.press("Tab")

    # --- the screen of a run ---

    async def open(self, workflow_id: str) -> None:
        """Go to a run that somebody else has started."""
        await self.page.goto(f"/namespaces/default/workflows/{quote(workflow_id, safe='')}")

    async def tab(self, name: str) -> None:
        """Go to a tab of the run."""
        tab = self.page.get_by_role("tab", name=name)
        await tab.click()
        await expect(tab, f"the tab {name} is open").to_have_attribute("aria-selected", "true")

    @property
    def details(self) -> FrameLocator:
        """The run's own page, which stands in a frame under *User Metadata*."""
        return self.page.frame_locator('iframe[title="output"]')

    async def read_until(self, text: str) -> str:
        """The visible text of the run's page once it contains that; it is read anew when somebody presses R."""
        body = self.details.locator("body")
        deadline = time.monotonic() + FRESH
        while True:
            try:
                await expect(body).to_contain_text(text, timeout=1000)
                return await body.inner_text()
            except AssertionError:
                assert time.monotonic() < deadline, f"waited for {text!r} on the page: {await body.inner_text()}"
            await self.page.keyboard.press("r")

    async def follow(self, link: str) -> Page:
        """Click a link of the run's page: it opens in a window of its own."""
        async with self.page.context.expect_page() as opened:
            await self.details.get_by_role("link", name=link, exact=True).click()
        return await opened.value

    # --- the dialog of an update ---

    async def fill_update(self, name: str, data: str) -> Locator:
        """The dialog *Send an Update*, with what is to be sent."""
        await self.page.get_by_role("button", name="More Actions").click()
        await self.page.get_by_role("menuitem", name="Send an Update").click()
        dialog = self.page.get_by_role("dialog", name="Send an Update")
        await dialog.get_by_role("button", name="Select an Update").click()
        # the option reads as the update's name and what it does; others may speak of it, too
        await dialog.get_by_role("option", name=re.compile(rf"^{name}\b")).click()
        await self.write(dialog, data)
        return dialog


def json_field(where: Locator) -> Locator:
    """The editor for the one payload; those for Markdown and for read-only texts are not meant."""
    return where.locator('.cm-content[data-language="json"][contenteditable="true"]').first
