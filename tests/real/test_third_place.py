"""A cut between the sites beside a third place with nodes: what real corosync makes of it, and the twin after it."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.patience import STANDSTILL
from tests.places import third_place
from tests.real.stage import MEMBERS_WITHIN, Stage
from tests.twin import bent, inventory_file
from workers.inventory_file import load

pytestmark = pytest.mark.real

# So many memberships on each node say that none comes to rest: the first after 7 s, one every 4 s.
OFTEN, ANEW_WITHIN = 4, 25.0 + STANDSTILL
A, B, C = ("pxmx01-01", "pxmx01-02"), ("pxmx02-01", "pxmx02-02"), "pxmx03-01"
_FORMED = re.compile(r"A new membership \((\S+)\) was formed")


@pytest.fixture(scope="module")
def stage(own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two nodes at each site, one at the third place, no quorum device."""
    folder = tmp_path_factory.mktemp("third")
    made = Stage(load(bent(inventory_file(folder, "real-third"), third_place)), folder / "machines")
    try:
        made.up()
        yield made
    finally:
        made.down()


class Log:
    """What a node's corosync writes from now on, each line with the seconds since then."""

    def __init__(self, stage: Stage, node: str) -> None:
        self._path: Path = stage.machines[node].folder / "log" / "corosync.log"
        self._began, self._before = datetime.now(), len(self._lines())

    def _lines(self) -> list[str]:
        return self._path.read_text().splitlines()

    def told(self) -> list[tuple[float, str]]:
        """The lines with their times; corosync tells no year and no zone."""
        at = [datetime.strptime(f"{self._began.year} {line[:19]}", "%Y %b %d %H:%M:%S.%f") for line in self._new]
        return [((one - self._began).total_seconds(), line) for one, line in zip(at, self._new, strict=True)]

    @property
    def _new(self) -> list[str]:
        return self._lines()[self._before :]

    def rings(self) -> list[tuple[float, str]]:
        """The memberships that were formed."""
        return [(at, found[1]) for at, line in self.told() if (found := _FORMED.search(line))]


def test_two_rings_are_formed_anew_for_as_long_as_the_cut_lasts(stage: Stage):
    """First after token and consensus, then after each consensus; the third place is with either site."""
    logs = {node: Log(stage, node) for node in (*A, *B, C)}
    stage.network.cut("inter-site")
    deadline = time.monotonic() + ANEW_WITHIN
    while min(len(log.rings()) for log in logs.values()) < OFTEN:
        assert time.monotonic() < deadline, f"no {OFTEN} memberships on each node in {ANEW_WITHIN:.0f} s"
        time.sleep(0.2)
    seen = {node: log.rings() for node, log in logs.items()}
    stage.network.mend("inter-site")
    mended = time.monotonic()
    stage.together()
    took = time.monotonic() - mended

    rings = {node: {ring.partition(".")[0] for _, ring in found} for node, found in seen.items()}
    assert {rings[node].pop() for node in A} == {"1"}
    assert {rings[node].pop() for node in B} == {"3"}
    assert rings[C] in ({"1"}, {"3"})
    first = [found[0][0] for found in seen.values()]
    pauses = [found[number][0] - found[number - 1][0] for found in seen.values() for number in range(1, len(found))]
    print(f"first {min(first):.1f} to {max(first):.1f} s, then each {min(pauses):.2f} to {max(pauses):.2f} s, ", end="")
    print(f"with {rings[C]}; whole {took:.1f} s after the link")
    assert 5.5 <= min(first) <= max(first) <= 9.0 + STANDSTILL
    assert 3.5 <= sorted(pauses)[len(pauses) // 2] <= 5.0
    assert took < MEMBERS_WITHIN
