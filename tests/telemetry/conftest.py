"""One exporter in memory for the whole process: a process has one provider for its life."""

from collections.abc import Iterator

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from temporalio.client import Client

from tests.telemetry import COLLECTED, Collected
from workers.settings import Settings
from workers.telemetry.tracing import tracing
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer


@pytest.fixture(scope="session")
def telling() -> bool:
    """This process is traced from now on."""
    return tracing(Settings(), [SimpleSpanProcessor(COLLECTED)])


@pytest.fixture
def collected(telling: bool) -> Iterator[Collected]:
    """The spans that have ended since the test began."""
    COLLECTED.listen()
    yield COLLECTED
    COLLECTED.leave()


@pytest_asyncio.fixture(scope="session")
async def traced(telling: bool, temporal: TemporalServer) -> Client:
    """A client that was made after tracing was switched on."""
    return await connect(temporal.address)
