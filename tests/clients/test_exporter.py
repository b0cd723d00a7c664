"""prometheus-pve-exporter, unmodified, with the engine's token: what a monitoring system sees of the cluster."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests.clients.conftest import CLIENTS, secret, serving
from tests.twin import TwinThread
from workers.temporal.embedded import free_port

pytestmark = pytest.mark.clients

Metrics = dict[str, dict[frozenset[tuple[str, str]], float]]
Scrape = Callable[[], Metrics]


@pytest.fixture
def scrape(built: TwinThread, tmp_path: Path) -> Iterator[Scrape]:
    """Metric by metric, label set by label set, what the exporter tells of a node's cluster; TLS is verified."""
    described = built.inventory
    user, _, name = described.api.token_id.partition("!")
    token = secret(built, described.api.token).read_text()
    module = {"user": user, "token_name": name, "token_value": token, "verify_ssl": True}
    configuration = tmp_path / "pve.yml"
    configuration.write_text(yaml.safe_dump({"default": module}))
    listen = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(secret(built, described.api.ca))}
    command = [CLIENTS / "pve_exporter", "--config.file", configuration, "--web.listen-address", listen]
    with serving([*map(str, command)], f"http://{listen}/", tmp_path / "exporter.log", environment):
        target = {"target": described.nodes[0].address, "cluster": "1", "node": "1"}

        def once() -> Metrics:
            answer = requests.get(f"http://{listen}/pve", params=target, timeout=60)
            assert answer.status_code == 200, answer.text + (tmp_path / "exporter.log").read_text()
            return metrics_of(answer.text)

        yield once


def metrics_of(text: str) -> Metrics:
    """Prometheus's text format: ``pve_up{id="node/pxmx01-01"} 1.0``."""
    found: Metrics = {}
    for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE):
        found.setdefault(name, {})[frozenset(re.findall(r'(\w+)="([^"]*)"', labels))] = float(value)
    return found


def _by_id(metrics: Metrics, name: str) -> dict[str, float]:
    return {dict(labels)["id"]: value for labels, value in metrics[name].items()}


def _labels(metrics: Metrics, name: str, label: str) -> dict[str, str]:
    """Each id with one of its other labels."""
    return {dict(labels)["id"]: dict(labels)[label] for labels in metrics[name]}


def test_every_node_guest_and_storage_is_up(scrape: Scrape, built: TwinThread) -> None:
    """The whole cluster in one scrape: 6 nodes, 2 running guests and their origin, the shared storage on each node."""
    metrics = scrape()

    up = _by_id(metrics, "pve_up")
    nodes = [node.name for node in built.inventory.nodes]
    assert {f"node/{node}": up[f"node/{node}"] for node in nodes} == {f"node/{node}": 1.0 for node in nodes}
    assert (up["qemu/300"], up["qemu/301"], up["qemu/101"]) == (1.0, 1.0, 0.0)
    assert [up[f"storage/{node}/pxmx-ac-shared"] for node in nodes] == [1.0] * 6
    assert up[f"cluster/{built.inventory.name}"] == 1.0
    assert set(_labels(metrics, "pve_node_info", "name").values()) == set(nodes)
    assert _labels(metrics, "pve_guest_info", "node") == {
        "qemu/101": "pxmx01-01", "qemu/300": "pxmx01-01", "qemu/301": "pxmx01-02",
    }  # fmt: skip
    assert _labels(metrics, "pve_guest_info", "name")["qemu/300"] == "ac-test-vm-01"


def test_storages_tell_size_type_and_whether_they_are_shared(scrape: Scrape) -> None:
    """The shared LVM as each node sees it, with the two guests' disks in use."""
    metrics = scrape()

    shared = "storage/pxmx02-03/pxmx-ac-shared"
    assert _labels(metrics, "pve_storage_info", "plugintype")[shared] == "lvm"
    assert _labels(metrics, "pve_storage_info", "content")[shared] == "images,rootdir"
    assert _by_id(metrics, "pve_storage_shared")[shared] == 1.0
    assert _by_id(metrics, "pve_storage_shared")["storage/pxmx02-03/local"] == 0.0
    assert 10 * 1024**4 - _by_id(metrics, "pve_disk_size_bytes")[shared] in range(1, 64 * 1024**2)
    assert _by_id(metrics, "pve_disk_usage_bytes")[shared] == 16 * 1024**3


def test_ha_and_the_quorum_device_are_seen(scrape: Scrape, built: TwinThread) -> None:
    """Guests are started, nodes online, and the witness is connected."""
    metrics = scrape()

    held = {tuple(dict(labels)[key] for key in ("id", "state")) for labels, on in metrics["pve_ha_state"].items() if on}
    assert held == {("qemu/300", "started"), ("qemu/301", "started")} | {
        (f"node/{node.name}", "online") for node in built.inventory.nodes
    }
    assert list(metrics["pve_qdevice_up"].values()) == [1.0]
    assert list(_labels(metrics, "pve_qdevice_info", "qnetd_host").values()) == [f"{built.inventory.device}:5403"]


def test_a_dead_node_is_down_in_the_next_scrape(scrape: Scrape, built: TwinThread) -> None:
    """What the exporter's users alert on."""
    before = _by_id(scrape(), "pve_up")["node/pxmx02-02"]

    built.power_off("pxmx02-02")

    assert before == 1.0
    assert _by_id(scrape(), "pve_up")["node/pxmx02-02"] == 0.0
    assert _by_id(scrape(), "pve_up")["node/pxmx01-01"] == 1.0
