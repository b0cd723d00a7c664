"""The report of an incident in Chromium: on a desk, on a phone, on paper; its marks stand where their times are.

Pictures go to var/browser.
"""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe

from cluster.report.compose import report
from cluster.report.model import Report
from cluster.report.reading import read
from tests.report.recorded import later, lines, told
from workers.report.written import written

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.browser
WIDTHS = {"notebook": 1280, "phone": 390}
PICTURES = Path(os.environ.get("QUORATE_STATE", "var")) / "browser"
# What a mark may stand off: less than its own half width.
PIXELS = 2.0
# A4 at 96 pixels an inch.
PAPER = {"width": 794, "height": 1123}


def loss() -> Report:
    """A site that was lost, with what the watch saw."""
    return report(told("0.2/site-loss-followed"), [told("0.2/watch-of-both")])


def whole() -> Report:
    """The same with a way home on the next morning."""
    run = told("0.2/site-loss-followed")
    home = read(later(lines("0.2/failback-signed"), timedelta(hours=14), incident=run.run))
    return report(run, [told("0.2/watch-of-both"), home])


REPORTS = {
    "loss": loss,
    "loss-and-way-home": whole,
    "failback": lambda: report(told("0.2/failback-signed")),
    "deployment": lambda: report(told("0.2/deploy-apply")),
    "explained": lambda: report(told("0.2/incident-explained")),
}


@pytest.fixture(params=REPORTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture
async def page(chromium: "Browser", name: str, tmp_path: Path) -> "AsyncIterator[Page]":
    """The report as a file, opened without any network."""
    path = written(REPORTS[name](), tmp_path / f"{name}.html")
    context = await chromium.new_context(offline=True)
    window = await context.new_page()
    await window.goto(path.as_uri())
    PICTURES.mkdir(parents=True, exist_ok=True)
    yield window
    await context.close()


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_can_be_read_on_every_screen(page: "Page", name: str, size: str, scheme: str):
    """No finding of the accessibility check, and the page itself never scrolls sideways."""
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": WIDTHS[size], "height": 900})
    found = await Axe().run(page)
    await page.screenshot(path=PICTURES / f"report-{name}-{size}-{scheme}.png", full_page=True)
    wide = await page.evaluate("document.documentElement.scrollWidth")

    assert found.violations_count == 0, found.generate_report()
    assert wide <= WIDTHS[size]


async def test_the_picture_scrolls_in_its_own_box_on_a_phone(page: "Page", name: str):
    """Its letters stay large enough to be read."""
    await page.set_viewport_size({"width": 390, "height": 844})
    box = page.locator(".scroll")
    inside, outside = await box.evaluate("box => [box.scrollWidth, box.clientWidth]")
    letters = await page.locator("svg.timeline text").first.evaluate("text => text.getBoundingClientRect().height")

    assert outside <= 390 < inside
    assert letters >= 10


async def test_marks_stand_at_their_times(page: "Page", name: str):
    """In proportion to its time between the ticks around it, or after the last two; what lasted, at both ends."""
    await page.set_viewport_size({"width": 1280, "height": 900})
    made = REPORTS[name]()
    x = await page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('svg.timeline [id]')]"
        ".map(one => [one.id, one.getBoundingClientRect()]).map(([id, box]) => [id, [box.left, box.right]]))"
    )
    texts = await page.locator("svg.timeline text").all_text_contents()
    ticks = [seconds(text) for text in texts if text.startswith("T+")]
    places = {at: middle(x[f"tick-{number}"]) for number, at in enumerate(ticks)}
    drawn = [(mark.at, middle(x[f"mark-{n}"])) for n, mark in enumerate(made.timeline.marks) if f"mark-{n}" in x]
    for number, span in enumerate(made.timeline.spans):
        drawn += [(span.begin, x[f"span-{number}"][0])] + ([(span.end, x[f"span-{number}"][1])] if span.end else [])
    for number, band in enumerate(made.timeline.bands):
        drawn += [(band.earliest, x[f"band-{number}"][0]), (band.latest, x[f"band-{number}"][1])]
    between = [
        (at, place, before, after)
        for at, place in drawn
        for before, after in pairwise(ticks)
        if before <= at <= (after if after < ticks[-1] else 2 * after - before) and after - before <= 120
    ]

    assert len(ticks) >= 2
    assert len(between) >= min(5, len(drawn))
    for at, place, before, after in between:
        share = (at - before) / (after - before)
        expected = places[before] + share * (places[after] - places[before])
        assert abs(place - expected) <= PIXELS, f"{at} s stands {place - expected:+.1f} pixels off"


async def test_it_prints_on_a4(page: "Page", name: str):
    """Light paper whatever the screen, the summary on the first page, and nothing beyond the margin."""
    await page.emulate_media(media="print", color_scheme="dark")
    await page.set_viewport_size(PAPER)
    await page.screenshot(path=PICTURES / f"report-{name}-a4.png", full_page=True)
    paper = await page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()")
    wide = await page.evaluate("document.documentElement.scrollWidth")
    end = await page.locator(".sentences").evaluate("list => list.getBoundingClientRect().bottom")
    pdf = await page.pdf(path=PICTURES / f"report-{name}.pdf", prefer_css_page_size=True)

    assert paper == "#16202a"
    assert wide <= PAPER["width"]
    assert end <= PAPER["height"]
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/MediaBox [0 0 594.95996 841.91998]") == pdf.count(b"/Type /Page\n") >= 2


async def test_it_works_without_script_and_asks_for_nothing(chromium: "Browser", tmp_path: Path):
    """As it is opened from a mail."""
    path = written(loss(), tmp_path / "report.html")
    context = await chromium.new_context(java_script_enabled=False)
    window = await context.new_page()
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    await window.goto(path.as_uri())
    text = await window.inner_text("main")
    await context.close()

    assert "Site site-a was lost" in text
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def seconds(text: str) -> float:
    """``T+1:02:05``, ``T+3 d 1:02:05``."""
    days, _, clock = text.removeprefix("T+").rpartition(" d ")
    parts = [int(part) for part in clock.split(":")]
    return int(days or 0) * 86400 + sum(part * 60**power for power, part in enumerate(reversed(parts)))


def middle(ends: list[float]) -> float:
    return sum(ends) / 2
