"""The example of docs/add-a-runbook.md is run as it stands there: a page that is wrong fails here."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.built import build
from tests.twin import TwinThread
from tests.workers.test_cli import ROOT, spawned
from workers.children import WORKER_READY, Child
from workers.temporal.embedded import TemporalServer

PAGE = ROOT / "docs" / "add-a-runbook.md"
STORAGE = "pxmx-ac-shared"


def example() -> str:
    """The one block of Python on the page."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What makes Python take a copy of `runbooks/` that has the example's file in it, as a reader's has."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "runbooks", folder / "runbooks")
    (folder / "runbooks" / "ensure_storage.py").write_text(example())
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


@pytest_asyncio.fixture
async def environment(
    added: dict[str, str], twin: TwinThread, temporal: TemporalServer, no_ledger: None
) -> AsyncIterator[dict[str, str]]:
    """A worker with that runbook, for a cluster that was built and has lost its storage."""
    twin.call(build(twin.world))
    del twin.world.cluster.storages[STORAGE]
    found = {**added, "TEMPORAL_ADDRESS": temporal.address, "QUORATE_TASK_QUEUE": "added", "USER": "ana"}
    log = twin.path.parent / "added.log"
    child = Child("worker", ["worker", "-i", str(twin.path)], log=log, environment=found)
    try:
        await child.says(WORKER_READY)
        yield found
    finally:
        child.stop()


def test_the_file_alone_puts_it_into_the_catalogue(added: dict[str, str]):
    """Nothing else has to be told of it."""
    entries = {entry["name"]: entry for entry in json.loads(spawned("runbooks", "--json", **added).stdout)}

    assert set(entries) >= {"deploy", "ensure-storage"}
    assert entries["ensure-storage"]["type"] == "EnsureStorage"


def test_it_plans_applies_and_then_finds_nothing_to_change(environment: dict[str, str], twin: TwinThread):
    """The plan changes nothing, its digest is what is applied, and the third run has nothing to do."""
    inventory = ("-i", str(twin.path))
    before = len(twin.world.changes)

    plan = spawned("plan", "ensure-storage", *inventory, "--json", **environment)
    assert plan.returncode == 0, plan.stderr
    planned = json.loads(plan.stdout)
    assert [(intent["where"], intent["what"], intent["target"]) for intent in planned["planned"]] == [
        ("cluster", "add storage", STORAGE)
    ]
    assert len(twin.world.changes) == before

    first = spawned("run", "ensure-storage", *inventory, "--plan", planned["digest"], **environment)
    assert first.returncode == 0, first.stderr
    assert f"Storage {STORAGE} is active on all nodes  {STORAGE} active on 6 nodes  [1 change" in first.stdout
    assert STORAGE in twin.world.cluster.storages
    assert len(twin.world.changes) == before + 1

    second = spawned("run", "ensure-storage", *inventory, "--json", **environment)
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout)["changed"] == 0
    assert len(twin.world.changes) == before + 1


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check", "--diff"]], ids=["rules", "format"])
def test_it_is_written_as_the_project_is(arguments: list[str]):
    """Who copies it begins with a file that `make check` accepts."""
    name = str(Path("runbooks") / "ensure_storage.py")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", name, "-"],
        input=example(), capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
