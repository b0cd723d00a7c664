"""A traced deployment on the twin, and who takes its spans."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import Start, working
from tests.foreign.receivers import Collector, collecting
from tests.twin import TwinThread
from workers.inventory_file import load
from workers.settings import Settings
from workers.telemetry.tracing import tracing
from workers.temporal.connect import connect
from workers.temporal.embedded import TemporalServer


@pytest_asyncio.fixture
async def start(twin: TwinThread, temporal: TemporalServer) -> AsyncIterator[Start]:
    """Start a deployment in a process that is traced; a test says who takes the spans."""
    tracing(Settings())
    async with working(await connect(temporal.address), load(twin.path), twin.path.parent) as start_one:
        yield start_one


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """The Collector; it is built once."""
    if shutil.which("go") is None:
        pytest.skip("the OpenTelemetry Collector is built with Go, and there is no `go` on PATH")
    with collecting(tmp_path) as one:
        yield one
