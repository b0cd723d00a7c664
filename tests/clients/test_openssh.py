"""OpenSSH's own `ssh`, with the key and the known hosts that the twin wrote."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from lab.twin import control_url
from tests.clients.conftest import secret
from tests.twin import TwinThread

pytestmark = pytest.mark.clients

Ssh = Callable[..., subprocess.CompletedProcess[str]]


def _command(twin: TwinThread, host: str, line: str, *options: str, key: Path | None = None) -> list[str]:
    described = twin.inventory
    addresses = {node.name: node.address for node in described.nodes} | {"qdevice": described.device}
    known = secret(twin, described.ssh.known_hosts)
    return [
        "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
        "-o", f"UserKnownHostsFile={known}", "-i", str(key or secret(twin, described.ssh.key)), *options,
        "-p", str(described.ssh.port), f"root@{addresses[host]}", line,
    ]  # fmt: skip


@pytest.fixture
def ssh(built: TwinThread) -> Ssh:
    """Run one command on a host, with any further options of `ssh`."""

    def run(host: str, line: str, *options: str, key: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = _command(built, host, line, *options, key=key)
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name."""
    with tempfile.TemporaryDirectory(prefix="q") as folder:
        yield Path(folder)


def test_a_nodes_and_the_witnesss_commands_answer(ssh: Ssh) -> None:
    """Output, status and an empty stderr, as from a host."""
    votes = ssh("pxmx01-01", "pvecm status")
    clients = ssh("qdevice", "corosync-qnetd-tool -l")

    assert (votes.returncode, votes.stderr) == (0, "")
    assert "Total votes:      7" in votes.stdout
    assert (clients.returncode, clients.stderr) == (0, "")
    assert clients.stdout.count("Node ID") == 6


def test_a_failed_commands_status_and_words_come_through(ssh: Ssh) -> None:
    """Standard error stays apart from standard output."""
    missing = ssh("pxmx01-01", "qm config 999")
    unknown = ssh("qdevice", "no-such-program")

    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "Configuration file 'nodes/pxmx01-01/qemu-server/999.conf' does not exist\n"
    assert (unknown.returncode, unknown.stdout) == (127, "")
    assert unknown.stderr.endswith("no-such-program: command not found\n")


def test_two_commands_run_side_by_side_over_one_connection(ssh: Ssh, built: TwinThread, short: Path) -> None:
    """A master connection with two sessions at once, each with its own output and status."""
    # a socket's path has no room for a test's long name
    shared = ("-o", f"ControlPath={short}/%C")
    assert ssh("pxmx01-02", "true", *shared, "-o", "ControlMaster=yes", "-o", "ControlPersist=30").returncode == 0
    lines = ("hostname", "qm status 999")

    both = [
        subprocess.Popen(_command(built, "pxmx01-02", line, *shared), stdout=-1, stderr=-1, text=True) for line in lines
    ]

    (name, _), (nothing, _) = (one.communicate(timeout=60) for one in both)
    assert ((name, both[0].returncode), (nothing, both[1].returncode)) == (("pxmx01-02\n", 0), ("", 2))
    assert ssh("pxmx01-02", "", *shared, "-O", "exit").returncode == 0


def test_a_foreign_key_and_a_foreign_host_are_refused(ssh: Ssh, tmp_path: Path) -> None:
    """Neither side takes the other for granted."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "nobody").touch()

    as_stranger = ssh("pxmx01-01", "true", key=key)
    unknown_host = ssh("pxmx01-01", "true", "-o", f"GlobalKnownHostsFile={tmp_path / 'nobody'}", "-o", "HostKeyAlias=x")

    assert (as_stranger.returncode, "Permission denied (publickey)" in as_stranger.stderr) == (255, True)
    assert (unknown_host.returncode, "Host key verification failed" in unknown_host.stderr) == (255, True)


def test_behind_a_cut_link_the_caller_runs_into_its_own_timeout(ssh: Ssh, built: TwinThread) -> None:
    """What is sent into the dark is lost; nobody refuses it."""
    fault = {"fault": "site-network", "where": ["site-b"]}
    requests.post(f"{control_url(built.inventory)}/fail", json=fault, timeout=10).raise_for_status()

    began = time.monotonic()
    silent = ssh("pxmx02-03", "hostname", "-o", "ConnectTimeout=2")

    assert silent.returncode == 255
    assert "timed out" in silent.stderr
    assert time.monotonic() - began > 1.9
