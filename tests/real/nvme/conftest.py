"""One stage for all tests here, as the one of iSCSI: arrays that the kernel's nvmet plays, and nodes with nvme-cli."""

from collections.abc import Iterator

import pytest

from tests.real.alua.image import Image
from tests.real.alua.sides import Both
from tests.real.alua.worlds import both, deployment, image, tell_times, worlds
from tests.twin import bent, inventory_file, over_nvme

__all__ = ("both", "deployment", "image")  # fixtures


@pytest.fixture(scope="session")
def bare(image: Image, own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both worlds before the deployment."""
    with worlds(bent(inventory_file(tmp_path_factory.mktemp("nvme"), "nvme"), over_nvme), image) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long everything took."""
    tell_times(terminalreporter, "real NVMe/TCP")
