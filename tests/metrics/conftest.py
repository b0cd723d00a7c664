"""A process that tells its metrics: each test has a runtime of its own, so that it reads nothing of another."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.incidents.conftest import Site
from tests.metrics import Endpoint
from tests.twin import EXAMPLE, inventory_file
from workers.inventory_file import load
from workers.settings import Settings
from workers.telemetry.metrics import made
from workers.temporal.connect import CONVERTER
from workers.temporal.embedded import TemporalServer, free_port


@pytest_asyncio.fixture
async def endpoint(temporal: TemporalServer) -> AsyncIterator[Endpoint]:
    """At a free port, for the example's cluster at site-a."""
    address = f"127.0.0.1:{free_port()}"
    runtime = made(Settings(metrics=address, at="site-a"), cluster=load(EXAMPLE).name, program="worker", environment={})
    assert runtime is not None
    client = await Client.connect(temporal.address, runtime=runtime, data_converter=CONVERTER)
    yield Endpoint(address, client, runtime.metric_meter)


@pytest.fixture(scope="session")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    twin = Site(inventory_file(tmp_path_factory.mktemp("metrics"), "metrics"))
    yield twin
    twin.stop()


@pytest.fixture
def site(running_site: Site) -> Site:
    """A healthy, built cluster."""
    running_site.rebuild()
    return running_site
