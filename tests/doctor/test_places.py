"""What the doctor says of a third place with nodes, and of corosync's links at addresses of their own."""

from datetime import timedelta
from pathlib import Path

import pytest

from cluster.doctor.check import Unread
from cluster.doctor.hosts import Told, Votes, round_trips, votes
from cluster.doctor.nodes import ClusterTold, links
from cluster.inventory import Inventory
from tests.places import linked, third_place
from workers.inventory_file import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "lab.yaml"
NOT_ASKED = Unread(word="Unreachable", said="not asked")


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """Two nodes at each site, one at site-c, two links each."""
    path = tmp_path / "inventory.yaml"
    path.write_text(linked(third_place(EXAMPLE.read_text())))
    return load(path)


def told(inventory: Inventory, **other: tuple[str, ...]) -> ClusterTold:
    """Corosync.conf as the inventory has it, but for these nodes."""
    found = {node.name: other.get(node.name.replace("-", "_"), node.links) for node in inventory.nodes}
    return ClusterTold(versions={}, members=NOT_ASKED, rights=NOT_ASKED, sights=NOT_ASKED, links=found)


def node(name: str, *, device: bool, **trips: timedelta) -> Told:
    """A node that tells its votes, and how long its pings took."""
    counted = Votes(
        total=5 + device, expected=5 + device, quorum=3, quorate=True, settled=True, nodes=5, device=device,
    )  # fmt: skip
    named = {what.replace("__", " over link "): took for what, took in trips.items()}
    return Told(name=name, packages=NOT_ASKED, units=NOT_ASKED, clock=NOT_ASKED, votes=counted, trips=named)


def test_links_are_compared_with_corosync_conf(inventory: Inventory):
    """All as stated, or the first that is not, with both addresses and what to correct."""
    (well,) = links(inventory, told(inventory))
    (wrong,) = links(inventory, told(inventory, pxmx01_02=("127.21.141.12",)))

    assert (well.state, well.evidence) == ("ok", "as in the inventory on 5 nodes")
    assert (wrong.state, wrong.evidence) == (
        "wrong",
        "pxmx01-02: corosync.conf has no link 1, the inventory says links[1] 127.21.161.12",
    )
    assert wrong.remedy == "add ring1_addr for every node and raise config_version, or remove it from links"


def test_a_quorum_device_beside_a_third_place_is_wrong(inventory: Inventory):
    """It would be one vote too many; without one all is as it must be."""
    names = [one.name for one in inventory.nodes]
    _, well = votes(inventory, [node(name, device=False) for name in names])
    _, wrong = votes(inventory, [node(name, device=True) for name in names])

    assert (well.state, well.evidence) == ("ok", "none, site-c has nodes instead")
    assert wrong.state == "wrong"
    assert wrong.evidence.endswith("count one, and site-c has nodes instead")
    assert wrong.remedy == "on a node: pvecm qdevice remove"


def test_the_round_trip_of_each_link_is_held_to_the_limit():
    """The second link may take another way than the first."""
    slow = node("pxmx01-01", device=False, corosync_rtt=timedelta(milliseconds=1), corosync_rtt__1=timedelta(seconds=1))

    found = round_trips(slow, {"corosync_rtt": timedelta(milliseconds=5)})

    assert (found.state, found.evidence) == ("wrong", "corosync_rtt over link 1 1.0 s (limit 5.0 ms)")
