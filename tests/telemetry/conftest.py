"""One exporter in memory for the whole process: a process has one provider for its life."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client

from tests.conftest import Start, working
from tests.twin import TwinThread
from workers.inventory_file import load
from workers.settings import Settings
from workers.telemetry.tracing import tracing
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer

COLLECTED = InMemorySpanExporter()
_on: list[bool] = []


@pytest.fixture
def collected() -> Iterator[InMemorySpanExporter]:
    """The spans that have ended since the test began."""
    if not _on:
        _on.append(tracing(Settings(), [SimpleSpanProcessor(COLLECTED)]))
    COLLECTED.clear()
    yield COLLECTED
    COLLECTED.clear()


@pytest_asyncio.fixture
async def traced(collected: InMemorySpanExporter, temporal: TemporalServer) -> Client:
    """A client that was made after tracing was switched on."""
    return await connect(temporal.address)


@pytest_asyncio.fixture
async def start(traced: Client, twin: TwinThread) -> AsyncIterator[Start]:
    """Start a deployment on a worker that is traced."""
    async with working(traced, load(twin.path), twin.path.parent) as start_one:
        yield start_one
