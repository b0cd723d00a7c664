"""Every measurement is run through once in small: what nobody runs rots."""

import json
import os
from pathlib import Path

import pytest

from tests import quick

HERE = Path(__file__).parents[2]
MEASURED = sorted(
    f"bench.{path.stem}" if path.stem != "__main__" else "bench"
    for path in (HERE / "bench").glob("*.py")
    if "def measure(" in path.read_text()
)


def test_there_is_something_to_measure():
    """The list is read from the folder: a new measurement is in it by itself."""
    assert {"bench", "bench.engine", "bench.failback", "bench.gateway", "bench.twin", "bench.watch"} <= set(MEASURED)


@pytest.mark.measured
@pytest.mark.parametrize("module", MEASURED)
def test_a_measurement_comes_to_its_end(module: str):
    """In small: it starts what it needs, prints figures, and leaves nothing behind."""
    done = quick.run(module, ["--small"], os.environ)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout[done.stdout.index("{") :])
