"""One stage for all tests here: guests boot for a minute or two, and each test leaves them whole."""

from collections.abc import Iterator

import pytest

from tests.real.alua.image import Image
from tests.real.alua.sides import Both
from tests.real.alua.worlds import both, deployment, image, tell_times, worlds
from tests.twin import inventory_file

__all__ = ("both", "deployment", "image")  # fixtures


@pytest.fixture(scope="session")
def bare(image: Image, own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both worlds before the deployment."""
    with worlds(inventory_file(tmp_path_factory.mktemp("alua"), "alua"), image) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long everything took."""
    tell_times(terminalreporter, "real initiators")
