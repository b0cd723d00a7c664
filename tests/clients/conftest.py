"""What the tests of foreign clients share: where the clients are, a bare and a built twin, Ansible's answers."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.built import build
from tests.lab.pve import RIGHTS
from tests.twin import TwinThread

CLIENTS = Path(__file__).parents[2] / ".venv-clients" / "bin"
PLAYBOOKS = Path(__file__).parent / "playbooks"
# A module that imports the vendor's SDK takes two seconds of a slow core, and the article's steps are thirty modules.
PLAYBOOK_WITHIN = 400
# Three rounds of HA's daemons are half a minute of lab time.
HA_STARTS_WITHIN = 30
STARTS_WITHIN = 60


@dataclass(frozen=True)
class Run:
    """A playbook's run: what each task returned on each host, in order."""

    status: int
    plays: list[dict[str, Any]]
    stats: dict[str, dict[str, int]]
    errors: str

    @property
    def results(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Task name to host to what its module returned; of two tasks with one name the later."""
        return {task["task"]["name"]: task["hosts"] for play in self.plays for task in play["tasks"]}

    @property
    def failures(self) -> list[str]:
        """Every task that failed, with what it said."""
        return [
            f"{name} on {host}: {result.get('msg')} {[each.get('msg') for each in result.get('results', [])]}"
            for name, hosts in self.results.items()
            for host, result in hosts.items()
            if result.get("failed") or result.get("unreachable")
        ]

    @property
    def changed(self) -> list[str]:
        """The tasks that changed something, on any host."""
        return [name for name, hosts in self.results.items() if any(result.get("changed") for result in hosts.values())]

    def of(self, task: str, host: str | None = None) -> dict[str, Any]:
        """What a task returned, on that host or on its only one."""
        hosts = self.results[task]
        return hosts[host] if host else next(iter(hosts.values()))


Play = Callable[..., Run]


def inventory(twin: TwinThread) -> dict[str, Any]:
    """The twin as an Ansible inventory: arrays and nodes, each with its address and its way in."""
    described, base = twin.inventory, twin.path.parent
    token = (base / described.api.token.removeprefix("file:")).read_text()
    user, _, token_id = described.api.token_id.partition("!")
    volume = described.pod.volume
    arrays = {
        array.name: {
            "address": array.address,
            "token": (base / array.api_token.removeprefix("file:")).read_text(),
            "host_group": array.host_group,
            "lun": volume.luns[array.name],
            "portals": list(twin.world.arrays[array.name].portals),
        }
        for array in described.arrays
    }
    machines = [
        {"name": node.name, "iqn": node.iqn, "array": described.site_of(node.name).array} for node in described.nodes
    ]
    shared = {
        "ansible_connection": "local",
        "ansible_python_interpreter": str(CLIENTS / "python"),
        "pod": described.pod.name,
        "volume": volume.name,
        "machines": machines,
        "storage": described.storage.id,
        "volume_group": described.storage.vg,
        "witness": described.device,
        "guests": [{"vmid": guest.vmid, "name": guest.name, "node": guest.node} for guest in described.guests],
        "api_user": user,
        "api_token_id": token_id,
        "api_token_secret": token,
    }
    ssh = {
        "ansible_user": "root",
        "ansible_port": described.ssh.port,
        "ansible_ssh_private_key_file": str(base / described.ssh.key.removeprefix("file:")),
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={base / described.ssh.known_hosts}",
    }
    nodes = {node.name: {"address": node.address, "ansible_host": node.address} for node in described.nodes}
    return {"all": {"vars": shared, "children": {"arrays": {"hosts": arrays}, "nodes": {"hosts": nodes, "vars": ssh}}}}


@pytest.fixture
def twin(twin: TwinThread) -> TwinThread:
    """Foreign clients do more than the engine: their token may, too."""
    twin.grant(RIGHTS)
    return twin


@pytest.fixture
def play(twin: TwinThread, tmp_path: Path) -> Play:
    """Run a playbook of this folder on the twin, with `--check` or extra variables on demand."""
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps(inventory(twin)))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "SSL_CERT_FILE": str(secret(twin, twin.inventory.api.ca)),
        "REQUESTS_CA_BUNDLE": str(secret(twin, twin.inventory.api.ca)),
    }

    def run(playbook: str, *arguments: str, **variables: Any) -> Run:
        command = [CLIENTS / "ansible-playbook", "-i", hosts, PLAYBOOKS / playbook, "-e", json.dumps(variables)]
        done = subprocess.run(
            [*map(str, command), *arguments],
            env=environment, capture_output=True, text=True, timeout=PLAYBOOK_WITHIN, check=False,
        )  # fmt: skip
        assert done.stdout.lstrip().startswith("{"), done.stdout + done.stderr
        found = json.loads(done.stdout)
        return Run(done.returncode, found["plays"], found["stats"], done.stderr)

    return run


@pytest.fixture
def built(twin: TwinThread) -> TwinThread:
    """A twin on which the article's cluster stands, its two guests running under HA."""
    twin.call(build(twin.world))
    until = time.monotonic() + HA_STARTS_WITHIN
    while not _under_ha(twin):
        assert time.monotonic() < until, "HA has not taken the guests"
        time.sleep(0.05)
    return twin


def _under_ha(twin: TwinThread) -> bool:
    manager = twin.world.cluster.ha.manager
    return manager is not None and [service.running for service in manager.services.values()] == [True, True]


def secret(twin: TwinThread, reference: str | None) -> Path:
    """The file that a `file:` reference of the twin's inventory points to."""
    assert reference is not None
    return twin.path.parent / reference.removeprefix("file:")


@contextmanager
def serving(command: list[str], url: str, log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that answers there, until the end of the block."""
    with log.open("w") as out:
        running = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        _answering(url)
        yield running
    finally:
        running.terminate()
        running.wait(30)


def _answering(url: str) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until:
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"{url} did not answer within {STARTS_WITHIN} s")
