"""A traced deployment on the twin, and who takes its spans."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.foreign.receivers import Collector, collecting
from tests.telemetry.conftest import collected, start, telling, traced

__all__ = ["collected", "start", "telling", "traced"]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """The Collector; it is built once."""
    if shutil.which("go") is None:
        pytest.skip("the OpenTelemetry Collector is built with Go, and there is no `go` on PATH")
    with collecting(tmp_path) as one:
        yield one
