"""A site with two pods: its bundle has no name of it, and the twin of the bundle has all volumes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pods import two_pods
from tests.probe.taken import before_and_after, taken
from tests.twin import over_fibre, over_nvme

pytestmark = pytest.mark.slow

ASKED = {"pods", "volumes", "connections", "volume-groups", "logical-volumes", "wwids", "storage"}


SHAPES: dict[str, Callable[[str], str]] = {
    "iscsi": two_pods,
    "fc": lambda text: over_fibre(two_pods(text)),
    "nvme": lambda text: over_nvme(two_pods(text)),
}


@pytest.fixture(scope="module", params=SHAPES)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bundle of a built cluster."""
    with taken(tmp_path_factory.mktemp("probe"), f"probed-pods-{request.param}", SHAPES[request.param]) as one:
        yield one


def test_a_bundle_of_several_pods_names_none_of_them(file: Path):
    """Pods, volumes, volume groups and storages are called otherwise."""
    written = file.read_bytes().decode("latin-1").casefold()

    for original in ("webb-ac-proxmox", "ac-pve-test", "vg-more", "vg-apart", "pxmx-ac"):
        assert original not in written


def test_the_twin_of_a_bundle_has_every_pod_and_volume(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is asked of it again is answered as it was."""
    before, after = before_and_after(file, tmp_path, ASKED, monkeypatch)

    assert after == before
