"""A bundle of a built site as the command takes it, and what the twin of that bundle says."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.probing.bundle import Bundle, unpack
from tests.incidents.conftest import Site
from tests.twin import SPEED, TwinThread, bent, inventory_file
from workers.cli.lab.bundled import placed
from workers.cli.main import app
from workers.cli.probe.asked import answers
from workers.cli.probe.bundling import bundled
from workers.inventory_file import load


@contextmanager
def taken(folder: Path, which: str, change: Callable[[str], str]) -> Iterator[Path]:
    """The bundle of a built cluster whose inventory is changed like that."""
    path = bent(inventory_file(folder, which), change)
    site = Site(path)
    site.rebuild()
    done = CliRunner().invoke(app, ["probe", "-i", str(path), "--out", str(folder / "probe.zip")])
    assert done.exit_code == 0, done.output
    yield folder / "probe.zip"
    site.stop()


def told(bundle: Bundle, asked: Collection[str]) -> dict[str, Any]:
    """Answers to these questions, by their places."""
    return {
        f"{one.of} {one.who} {one.what}": (_in_order(one.data), one.word) for one in bundle.answers if one.what in asked
    }


def _in_order(data: Any) -> Any:
    """LVM's rows by what they say: their order is that of names and disks, and a bundle calls both otherwise."""
    if not isinstance(data, dict) or "report" not in data:
        return data
    return {
        "report": [
            {kind: sorted(rows, key=lambda row: sorted(row.items())) for kind, rows in one.items()}
            for one in data["report"]
        ]
    }


def before_and_after(
    file: Path, state: Path, asked: Collection[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the bundle says to these questions, and what a probe of the twin of that bundle says."""
    monkeypatch.setenv("QUORATE_STATE", str(state))
    twin = TwinThread(placed(file), speed=SPEED)
    try:
        raw = asyncio.run(answers(load(twin.path), twin.path, lambda answered, asked: None))
        after = bundled(load(twin.path), raw)
    finally:
        twin.stop()
    return told(unpack(file.read_bytes()), asked), told(after, asked)
