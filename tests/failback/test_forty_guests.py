"""Both ways of planned moves in real numbers: eight nodes, forty guests, ten of them on each node of the site."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bench.sizes import grown
from lab.built import add_guest
from runbooks.homecoming import FailbackReport
from runbooks.site_work import EvacuationReport
from tests.failback.conftest import POLICY, Begin
from tests.failback.people import Person
from tests.failback.test_site_work import agreed, under_way
from tests.failback.test_stops import runs_once
from tests.incidents.conftest import Site, ended
from tests.runs import until
from tests.twin import inventory_file, with_policy
from workers.inventory_file import load

pytestmark = pytest.mark.slow

NODES, GUESTS = 8, 40
SPEED = 40.0
# Four at a time, and each takes some seconds of the lab: this many of the wall, with room.
MOVED_WITHIN = 240.0
DARK = "site-a is dark, and no node was fenced"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Four nodes on each site; forty guests at site-a, two of them with the inventory's own disks."""
    path = with_policy(inventory_file(tmp_path, "forty"), POLICY)
    data = grown(yaml.safe_load(path.read_text()), nodes=NODES, guests=2)
    for guest, node in zip(data["guests"], data["sites"][0]["nodes"], strict=False):
        guest["node"] = node["name"]
    path.write_text(yaml.safe_dump(data))
    twin = Site(path, SPEED)
    twin.rebuild()
    nodes = [node["name"] for node in data["sites"][0]["nodes"]]
    twin.call(_more(twin, nodes))
    yield twin
    twin.stop()


async def _more(twin: Site, nodes: list[str]) -> None:
    """The other thirty-eight, which HA meets in its next round."""
    for number in range(2, GUESTS):
        add_guest(twin.world, 400 + number, nodes[number % len(nodes)], "qemu", ha="started", memory=256)
    await twin.world.clock.sleep(60)


async def test_forty_guests_go_home_to_four_nodes(site: Site, start: Begin, people: dict[str, Person]):
    """Each is moved once, ten to each node, none is down, and nobody is fenced."""
    homes = [node.name for node in load(site.path).sites[1].nodes]
    guests = sorted(runs_once(site))
    assert len(guests) == GUESTS
    wish = {f"vm:{vmid}": homes[number % len(homes)] for number, vmid in enumerate(guests)}
    run = await start("Failback", site="site-b", homes=wish)
    await agreed(run, people)
    await ended(run, MOVED_WITHIN)

    report = FailbackReport.model_validate(await run.result())
    print(
        f"{len(report.moved)} guests are home after {report.seconds:.1f} s by the wall, {SPEED:.0f} of the lab in each"
    )
    assert {one.sid: one.home for one in report.moved} == wish
    assert Counter(runs_once(site).values()) == dict.fromkeys(homes, GUESTS // len(homes))
    assert {one.downtime for one in report.moved} == {0.0}
    assert not [line for line in site.change_lines() if "fence" in line]


async def test_a_site_of_four_nodes_and_forty_guests_is_emptied(site: Site, start: Begin, people: dict[str, Person]):
    """Ten leave one node at a time; the dark fences nobody."""
    run = await start("EvacuateSite", site="site-a")
    await agreed(run, people)
    await until(run, under_way(DARK), "the dark", MOVED_WITHIN)
    where = runs_once(site)
    assert len(where) == GUESTS
    assert all(node.startswith("pxmx02") for node in where.values())
    site.fail("site-power", "site-a")
    await ended(run, MOVED_WITHIN)

    report = EvacuationReport.model_validate(await run.result())
    print(
        f"{len(report.moved)} guests have left after {report.seconds:.1f} s by the wall, {SPEED:.0f} of the lab in each"
    )
    assert len(report.moved) == GUESTS
    assert not [line for line in site.change_lines() if "fence" in line]
