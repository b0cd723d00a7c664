"""A Prometheus server reads a worker, evaluates the rules, and answers every panel of the dashboard."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.incidents.conftest import Site, watching
from tests.metrics import Endpoint
from tests.metrics.files import ALERTS, CONFIG, program, queries, rules
from tests.patience import Deadline
from workers.telemetry.survey import surveyed
from workers.temporal.embedded import free_port

pytestmark = pytest.mark.slow


class Server:
    """One that runs."""

    def __init__(self, address: str) -> None:
        self.address = address

    def _get(self, path: str, **words: str) -> Any:
        query = urllib.parse.urlencode(words)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=10) as answer:  # loopback
            return json.loads(answer.read())["data"]

    def found(self, query: str) -> list[dict[str, Any]]:
        """The series that answer it now."""
        return list(self._get("query", query=query)["result"])

    def states(self) -> dict[str, str]:
        """How each alert stands."""
        found = self._get("rules", type="alert")
        return {rule["name"]: rule["state"] for group in found["groups"] for rule in group["rules"]}

    def broken(self) -> set[str]:
        """Rules that cannot be evaluated."""
        found = self._get("rules", type="alert")
        return {rule["name"] for group in found["groups"] for rule in group["rules"] if rule["health"] != "ok"}


@asynccontextmanager
async def reading(target: str, folder: Path) -> AsyncIterator[Server]:
    """With the example's configuration, once a second; it has been asked when this begins."""
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ALERTS)]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    server = Server(f"127.0.0.1:{free_port()}")
    process = _started(server, folder)
    deadline = Deadline(30)
    try:
        while not _answers(server):
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            assert not deadline.over, (folder / "prometheus.log").read_text()
            await deadline.a_while()
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _started(server: Server, folder: Path) -> subprocess.Popen[bytes]:
    words = ("config.file=prometheus.yaml", "storage.tsdb.path=data", f"web.listen-address={server.address}")
    with (folder / "prometheus.log").open("wb") as log:
        return subprocess.Popen(
            [program("prometheus"), *(f"--{word}" for word in words)], cwd=folder, stdout=log, stderr=log
        )


def _answers(server: Server) -> bool:
    try:
        return bool(server.found('up{job="quorate"} == 1'))
    except OSError:
        return False


async def test_a_server_reads_a_healthy_cluster_and_has_nothing_to_say(
    endpoint: Endpoint,
    site: Site,
    tmp_path: Path,
):
    """Every rule can be evaluated and none fires; every panel's query is answered."""
    async with (
        watching(endpoint.client, site),
        surveyed(endpoint.client, site.inventory.name),
        reading(endpoint.address, tmp_path) as server,
    ):
        # before the first answer of the worker, it seems to be gone
        silent = {rule["alert"]: "inactive" for rule in rules()}
        deadline = Deadline(40)
        while server.states() != silent or not server.found('quorate_verdict{kind="healthy"} == 1'):
            assert not deadline.over, f"waited until no alert says anything: {server.states()}"
            await deadline.a_while()
        shown = [query.replace("$__rate_interval", "1m").replace("$cluster", ".+") for query in queries()]
        answered = [query for query in shown if server.found(query)]

        assert server.broken() == set()
        assert server.found("max by (kind) (quorate_verdict) == 1")[0]["metric"] == {"kind": "healthy"}
        assert len(answered) > 10
