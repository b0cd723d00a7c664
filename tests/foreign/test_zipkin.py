"""Zipkin shows a run on its own page; the spans reach it through an OpenTelemetry Collector."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.plan import Mode
from cluster.traces import trace_of
from tests.conftest import Start
from tests.foreign.receivers import ARRIVES_WITHIN, Collector, asked, collecting, until, zipkin
from workers.cli.main import run as quorate
from workers.settings import Settings
from workers.telemetry.exporting import processors
from workers.telemetry.store import Store
from workers.telemetry.tracing import flushed, tracing
from workflows.catalogue import RunbookRequest

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.foreign

SHOTS = Path("var/browser")
SIZE = {"width": 1280, "height": 900}


@pytest.fixture
def lens(tmp_path: Path) -> Iterator[str]:
    """The address of a Zipkin; Lens is what its page is called."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        pytest.skip("Zipkin needs Java, and comes by Maven: there is no `java` or no `mvn` on PATH")
    with zipkin(tmp_path) as url:
        yield url


async def shown(url: str, wanted: str, shot: str) -> None:
    """Open a page, wait for a text on it, and keep a picture of it."""
    from playwright.async_api import async_playwright

    program = shutil.which("chromium")
    assert program, "chromium is not on PATH: `make test-receivers` installs it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-lcd-text"])
        page: Page = await browser.new_page(viewport=SIZE)
        await page.goto(url)
        await page.get_by_text(wanted).first.wait_for(timeout=20_000)
        SHOTS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=SHOTS / f"{shot}.png")
        await browser.close()


async def test_zipkin_shows_a_run(lens: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """All of its spans, below each other as they are."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path))
    tracing(Settings(), processors(Settings(), {}))
    run = await start(RunbookRequest(mode=Mode.PLAN))
    await run.result()
    await flushed()
    trace = trace_of(run.first_execution_run_id or "")
    (tmp_path / "collector").mkdir()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")

    with collecting(tmp_path / "collector", lens) as collector:
        assert quorate(["trace", trace, "--send", f"http://127.0.0.1:{collector.grpc}"]) == 0
        there = await arrived(collector, lens, trace, Store(tmp_path).found(trace)[0].ended)
        await shown(f"{lens}/zipkin/traces/{trace}", "deploystretchedcluster", "zipkin-deploy")

    print(f"spans in: {len(set(collector.of(trace)))}, spans out: {there}")


async def arrived(collector: Collector, url: str, trace: str, count: int) -> int:
    """Wait until Zipkin has so many spans of the trace; how many."""
    where = f"{url}/api/v2/trace/{trace}"

    def there() -> int:
        found = asked(where) if collector.of(trace) else []
        return len({span["id"] for span in found})

    until(lambda: len(set(collector.of(trace))) == count and there() == count, f"{count} spans", ARRIVES_WITHIN)
    return there()
