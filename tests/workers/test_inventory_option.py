"""`-i` means a cluster, for every command that speaks of runs."""

from pathlib import Path

import pytest

from tests.twin import inventory_file
from tests.workers.test_cli import quorate
from workers.cli.options import cluster_of, run_of


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory file."""
    return inventory_file(tmp_path)


def test_a_procedure_alone_is_enough_with_an_inventory(inventory: Path):
    """``deploy`` is the run of that cluster; a whole id is taken as it is."""
    assert cluster_of(inventory) == "pxmx-cluster"
    assert run_of("deploy", inventory) == "deploy/pxmx-cluster"
    assert run_of("deploy/other", inventory) == "deploy/other"
    assert run_of("deploy", None) == "deploy"


@pytest.mark.parametrize(
    "command",
    [
        ("status",), ("answer",), ("pause",), ("resume",), ("abort",), ("note",), ("plan",), ("run",),
        ("incident", "list"), ("incident", "show"), ("incident", "watch"),
    ],
)  # fmt: skip
def test_every_command_takes_it(command: tuple[str, ...]):
    """As `plan`, `run` and `watch` do."""
    assert "--inventory" in quorate(*command, "--help").stdout
