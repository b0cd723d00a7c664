"""The command line: what a person reads, and the status a script gets."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import quick
from tests.twin import TwinThread
from workers.children import WORKER_READY, Child
from workers.temporal.embedded import TemporalServer

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "lab.yaml"


# Every worker that the suite starts as a process has to end with zero too.
STOPS = 2


def quorate(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, which is spared the imports."""
    return quick.run("workers.cli", list(arguments), _terminal(environment))


def spawned(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would, from its very start."""
    return subprocess.run(
        [sys.executable, "-m", "workers.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env=_terminal(environment),
    )


def _terminal(environment: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **environment}


def test_checks_the_shipped_example(tmp_path: Path):
    """What is right is said in one line, before its twin was started for the first time."""
    done = spawned("check", str(shutil.copy(EXAMPLE, tmp_path)))

    assert done.returncode == 0
    assert "cluster pxmx-cluster, 6 nodes on 2 sites, 7 votes, quorum 4" in done.stdout


def test_check_names_the_line_and_ends_with_one(tmp_path: Path):
    """What is wrong is said with its line; a script sees it in the status."""
    path = tmp_path / "inventory.yaml"
    path.write_text(EXAMPLE.read_text().replace("first: X90R3-SiteA", "first: nowhere"))

    done = quorate("check", str(path))
    assert done.returncode == 1
    assert "line 66: pod.first: array nowhere is unknown: known are X90R3-SiteA, X90R3-SiteB" in done.stderr
    assert "Traceback" not in done.stderr

    as_json = json.loads(quorate("check", str(path), "--json").stdout)
    assert as_json["errors"][0]["line"] == 66


def test_the_version_is_told():
    """Of the package that is installed, which a report of a fault begins with."""
    done = quorate("--version")

    assert (done.returncode, done.stdout) == (0, f"quorate {version('quorate')}\n")


def test_a_shell_can_complete_the_commands():
    """What `--install-completion` puts into the shell's files."""
    installed = Path(sys.executable).with_name("quorate")
    done = subprocess.run(
        [installed, "--show-completion", "bash"], capture_output=True, text=True, timeout=60, env=_terminal({})
    )

    assert done.returncode == 0, done.stderr
    assert "complete -o default -F _quorate_completion quorate" in done.stdout


def test_help_teaches():
    """Every command says what it does."""
    text = quorate("--help").stdout

    commands = ("check", "demo", "up", "worker", "status", "lab", "run")
    assert [command for command in commands if command not in text] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run", "deploy", "--paln"], "No such option: --paln"),
        (["plan", "deplyo", "-i", str(EXAMPLE)], "there is no runbook 'deplyo': there are deploy"),
        (["run", "deploy", "-i", str(EXAMPLE), "--input", "[1]"], "--input: it must be a JSON object"),
        (["run", "deploy", "-i", str(EXAMPLE), "--input", '{"mdoe": "apply"}'], "--input: mdoe: Extra inputs are not"),
        (["worker", "-i", "nowhere.yaml"], "there is no inventory file nowhere.yaml"),
    ],
)
def test_wrong_use_ends_with_two_and_says_what(arguments: list[str], said: str):
    """A slip gets a sentence."""
    done = quorate(*arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_server_it_says_how_to_get_one():
    """The address that was tried, and the two ways out."""
    done = quorate("status", TEMPORAL_ADDRESS="127.0.0.1:1")

    assert done.returncode == 2
    assert "no Temporal server answers at 127.0.0.1:1" in done.stderr
    assert "start one with `quorate up`" in done.stderr


def test_the_twin_refuses_addresses_that_are_not_its_own(tmp_path: Path):
    """A real cluster's inventory never has its secrets overwritten."""
    path = tmp_path / "inventory.yaml"
    path.write_text(EXAMPLE.read_text().replace("127.21.101.11", "10.21.101.11").replace("../var/lab", "secrets"))

    done = quorate("lab", "up", "-i", str(path))

    assert done.returncode == 2
    assert "10.21.101.11 is not a loopback address" in done.stderr
    assert not (tmp_path / "secrets").exists()


async def test_deploys_from_the_command_line(twin: TwinThread, temporal: TemporalServer, no_ledger: None):
    """`quorate run deploy` follows the run; the second time there is nothing to change; `status` lists both."""
    environment = {"TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": "cli"}
    child = Child("worker", ["worker", "-i", str(twin.path)], log=twin.path.parent / "cli.log", environment=environment)
    try:
        first = quorate("run", "deploy", "-i", str(twin.path), **environment)
        second = quorate("run", "deploy", "-i", str(twin.path), "--json", **environment)
        runs = quorate("status", "--json", **environment)
    finally:
        child.stop()

    assert first.returncode == 0, first.stderr
    assert "changes made and proven in" in first.stdout
    assert second.returncode == 0
    assert json.loads(second.stdout)["changed"] == 0
    assert json.loads(runs.stdout)[0]["state"] == "completed"
    assert child.ended == 0


async def test_a_worker_that_is_stopped_ends_with_zero_every_time(
    twin: TwinThread, temporal: TemporalServer, tmp_path: Path
):
    """An interpreter that ran a worker may crash while it finalises; the status must not show it."""
    environment = {"TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": "exit"}
    statuses = []
    for number in range(STOPS):
        log = tmp_path / f"worker-{number}.log"
        child = Child("worker", ["worker", "-i", str(twin.path)], log=log, environment=environment)
        await child.says(WORKER_READY)
        child.stop()
        statuses.append(child.ended)

    assert statuses == [0] * STOPS
