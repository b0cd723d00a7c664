"""Clients of other languages, where their tools are installed: npm's proxmox-api and Go's go-proxmox."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import CLIENTS, secret
from tests.twin import TwinThread

pytestmark = pytest.mark.clients

HERE = Path(__file__).parent
# The first time they fetch what they need.
INSTALLED_WITHIN = 300

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on this machine: proxmox-api is not tried")
needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="no Go on this machine: go-proxmox is not tried")


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=INSTALLED_WITHIN, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def npm() -> Path:
    """A folder with the package and the script."""
    folder = CLIENTS.parent / "npm"
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "tour.mjs"):
        shutil.copy(HERE / "npm" / name, folder)
    if not (folder / "node_modules" / "proxmox-api").is_dir():
        run(["npm", "install", "--silent", "--no-audit", "--no-fund"], folder)
    return folder


@pytest.fixture(scope="session")
def go_program() -> Path:
    """The program, built; Go keeps what it has fetched and compiled."""
    program = CLIENTS.parent / "go-proxmox-tour"
    run(["go", "build", "-o", str(program), "."], HERE / "go")
    return program


def logins(twin: TwinThread) -> dict[str, dict[str, str]]:
    """By token and by password, in npm's words."""
    token = secret(twin, twin.inventory.api.token).read_text()
    root = twin.world.cluster.users["root@pam"].password
    return {
        "token": {"tokenID": twin.inventory.api.token_id, "tokenSecret": token},
        "password": {"username": "root@pam", "password": root},
    }


@needs_npm
@pytest.mark.parametrize("way", ["token", "password"])
def test_npms_proxmox_api_reads_writes_and_follows_a_task(npm: Path, built: TwinThread, way: str) -> None:
    """It compares the content type as text, and shows refusals by their reason phrase."""
    built.world.cluster.ha.resources.pop("vm:301")  # a plain stop, not one by HA
    given: dict[str, Any] = {"host": built.inventory.nodes[1].address, "node": "pxmx01-02", "vmid": 301}
    ca = str(secret(built, built.inventory.api.ca))
    told = json.loads(
        run(["node", "tour.mjs"], npm, TWIN=json.dumps({**given, **logins(built)[way]}), NODE_EXTRA_CA_CERTS=ca)
    )

    refusal = told.pop("refusal")
    assert told == {
        "version": "9.1.9",
        "nodes": [node.name for node in built.inventory.nodes],
        "storages": 18,
        "description": "by proxmox-api",
        "exit": "OK",
    }
    assert "Error 500 Configuration file 'nodes/pxmx01-02/qemu-server/999.conf' does not exist" in refusal
    assert "pxmx01-02 guest.stop 301 {}" in built.change_lines()


@needs_go
@pytest.mark.parametrize("way", ["token", "password"])
def test_go_proxmox_clones_starts_stops_and_removes_a_guest(go_program: Path, built: TwinThread, way: str) -> None:
    """Its types are strict: an integer where it expects text ends it."""
    found = logins(built)[way]
    given = {
        "Host": built.inventory.nodes[0].address,
        "Node": "pxmx01-01",
        "Ca": str(secret(built, built.inventory.api.ca)),
        "User": found.get("username", ""),
        "Password": found.get("password", ""),
        "Token": found.get("tokenID", ""),
        "Secret": found.get("tokenSecret", ""),
    }
    told = json.loads(run([str(go_program)], HERE, TWIN=json.dumps(given)))

    assert "Configuration file 'nodes/pxmx01-01/qemu-server/320.conf' does not exist" in told.pop("refusal")
    assert told == {
        "version": "9.1.9", "quorate": 1, "nodes": 6, "resources": 27, "tasks": 4, "networks": 4, "storages": 3,
        "report": True, "roles": True, "users": 2, "pools": 0, "exits": ["OK"] * 4,
    }  # fmt: skip
    assert [line for line in built.change_lines() if "320" in line] == [
        'pxmx01-01 guest.cloning 320 {"source": 101}',
        'pxmx01-01 guest.clone 320 {"name": "by-go", "source": 101, "storage": "pxmx-ac-shared"}',
        "pxmx01-01 guest.start 320 {}", "pxmx01-01 guest.stop 320 {}", "pxmx01-01 guest.delete 320 {}",
    ]  # fmt: skip
