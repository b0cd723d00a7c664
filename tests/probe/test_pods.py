"""A site with two pods: its bundle has no name of it, and the twin of the bundle has all volumes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.probing.bundle import Bundle, unpack
from tests.incidents.conftest import Site
from tests.pods import two_pods
from tests.twin import SPEED, TwinThread, inventory_file
from workers.cli.lab.bundled import placed
from workers.cli.main import app
from workers.cli.probe.asked import answers
from workers.cli.probe.bundling import bundled
from workers.inventory_file import load

pytestmark = pytest.mark.slow

ASKED = {"pods", "volumes", "connections", "volume-groups", "logical-volumes", "wwids", "storage"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bundle of a built cluster."""
    folder = tmp_path_factory.mktemp("probe")
    path = inventory_file(folder, "probed-pods")
    path.write_text(two_pods(path.read_text()))
    site = Site(path)
    site.rebuild()
    done = CliRunner().invoke(app, ["probe", "-i", str(path), "--out", str(folder / "probe.zip")])
    assert done.exit_code == 0, done.output
    yield folder / "probe.zip"
    site.stop()


def told(bundle: Bundle) -> dict[str, Any]:
    """Answers about pods, volumes and groups, by their places."""
    return {f"{one.of} {one.who} {one.what}": (one.data, one.word) for one in bundle.answers if one.what in ASKED}


def test_a_bundle_of_several_pods_names_none_of_them(file: Path):
    """Pods, volumes, volume groups and storages are called otherwise."""
    written = file.read_bytes().decode("latin-1").casefold()

    for original in ("webb-ac-proxmox", "ac-pve-test", "vg-more", "vg-apart", "pxmx-ac"):
        assert original not in written


def test_the_twin_of_a_bundle_has_every_pod_and_volume(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is asked of it again is answered as it was."""
    before = told(unpack(file.read_bytes()))
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path))
    twin = TwinThread(placed(file), speed=SPEED)
    try:
        raw = asyncio.run(answers(load(twin.path), twin.path, lambda answered, asked: None))
        after = told(bundled(load(twin.path), raw))
    finally:
        twin.stop()

    assert after == before
