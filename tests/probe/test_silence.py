"""Half of a site is dark while it is probed: the other half is told in full, and what is missing is named."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.inventory import Inventory
from cluster.probing.bundle import Bundle, pack
from lab.probed.facts import Facts
from lab.probed.missing import missing
from tests.incidents.conftest import Site
from tests.twin import TwinThread, inventory_file
from workers.cli.lab.bundled import placed
from workers.cli.probe import page
from workers.cli.probe.asked import answers
from workers.cli.probe.bundling import bundled
from workers.inventory_file import load

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    """What was probed after a site had lost its power."""
    site = Site(inventory_file(tmp_path_factory.mktemp("half"), "half"))
    site.rebuild()
    site.power_off(*(node.name for node in site.inventory.site("site-b").nodes))
    site.fail("site-power", "site-b")
    raw = asyncio.run(answers(load(site.path), site.path, lambda answered, asked: None))
    yield bundled(site.inventory, raw)
    site.stop()


def test_who_is_dark_is_noted_and_hides_nothing(half: Bundle):
    """Every answer of the site that is left is there."""
    told = {(one.who, one.what) for one in half.manifest.asked if one.went == "answered"}
    left = {("array array-01", "volumes"), ("node node-01", "maps"), ("witness witness", "witness-clients")}

    assert left | {("cluster cluster-01", "ha-manager"), ("node node-03", "votes")} <= told
    assert not {who for who, _ in told} & {"array array-02", "node node-04", "node node-05", "node node-06"}


def test_the_page_names_who_is_dark(half: Bundle):
    """All of them, for each thing that could not be asked."""
    lines = list(page.lines(half))
    dark = lines[lines.index("Not answered, and noted:") + 1 : -1]

    assert "  array array-02: array: does not answer" in dark
    assert "  node node-04, node-05, node-06: login: does not answer" in dark


def test_the_twin_says_what_it_does_not_play(half: Bundle):
    """Whoever works with such a twin knows where it is kinder than the site was."""
    inventory = Inventory.model_validate(yaml.safe_load(half.inventory))
    told = list(missing(Facts(half, 60), inventory))

    assert "node node-05: login was not answered (Unreachable); another's is played" in told
    assert "array array-02: array was not answered (Unreachable); another's is played" in told
    assert told[-1] == "rights, certificates, clocks, round trips, load, memory and capacity: the twin's own"


def test_a_twin_of_half_a_site_is_half_alive(half: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nodes that were off are off; the silent array is played as the other one, so the pod is on both."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path / "state"))
    (tmp_path / "probe.zip").write_bytes(pack(half))
    twin = TwinThread(placed(tmp_path / "probe.zip"))
    carrying = {name: len(twin.world.paths(name)) for name in twin.world.nodes}
    powered = [host.powered for host in twin.world.nodes.values()]
    members = [len(pod.members) for pod in twin.world.arrays["array-02"].pods]
    twin.stop()

    assert powered == [True, True, True, False, False, False]
    assert [carrying[f"node-0{number}"] for number in (1, 2, 3)] == [8, 8, 8]
    assert members == [2]
