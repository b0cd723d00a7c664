"""A site over NVMe/TCP: its bundle has no name of it, and the twin of the bundle answers the same."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.probing.bundle import Bundle, unpack
from tests.incidents.conftest import Site
from tests.twin import SPEED, TwinThread, inventory_file, over_nvme
from workers.cli.lab.bundled import placed
from workers.cli.main import app
from workers.cli.probe.asked import answers
from workers.cli.probe.bundling import bundled
from workers.inventory_file import load

pytestmark = pytest.mark.slow

ASKED = {
    "hostnqn", "nvme-multipath", "nvme-subsystems", "discovery", "nvme-unit", "volume-groups", "logical-volumes",
    "portals", "hosts", "connections",
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bundle of a built cluster."""
    folder = tmp_path_factory.mktemp("probe")
    path = inventory_file(folder, "probed-nvme")
    path.write_text(over_nvme(path.read_text()))
    site = Site(path)
    site.rebuild()
    done = CliRunner().invoke(app, ["probe", "-i", str(path), "--out", str(folder / "probe.zip")])
    assert done.exit_code == 0, done.output
    yield folder / "probe.zip"
    site.stop()


def told(bundle: Bundle) -> dict[str, Any]:
    """Answers about the way to the arrays, by their places."""
    return {f"{one.of} {one.who} {one.what}": (one.data, one.word) for one in bundle.answers if one.what in ASKED}


def test_a_bundle_over_nvme_names_nobody(file: Path):
    """NQNs and addresses are others, and nothing of iSCSI was asked."""
    written = file.read_bytes().decode("latin-1").casefold()

    for original in ("4c4c4544-0031", "flasharray.5a8c19e07d2b4f63", "10.22.1.", "pxmx01"):
        assert original not in written
    assert {one.what for one in unpack(file.read_bytes()).answers} & {"initiator", "sessions", "records"} == set()


def test_the_twin_of_a_bundle_over_nvme_answers_the_same(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Controllers, their numbers and states, what a boot asks for, ports, hosts."""
    before = told(unpack(file.read_bytes()))
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path))
    twin = TwinThread(placed(file), speed=SPEED)
    try:
        raw = asyncio.run(answers(load(twin.path), twin.path, lambda answered, asked: None))
        after = told(bundled(load(twin.path), raw))
    finally:
        twin.stop()

    assert len(before) == 6 * 7 + 2 * 3
    assert after == before
