"""One stage for all tests here: it takes half a minute to set up, and each test leaves it whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.real.both import Both, Row, side_by_side
from tests.real.deployment import Deployment, deploy
from tests.real.network import enter_own_network, leave
from tests.real.packages import reason_not_to_run, versions
from tests.twin import inventory_file

ROWS: list[Row] = []


@pytest.fixture(scope="session")
def own_network() -> Iterator[None]:
    """This process, and all that it begins from now on, in a network that only the stage's machines reach."""
    if reason := reason_not_to_run():
        pytest.skip(reason)
    before = enter_own_network()
    yield
    leave(before)


@pytest.fixture(scope="session")
def bare(own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both worlds before the deployment."""
    folder = tmp_path_factory.mktemp("real")
    with side_by_side(inventory_file(folder), folder / "machines", ROWS) as both:
        yield both


@pytest_asyncio.fixture(scope="session")
async def deployment(bare: Both) -> AsyncIterator[Deployment]:
    """How the quorum device was set up."""
    yield await deploy(bare)
    await bare.real.close()
    await bare.twin.close()


@pytest_asyncio.fixture
async def both(bare: Both, deployment: Deployment) -> AsyncIterator[Both]:
    """Both worlds, whole: before the test, and after it whatever it did."""
    await bare.whole()
    await bare.look()
    yield bare
    await bare.mend()
    await asyncio.wait_for(bare.whole(), 180)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, beside what the twin took, and of which versions."""
    if not ROWS:
        return
    terminalreporter.write_sep("=", "real software and the twin, seconds")
    for line in table(ROWS, versions()):
        terminalreporter.write_line(line)


def table(rows: list[Row], installed: dict[str, str]) -> list[str]:
    """The table of docs/real.md."""
    lines = [f"{'':<52}{'real':>8}{'twin':>8}"]
    lines += [f"{row.what:<52}{row.real:>8.1f}{row.twin:>8.1f}" for row in rows]
    return [*lines, "", ", ".join(f"{name} {version}" for name, version in installed.items())]
