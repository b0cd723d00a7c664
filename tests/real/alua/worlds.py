"""What both parts with guests have in common: the image they boot from, the two worlds, and what was measured."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.real.alua.deployment import Deployment, deploy
from tests.real.alua.image import Image, make_or_tell
from tests.real.alua.sides import Both, side_by_side
from tests.real.both import Row
from tests.real.conftest import table

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


@contextmanager
def worlds(inventory: Path, image: Image) -> Iterator[Both]:
    """Both worlds of an inventory file before the deployment; guests have their disks beside the file."""
    guests = inventory.parent / "guests"
    guests.mkdir()
    with side_by_side(inventory, guests, image, ROWS) as both:
        yield both
    shutil.rmtree(guests)  # disks are large


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


def tell_times(reporter: pytest.TerminalReporter, title: str) -> None:
    """What was measured, beside what the twin took, and of which versions."""
    if not ROWS:
        return
    reporter.write_sep("=", f"{title} and the twin, seconds")
    for line in table(ROWS, VERSIONS):
        reporter.write_line(line)
