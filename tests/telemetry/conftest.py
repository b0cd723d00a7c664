"""One exporter in memory for the whole process: a process has one provider for its life."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client

from tests.conftest import Start, working
from tests.telemetry import COLLECTED
from tests.twin import TwinThread
from workers.inventory_file import load
from workers.settings import Settings
from workers.telemetry.tracing import tracing
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer


@pytest.fixture(scope="session")
def telling() -> bool:
    """This process is traced from now on."""
    return tracing(Settings(), [SimpleSpanProcessor(COLLECTED)])


@pytest.fixture
def collected(telling: bool) -> Iterator[InMemorySpanExporter]:
    """The spans that have ended since the test began."""
    COLLECTED.clear()
    yield COLLECTED
    COLLECTED.clear()


@pytest_asyncio.fixture(scope="session")
async def traced(telling: bool, temporal: TemporalServer) -> Client:
    """A client that was made after tracing was switched on."""
    return await connect(temporal.address)


@pytest_asyncio.fixture
async def start(traced: Client, twin: TwinThread, collected: InMemorySpanExporter) -> AsyncIterator[Start]:
    """Start a deployment on a worker that is traced."""
    async with working(traced, load(twin.path), twin.path.parent) as start_one:
        yield start_one
