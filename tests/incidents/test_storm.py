"""Ten thousand events in a minute while a site is lost: one incident, none lost, bounded memory."""

import asyncio
import resource
import statistics
import time
from typing import Any

import aiohttp
import pytest
from temporalio.client import Client

from activities.clients.secrets import Secrets
from tests.gateways import BEARER, SECRET, SOURCES
from tests.incidents.conftest import Site, Watched
from workers.gateway.app import Gateway, listener, server
from workers.gateway.delivery import Delivery
from workers.inventory_file import load
from workers.settings import Settings

pytestmark = pytest.mark.slow

EVENTS, MINUTE, AT_ONCE = 10_000, 60.0, 64


async def test_a_storm_makes_one_incident(
    site: Site, watched: Watched, client: Client, monkeypatch: pytest.MonkeyPatch
):
    """Each acknowledged event is counted once by the watch, and the loss is declared in the middle of it."""
    monkeypatch.setenv("GATEWAY_SECRET", SECRET)
    queue = (await watched.handle.describe()).task_queue
    inventory = load(site.path).model_copy(update={"events": SOURCES})
    delivery = Delivery(client, inventory.name, queue)
    serving = server(Gateway(inventory, Secrets(site.path.parent), delivery, Settings(task_queue=queue)).app)
    place = listener("127.0.0.1", 0)
    serve = asyncio.create_task(serving.serve(sockets=[place]))
    url = f"http://127.0.0.1:{place.getsockname()[1]}/events/others"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        site.fail("site-power", "site-a")
        took, opened = await _storm(url, watched)
    finally:
        serving.should_exit = True
        await serve
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024

    state = await watched.until(lambda state: state.received == EVENTS, "all events", 30)
    runs = [run.id async for run in client.list_workflows("WorkflowType='SiteLoss'") if run.id.endswith(_epoch(state))]
    print(
        f"{EVENTS} events, {state.received} counted, {len(runs)} incident, "
        f"POST p50 {statistics.median(took) * 1000:.0f} ms, "
        f"p99 {statistics.quantiles(took, n=100)[98] * 1000:.0f} ms, first POST to incident open {opened:.1f} s, "
        f"memory grown by {grown:.0f} MB"
    )
    assert state.received == EVENTS
    assert len(runs) == 1
    assert grown < 300


def _epoch(state: Any) -> str:
    return str(state.open.run).rpartition("/")[2]


async def _sent(session: aiohttp.ClientSession, url: str, body: dict[str, str]) -> float | None:
    """None when it is acknowledged; else the seconds after which a sender shall come again, as every sender does."""
    headers = {**BEARER, "Content-Type": "application/cloudevents+json"}
    async with session.post(url, json=body, headers=headers) as answer:
        if answer.status == 202:
            return None
        assert answer.status in (429, 503), await answer.text()
        return float(answer.headers["Retry-After"])


async def _storm(url: str, watched: Watched) -> tuple[list[float], float]:
    """Seconds of each POST, and until an incident was open."""
    took: list[float] = []
    gate, began = asyncio.Semaphore(AT_ONCE), time.monotonic()

    async def opened() -> float:
        await watched.incident(90)
        return time.monotonic() - began

    watching = asyncio.create_task(opened())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(number: int) -> None:
            await asyncio.sleep(max(0.0, began + number * MINUTE / EVENTS - time.monotonic()))
            body = {"specversion": "1.0", "id": f"e{number}", "source": "storm", "type": "alert", "subject": "site-a"}
            async with gate:
                start = time.monotonic()
                while (again := await _sent(session, url, body)) is not None:
                    assert time.monotonic() - began < 2 * MINUTE, f"waited for event {number} to be taken"
                    await asyncio.sleep(again)
                took.append(time.monotonic() - start)

        await asyncio.gather(*(one(number) for number in range(EVENTS)))
    return took, await watching
