"""A gateway over real HTTP before a real Temporal, and a watch that keeps what it was sent."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.clients.secrets import Secrets
from cluster.around import EventSource
from cluster.events import Event, EventBatch
from cluster.inventory import Inventory
from tests.twin import EXAMPLE
from tests.workers.test_gateway_bodies import CLOUD
from workers.gateway.app import Gateway, Server, listener, server
from workers.gateway.delivery import Delivery
from workers.inventory_file import load
from workers.settings import Settings

SECRET = "a-secret-of-the-sender"
SOURCES = (
    EventSource(name="pve", kind="pve", secret="env:GATEWAY_SECRET"),
    EventSource(name="prometheus", kind="alertmanager", secret="env:GATEWAY_SECRET"),
    EventSource(name="arrays", kind="purity", auth="hmac", secret="env:GATEWAY_SECRET"),
    EventSource(name="others", kind="cloudevents", secret="env:GATEWAY_SECRET"),
)
BEARER = {"Authorization": f"Bearer {SECRET}"}
STRUCTURED = {**BEARER, "Content-Type": "application/cloudevents+json"}


@workflow.defn(name="ClusterWatch")
class Recorder:
    """A watch that keeps what it was sent."""

    def __init__(self) -> None:
        self.batches: list[EventBatch] = []
        self.request: dict[str, str] = {}

    @workflow.run
    async def run(self, request: dict[str, str]) -> None:
        self.request = request
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def events(self, batch: EventBatch) -> None:
        self.batches.append(batch)

    @workflow.query
    def seen(self) -> list[EventBatch]:
        return self.batches

    @workflow.query
    def of(self) -> dict[str, str]:
        return self.request


@dataclass
class Answer:
    """What came back."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


@dataclass
class Running:
    """A gateway that serves."""

    url: str
    client: Client
    inventory: Inventory
    settings: Settings
    delivery: Delivery
    serving: Server
    session: aiohttp.ClientSession

    async def post(self, source: str, body: Any, headers: dict[str, str] = BEARER) -> Answer:
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body
        return await self._answer(self.session.post(f"{self.url}/events/{source}", data=data, headers=headers))

    async def get(self, path: str) -> Answer:
        return await self._answer(self.session.get(f"{self.url}{path}"))

    async def _answer(self, asking: Any) -> Answer:
        async with asking as response:
            return Answer(response.status, await response.json(), response.headers)

    async def batches(self) -> list[EventBatch]:
        """What the watch has, read by a worker that starts only now."""
        async with self._worker():
            handle = self.client.get_workflow_handle(f"watch/{self.inventory.name}")
            assert await handle.query(Recorder.of) == {"cluster": self.inventory.name}
            return await handle.query(Recorder.seen)

    async def seen(self) -> list[Event]:
        return [event for batch in await self.batches() for event in batch.events]

    def _worker(self) -> Worker:
        queue = self.settings.task_queue
        runner = UnsandboxedWorkflowRunner()
        return Worker(self.client, task_queue=queue, workflows=[Recorder], workflow_runner=runner)


@asynccontextmanager
async def running(
    client: Client,
    *,
    settings: dict[str, Any] | None = None,
    sources: tuple[EventSource, ...] = SOURCES,
    **options: Any,
) -> AsyncIterator[Running]:
    """A gateway on loopback for a cluster of its own."""
    name = f"c{uuid.uuid4().hex[:12]}"
    inventory = load(EXAMPLE).model_copy(update={"name": name, "events": sources})
    chosen = Settings(task_queue=name, **(settings or {}))
    delivery = Delivery(client, name, chosen.task_queue, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_SECRET", SECRET)
        serving = server(Gateway(inventory, Secrets(EXAMPLE.parent), delivery, chosen).app)
    place = listener("127.0.0.1", 0)
    url = f"http://127.0.0.1:{place.getsockname()[1]}"
    serve = asyncio.create_task(serving.serve(sockets=[place]))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        try:
            yield Running(url, client, inventory, chosen, delivery, serving, session)
        finally:
            serving.should_exit = True
            await serve
            with contextlib.suppress(RPCError):
                await client.get_workflow_handle(f"watch/{name}").terminate("the test is over")


async def until(condition: Callable[[], bool]) -> None:
    """Look until it is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what is looked at belongs to uvicorn
            await asyncio.sleep(0.005)


def signature(body: bytes, *, stamp: int | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers that sign this body."""
    text = f"{int(time.time()) if stamp is None else stamp}"
    digest = hmac.new(secret.encode(), text.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Quorate-Timestamp": text, "X-Quorate-Signature": f"sha256={digest}"}


def signed(body: Any, *, stamp: int | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers that sign this document, as `Running.post` sends it."""
    return signature(json.dumps(body).encode(), stamp=stamp, secret=secret)


def cloud(number: int | str) -> dict[str, Any]:
    return CLOUD | {"id": f"event-{number}"}
