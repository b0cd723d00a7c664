"""What the browser tests stand on: a Temporal server with its web UI, a worker, the twin, and Chromium.

Playwright is imported where it is used, and without it no test is looked for here: `make test` has none.
"""

import contextlib
import importlib.util
import itertools
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError

from tests.failback.conftest import begin, people, running_far_site, site, start
from tests.ledgers import erase
from tests.twin import TwinThread
from tests.workflows.test_operator import FULL, plant
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.embedded import TemporalServer, free_port
from workers.worker.run import worker

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.browser.screens import Console

__all__ = ["begin", "people", "running_far_site", "site", "start"]  # the failback's fixtures serve here as well

collect_ignore_glob = [] if importlib.util.find_spec("playwright") else ["test_*.py"]

# A screen is there in a second; a machine that is busy with other things takes its time over all of it.
PATIENCE = 20_000  # milliseconds
QUEUES = itertools.count(1)


@pytest_asyncio.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    """In place of the headless one of the other tests."""
    folder = tmp_path_factory.mktemp("temporal")
    server = TemporalServer(database=None, port=free_port(), ui_port=free_port(), log=folder / "temporal.log")
    await server.start(print)
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session")
async def chromium() -> "AsyncIterator[Browser]":
    """The machine's own: Playwright is never asked to download one."""
    from playwright.async_api import async_playwright, expect

    program = shutil.which("chromium")
    assert program, "chromium is not on PATH: `make test-browser` installs it"
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        # as root it has no sandbox; letters without coloured edges make smaller pictures
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-lcd-text"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def window(chromium: "Browser", temporal: TemporalServer) -> "AsyncIterator[Page]":
    """The UI in a fresh browser window."""
    from tests.browser.screens import SIZE

    context = await chromium.new_context(
        base_url=temporal.ui, viewport=SIZE, permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(PATIENCE)
    yield await context.new_page()
    await context.close()


@pytest_asyncio.fixture
async def console(window: "Page", client: Client, twin: TwinThread) -> "AsyncIterator[Console]":
    """A window with a worker behind it.

    The queue is new each time: the worker of the test before may still be listening on its own.
    """
    from tests.browser.screens import Console

    queue = f"runbooks-{next(QUEUES)}"
    settings = Settings(task_queue=queue, grace=timedelta(seconds=1))
    one = Console(window, queue)
    await erase(client, twin.inventory.name)  # it answers on the queue of the worker that it began with
    async with worker(client, load(twin.path), twin.path.parent, settings):
        yield one
        # a test that failed may leave a run that waits for an answer, and holds its claim
        for workflow_id in {*one.started, f"deploy/{twin.inventory.name}"}:
            with contextlib.suppress(RPCError):
                await client.get_workflow_handle(workflow_id).terminate("the test is over")


@pytest_asyncio.fixture
async def parked(console: "Console", twin: TwinThread) -> "Console":
    """A deployment that waits for an answer, its page before one's eyes."""
    plant(twin, FULL)
    await console.start_deployment('{"mode": "apply"}')
    await console.tab("User Metadata")
    await console.read_until("failed and waits for your answer.")
    return console
