"""A Temporal whose time can be skipped: the test server of Temporal's Java SDK, as it comes by Maven.

It is no whole Temporal: it lists no runs, so a client of a worker on it is told that there are none.
"""

import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.testservice.v1 import SleepRequest
from temporalio.client import (
    Client,
    Interceptor,
    ListWorkflowsInput,
    OutboundInterceptor,
    WorkflowExecutionAsyncIterator,
)

from tests.foreign.receivers import listens, running
from workers.temporal.binary import cache_folder
from workers.temporal.connect import connect
from workers.temporal.embedded import free_port
from workflows import attributes

POM = Path(__file__).parent / "clock" / "pom.xml"
SERVER = "io.temporal.testserver.TestServer"


def classpath() -> str:
    """The server and what it stands on; fetched where it has not been fetched yet."""
    kept = cache_folder() / "test-server" / POM.read_text().partition("<version>1.")[2].partition("<")[0]
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:build-classpath", f"-Dmdep.outputFile={kept}"]
        subprocess.run(command, check=True)
    return kept.read_text()


class _Nothing(WorkflowExecutionAsyncIterator):
    async def __anext__(self) -> None:  # type: ignore[override]  # there is no first one
        raise StopAsyncIteration


class _Unlisted(OutboundInterceptor):
    def list_workflows(self, input: ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:  # noqa: A002  # SDK's name
        return _Nothing(None, input)  # type: ignore[arg-type]  # it asks nobody


class Unlisted(Interceptor):
    """A client that is told of no other runs."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002  # SDK's name
        return _Unlisted(next)


@asynccontextmanager
async def skipping(folder: Path) -> AsyncIterator[Client]:
    """A client of such a server; its time goes on by itself, and in leaps where a test wants it (`leap`)."""
    port = free_port()
    java = shutil.which("java") or "java"
    words = [java, "-Xmx512m", "-cp", classpath(), SERVER, str(port)]
    with running(words, folder / "server.log", {}, lambda: listens(port)):
        config = (await connect(f"127.0.0.1:{port}")).config()
        await registered(Client(**config))
        config["interceptors"] = [*config["interceptors"], Unlisted()]
        yield Client(**config)


async def registered(client: Client) -> None:
    """The search attributes that runs need."""
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(search_attributes={key.name: keyword for key in attributes.ALL})
    )


async def leap(client: Client, by: timedelta) -> None:
    """Let so much time pass at once."""
    request = SleepRequest()
    request.duration.FromTimedelta(by)
    await client.test_service.unlock_time_skipping_with_sleep(request)
