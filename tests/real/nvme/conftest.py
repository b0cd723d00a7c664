"""One stage for all tests here, as the one of iSCSI: arrays that the kernel's nvmet plays, and nodes with nvme-cli."""

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.real.alua.deployment import Deployment, deploy
from tests.real.alua.image import Image, make_or_tell
from tests.real.alua.sides import Both, side_by_side
from tests.real.both import Row
from tests.real.conftest import table
from tests.twin import bent, inventory_file, over_nvme

ROWS: list[Row] = []
VERSIONS: dict[str, str] = {}


@pytest.fixture(scope="session")
def image() -> Image:
    """What guests boot from, made while Debian's packages can be reached; without it the reason is told."""
    made, reason = make_or_tell()
    if made is None:
        pytest.skip(reason)
    VERSIONS.update(made.versions)
    return made


@pytest.fixture(scope="session")
def bare(image: Image, own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both worlds before the deployment."""
    folder = tmp_path_factory.mktemp("nvme")
    (folder / "guests").mkdir()
    with side_by_side(bent(inventory_file(folder, "nvme"), over_nvme), folder / "guests", image, ROWS) as both:
        yield both
    shutil.rmtree(folder / "guests")  # disks are large


@pytest_asyncio.fixture(scope="session")
async def deployment(bare: Both) -> AsyncIterator[Deployment]:
    """How paths and the volume group were made."""
    yield await deploy(bare)
    await bare.real.ssh.close()
    await bare.twin.ssh.close()


@pytest_asyncio.fixture
async def both(bare: Both, deployment: Deployment) -> Both:
    """Both worlds with everything made."""
    return bare


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, beside what the twin took, and of which versions."""
    if not ROWS:
        return
    terminalreporter.write_sep("=", "real NVMe/TCP and the twin, seconds")
    for line in table(ROWS, VERSIONS):
        terminalreporter.write_line(line)
