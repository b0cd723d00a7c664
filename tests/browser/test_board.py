"""The board in Chromium: in each situation it names urgency, action and guests, its marks are true, and it is readable.

Pictures go to var/browser. Each situation is looked at on a phone, a notebook and a wall.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from temporalio.client import Client

from tests.incidents.conftest import Site, Watched, running_site, watching
from tests.incidents.conftest import site as built
from workers.cli.board.app import Boards, application
from workers.cli.board.state import gathered
from workers.gateway.app import listener, server

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

__all__ = ["built", "running_site"]

pytestmark = pytest.mark.browser
WIDTHS = {"phone": 390, "notebook": 1280, "wall": 1920}
PICTURES = Path(os.environ.get("QUORATE_STATE", "var")) / "browser"
PATIENCE = 60_000


@dataclass(frozen=True)
class Wall:
    """A board that is served, the site that it shows, and the watch of it."""

    url: str
    site: Site
    watched: Watched
    chromium: "Browser"

    async def page(self, width: int) -> "Page":
        window = await self.chromium.new_page(viewport={"width": width, "height": 900})
        window.set_default_timeout(PATIENCE)
        await window.goto(self.url)
        return window


@pytest_asyncio.fixture
async def wall(client: Client, built: Site, chromium: "Browser") -> AsyncIterator[Wall]:
    async with watching(client, built) as watched:
        boards = Boards(lambda: gathered(client, built.inventory.name))
        serving = server(application(built.inventory.name, boards))
        place = listener("127.0.0.1", 0)
        work = asyncio.create_task(serving.serve(sockets=[place]))
        try:
            yield Wall(f"http://127.0.0.1:{place.getsockname()[1]}/", built, watched, chromium)
        finally:
            boards.close()
            serving.should_exit = True
            await work


async def looked_at(wall: Wall, name: str, *says: str) -> str:
    """The text of the page once it says all of that; on each width, without a finding of the accessibility check."""
    text = ""
    for size, width in WIDTHS.items():
        window = await wall.page(width)
        for one in says:
            await window.get_by_text(one).first.wait_for()
        found = await Axe().run(window)
        PICTURES.mkdir(parents=True, exist_ok=True)
        await window.screenshot(path=PICTURES / f"board-{name}-{size}.png", full_page=True)
        wide = await window.evaluate("document.documentElement.scrollWidth")
        text = await window.inner_text("main")
        await window.close()
        assert found.violations_count == 0, found.generate_report()
        assert wide <= width, f"{size}: the page is {wide} pixels wide"
    return text


def running(site: Site) -> dict[int, str]:
    """What runs in the twin, and where."""
    return {vmid: guest.node for vmid, guest in site.world.cluster.guests.items() if guest.running}


async def test_all_is_well(wall: Wall):
    """Nothing is asked, every guest stands on its node, and the pod is served by both arrays."""
    text = await looked_at(wall, "healthy", "No action needed: All is well.", "7 of 7 votes, 4 needed")

    assert "served by both arrays" in text
    assert "not looked at" not in text
    for vmid, node in running(wall.site).items():
        assert text.index(node) < text.index(f"({vmid})"), f"{vmid} runs on {node}"


async def test_a_site_that_is_lost(wall: Wall):
    """Whom it affects, that HA is at it, and no guest is drawn where none can run once it is back."""
    wall.site.fail("site-power", "site-a")
    await wall.watched.loss()
    text = await looked_at(wall, "site-lost", "Watch: Site site-a is lost.", "T+")

    assert "ac-test-vm-01 (300)" in text.partition("Never")[0]
    assert "is no member" in text
    assert "Expected beside measured" in text


async def test_sites_parted_with_different_winners(wall: Wall):
    """The one sentence that matters, the nodes to power off with their addresses, and by whom."""
    for array in wall.site.world.arrays.values():
        for pod in array.pods:
            pod.failover_preferences = ["X90R3-SiteB"]
    wall.site.fail("inter-site")
    wall.site.fail("replication")
    wall.site.fail("storage-network")
    text = await looked_at(wall, "parted", "The quorum is at site-a, the disks are at site-b.")

    assert "Act now" in text
    assert "power off pxmx01-01 (BMC 127." in text
    assert "two people together" in text


async def test_an_array_that_is_lost(wall: Wall):
    """Guests go on, and no planned work is begun."""
    wall.site.fail("array", "X90R3-SiteA")
    text = await looked_at(wall, "array-lost", "Act now: Array X90R3-SiteA is lost.")

    assert "served by X90R3-SiteB alone" in text
    assert running(wall.site).keys() >= {300, 301}


async def test_it_says_when_the_cluster_is_not_looked_at(wall: Wall):
    """The watch is stopped: what is drawn is old, and the page says so before all else."""
    from workflows.watch import ClusterWatch

    await wall.watched.handle.execute_update(ClusterWatch.stop)
    text = await looked_at(wall, "nobody-looks", "The cluster is not looked at")

    assert text.index("not looked at") < 60


async def test_the_page_keeps_itself_current(wall: Wall):
    """Server-sent events: the same window says it without being loaded again, and loads nothing from elsewhere."""
    asked: list[str] = []
    window = await wall.page(1280)
    window.on("request", lambda request: asked.append(request.url))
    await window.get_by_text("No action needed: All is well.").wait_for()
    wall.site.fail("witness")
    await window.get_by_text("gives no vote").first.wait_for()
    wall.site.restore("witness")
    await window.get_by_text("No action needed: All is well.").wait_for()
    await window.close()

    assert all(url.startswith(wall.url) for url in asked), asked


async def test_a_mark_is_told_to_who_does_not_see_it(wall: Wall):
    """Each mark has a name, and each row of the matrix its node."""
    window: Any = await wall.page(1280)
    await window.get_by_text("Each node as each vantage point sees it").click()
    table = window.get_by_role("table", name="Node by vantage point, with the age of each answer")
    await table.wait_for()
    rows = await table.get_by_role("row").count()
    names = await window.get_by_role("img", name="as designed").count()
    await window.close()

    assert rows == 1 + len(wall.site.inventory.nodes)
    assert names > 20


async def test_the_accessibility_check_finds_what_is_wrong(chromium: "Browser"):
    """A picture without words: the check that all others stand on is no empty one."""
    window = await chromium.new_page()
    await window.set_content(
        "<html><body><img src='data:,'><p style='color:#ccc;background:#fff'>faint</p></body></html>"
    )
    found = await Axe().run(window)
    await window.close()

    assert found.violations_count >= 3
