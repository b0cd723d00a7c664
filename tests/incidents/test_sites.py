"""Workers that stand at the sites: asked before a loss is declared, and never waited for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from cluster.watching import Awaited, Reach
from tests.incidents.conftest import Site, Watched, watching
from workers.inventory_file import load
from workers.settings import Settings
from workers.worker.run import worker_at

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def watched_with_workers(client: Client, site: Site) -> AsyncIterator[Watched]:
    """A watch that knows of a worker at site-a."""
    text = site.path.read_text()
    site.path.write_text(f"{text}\nwatch:\n  workers_at: [site-a]\n")
    try:
        async with watching(client, site) as watch:
            yield watch
    finally:
        site.path.write_text(text)


async def _queue(watched: Watched) -> str:
    return (await watched.handle.describe()).task_queue


async def test_a_lost_sites_worker_is_not_waited_for(site: Site, watched_with_workers: Watched):
    """It went with its site: three seconds later the loss is declared."""
    site.fail("site-power", "site-a")

    await watched_with_workers.says("site-lost")
    assert (await watched_with_workers.incident()).id.startswith("site-loss/")


async def test_a_worker_that_reaches_nothing_there_changes_nothing(
    site: Site, watched_with_workers: Watched, client: Client
):
    """Its own host has power, the nodes have none."""
    base: Path = site.path.parent
    settings = Settings(task_queue=await _queue(watched_with_workers), speed=site.speed)
    async with worker_at(client, load(site.path), base, settings, "site-a"):
        site.fail("site-power", "site-a")
        await watched_with_workers.says("site-lost")


@activity.defn(name="watch.reach")
async def reaches_two(where: Awaited) -> Reach:
    """What a worker inside a cut-off site finds: on loopback everybody stands at the same place."""
    return Reach(finding="2 of 3 nodes answer", nodes=("pxmx01-01", "pxmx01-02"))


async def test_a_worker_that_reaches_nodes_there_proves_them_alive(
    site: Site, watched_with_workers: Watched, client: Client
):
    """The site is cut off, not lost: its guests may be running."""
    async with Worker(client, task_queue=f"{await _queue(watched_with_workers)}@site-a", activities=[reaches_two]):
        site.fail("site-power", "site-a")
        state = await watched_with_workers.says("site-isolated")

    assert state.verdict is not None
    assert state.verdict.main.reasons[-1] == "the worker at site-a answers and reaches pxmx01-01, pxmx01-02"
