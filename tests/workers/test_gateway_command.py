"""`quorate gateway`: it serves, it ends well, and it says what keeps it from starting."""

import asyncio
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
import yaml
from temporalio.client import Client

from activities.clients.secrets import Secrets
from cluster.around import EventSource
from tests.gateways import BEARER, SECRET, SOURCES
from tests.twin import EXAMPLE
from tests.workers.test_gateway_bodies import PVE
from workers.cli.gateway import gateway
from workers.errors import Unusable
from workers.gateway.app import Gateway, listener, server
from workers.gateway.delivery import Delivery
from workers.inventory_file import load
from workers.settings import Settings
from workers.temporal.embedded import TemporalServer


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", SECRET)


@pytest.fixture
def inventory_path(tmp_path: Path) -> Callable[..., Path]:
    def write(**source: Any) -> Path:
        document = yaml.safe_load(EXAMPLE.read_text())
        entry = {"name": "pve", "kind": "pve", "secret": "env:GATEWAY_SECRET", **source}
        document["events"] = [entry]
        path = tmp_path / "inventory.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    return write


async def test_the_command_serves_tls_and_ends_well_on_sigterm(
    temporal: TemporalServer, client: Client, inventory_path: Callable[..., Path], tmp_path: Path
):
    """It says where it listens, takes an event, and leaves with status 0."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "gateway.pem")
    words = ["-i", inventory_path(), "--port", "0", "--tls-cert", tmp_path / "gateway.pem"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import typer; from workers.cli.gateway import gateway; typer.run(gateway)"),
        *map(str, [*words, "--tls-key", tmp_path / "gateway.pem"]),
        stdout=subprocess.PIPE,
        env={**os.environ, "TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": "nobody-works-here"},
    )
    assert process.stdout
    said = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with aiohttp.ClientSession() as session:
        address = re.search(r"https://[\d.:]+/events/", said)
        assert address, said
        async with session.post(f"{address[0]}pve", json=PVE, headers=BEARER, ssl=trusting) as response:
            assert response.status == 202
    process.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(process.wait(), 15) == 0
    assert said.startswith("takes events for pxmx-cluster at https://127.0.0.1:")
    await client.get_workflow_handle("watch/pxmx-cluster").terminate("the test is over")


@pytest.mark.parametrize(
    ("sources", "what"),
    [
        ((), "names no event source"),
        ((SOURCES[0], SOURCES[0]), "two event sources are named pve"),
        (
            (EventSource(name="pve", kind="pve", secret="env:NO_SUCH_NAME"),),
            "event source pve: secret env:NO_SUCH_NAME",
        ),
        ((EventSource(name="pve", kind="pve", secret="file:empty"),), "event source pve: secret file:empty is empty"),
    ],
)
async def test_it_does_not_start_with_senders_that_cannot_be_proven(
    client: Client, sources: tuple[EventSource, ...], what: str, tmp_path: Path
):
    """An empty secret would let everybody in; it says which source is meant."""
    (tmp_path / "empty").write_text("\n")
    inventory = load(EXAMPLE).model_copy(update={"events": sources})

    with pytest.raises(Unusable, match=re.escape(what)):
        Gateway(inventory, Secrets(tmp_path), Delivery(client, inventory.name, "nowhere"), Settings())


async def test_it_says_what_is_wrong_with_its_options(
    client: Client, inventory_path: Callable[..., Path], tmp_path: Path
):
    """A certificate without a key, files that are none, a port that is taken."""
    inventory = load(EXAMPLE).model_copy(update={"events": SOURCES})
    app = Gateway(inventory, Secrets(tmp_path), Delivery(client, inventory.name, "nowhere"), Settings()).app
    with listener("127.0.0.1", 0) as taken, pytest.raises(Unusable, match=r"cannot listen on 127\.0\.0\.1, port"):
        listener("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(Unusable, match="--tls-cert and --tls-key: "):
        server(app, (str(tmp_path / "none"), str(tmp_path / "none")))
    with pytest.raises(Unusable, match="belong together"):
        gateway(inventory_path(), tls_cert=tmp_path / "none")


def test_the_command_line_starts_without_the_web_framework():
    """It is imported by the command that serves, and by no other."""
    code = "import sys, workers.cli.gateway; print({'fastapi', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
