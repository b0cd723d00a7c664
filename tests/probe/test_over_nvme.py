"""A site over NVMe/TCP: its bundle has no name of it, and the twin of the bundle answers the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.probing.bundle import unpack
from tests.probe.taken import before_and_after, taken
from tests.twin import over_nvme

pytestmark = pytest.mark.slow

ASKED = {
    "hostnqn", "nvme-multipath", "nvme-subsystems", "discovery", "nvme-unit", "volume-groups", "logical-volumes",
    "portals", "hosts", "connections",
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bundle of a built cluster."""
    with taken(tmp_path_factory.mktemp("probe"), "probed-nvme", over_nvme) as one:
        yield one


def test_a_bundle_over_nvme_names_nobody(file: Path):
    """NQNs and addresses are others, and nothing of iSCSI was asked."""
    written = file.read_bytes().decode("latin-1").casefold()

    for original in ("4c4c4544-0031", "flasharray.5a8c19e07d2b4f63", "10.22.1.", "pxmx01"):
        assert original not in written
    assert {one.what for one in unpack(file.read_bytes()).answers} & {"initiator", "sessions", "records"} == set()


def test_the_twin_of_a_bundle_over_nvme_answers_the_same(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Controllers, their numbers and states, what a boot asks for, ports, hosts."""
    before, after = before_and_after(file, tmp_path, ASKED, monkeypatch)

    assert len(before) == 6 * 7 + 2 * 3
    assert after == before
