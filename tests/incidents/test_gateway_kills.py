"""The gateway killed again and again while events come in: what it acknowledged has arrived, each event once."""

import asyncio
import contextlib
from pathlib import Path

import aiohttp
import pytest
import yaml
from temporalio.client import Client

from tests.gateways import BEARER, SECRET
from tests.incidents.conftest import Site, Watched
from workers.children import Child
from workers.temporal.embedded import free_port

pytestmark = pytest.mark.slow

EVENTS, KILLS = 400, 8


async def test_a_killed_gateway_loses_nothing_that_it_acknowledged(
    site: Site, watched: Watched, client: Client, tmp_path: Path
):
    """A sender that got no answer sends again; the watch counts each event once."""
    document = yaml.safe_load(site.path.read_text())
    document["events"] = [{"name": "others", "kind": "cloudevents", "secret": "env:GATEWAY_SECRET"}]
    path = site.path.with_name("with-a-gateway.yaml")
    path.write_text(yaml.safe_dump(document))
    port = free_port()
    environment = {
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "GATEWAY_SECRET": SECRET,
        "QUORATE_TASK_QUEUE": (await watched.handle.describe()).task_queue,
    }

    async def start(number: int) -> Child:
        arguments = ["gateway", "-i", str(path), "--port", str(port)]
        gateway = Child("the gateway", arguments, log=tmp_path / f"{number}.log", environment=environment)
        await gateway.says("takes events for")
        return gateway

    gateway, acked = await start(0), 0
    url = f"http://127.0.0.1:{port}/events/others"
    headers = {**BEARER, "Content-Type": "application/cloudevents+json"}
    async with aiohttp.ClientSession() as session:
        for number in range(EVENTS):
            if number and number % (EVENTS // KILLS) == 0:
                sending = asyncio.create_task(_sent(session, url, headers, number))
                await asyncio.sleep(0.02)  # in the middle of it
                gateway.kill()
                gateway = await start(number)
                await sending
            else:
                await _sent(session, url, headers, number)
            acked += 1
    await asyncio.to_thread(gateway.stop)

    state = await watched.until(lambda state: state.received == EVENTS, "all events")
    print(f"gateway killed {KILLS - 1} times, {acked} events acknowledged, {state.received} counted, each once")
    assert state.received == acked == EVENTS


async def _sent(session: aiohttp.ClientSession, url: str, headers: dict[str, str], number: int) -> None:
    """Until it is acknowledged, as every sender with a queue does."""
    body = {"specversion": "1.0", "id": f"k{number}", "source": "kills", "type": "alert"}
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.post(url, json=body, headers=headers) as answer:
                    if answer.status == 202:
                        return
            await asyncio.sleep(0.05)
