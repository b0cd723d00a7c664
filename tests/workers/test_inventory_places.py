"""What the places of an inventory may not be together, and corosync's links: field, value and remedy."""

import re
from pathlib import Path

import pytest

from cluster.rings import against
from tests.places import linked, third_place
from tests.workers.test_inventory_file import EXAMPLE
from workers.inventory_file import InventoryError, load

THIRD = third_place(EXAMPLE.read_text())
WITNESS = "witness:\n  name: qdevice\n  address: 127.21.103.117\n"
LINKED = linked(THIRD)


def said(tmp_path: Path, text: str) -> list[str]:
    """What `load` says, without the lines."""
    path = tmp_path / "inventory.yaml"
    path.write_text(text)
    with pytest.raises(InventoryError) as caught:
        load(path)
    return [str(one).partition(": ")[2] for one in caught.value.complaints]


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each of these once."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_a_third_place_with_nodes_stands_for_the_witness(tmp_path: Path):
    """Five votes, three of which are a quorum; its node is no node of a site."""
    path = tmp_path / "inventory.yaml"
    path.write_text(THIRD)
    inventory = load(path)

    assert (inventory.votes, inventory.quorum, inventory.decider) == (5, 3, "site-c")
    assert [node.name for node in inventory.site_nodes] == ["pxmx01-01", "pxmx01-02", "pxmx02-01", "pxmx02-02"]
    assert inventory.place_of("pxmx03-01") == "site-c"


def test_either_a_witness_or_a_third_place_decides(tmp_path: Path):
    """Both would be two to decide, and without any the loss of a site stops everything."""
    assert said(tmp_path, changed(THIRD, ("third:\n", f"{WITNESS.replace('117', '118')}third:\n"))) == [
        "third: site-c has nodes that decide between the sites, and so would witness qdevice: give one of both, third "
        "or witness"
    ]
    assert said(tmp_path, changed(EXAMPLE.read_text(), (WITNESS, ""))) == [
        "witness: is missing: give witness, the host of a quorum device, or third, a place with nodes of its own; "
        "without one the loss of either site stops everything"
    ]


def test_a_third_place_with_too_few_nodes_for_unequal_sites_is_refused(tmp_path: Path):
    """Two and one with one: the larger site would have half of all nodes."""
    node = re.search(r"      - name: pxmx02-02\n(?:        .*\n)+", THIRD)
    assert node
    assert said(tmp_path, THIRD.replace(node[0], "")) == [
        "sites: without site-a 2 of 4 votes are left and 3 are needed (site-a: 2, site-b: 1, site-c: 1): no place may "
        "have half of all nodes; give site-c at least 2 nodes"
    ]


def test_a_third_place_with_too_many_nodes_is_refused(tmp_path: Path):
    """Four there: without them the four of the sites have no more than half."""
    more = "".join(f"    - name: pxmx03-0{number}\n      address: 127.21.103.1{number}\n" for number in (2, 3, 4))
    assert said(tmp_path, changed(THIRD, ("api:\n", f"{more}api:\n"))) == [
        "third: without site-c 4 of 8 votes are left and 5 are needed (site-a: 2, site-b: 2, site-c: 4): no place may "
        "have half of all nodes; give site-c at most 3 nodes"
    ]


def test_no_guest_runs_at_a_third_place(tmp_path: Path):
    """It has no path to the pod."""
    assert said(tmp_path, changed(THIRD, ("    node: pxmx01-01", "    node: pxmx03-01"))) == [
        "guests[0].node: node pxmx03-01 is at site-c, which has no path to the pod: choose a node of a site "
        "(pxmx01-01, pxmx01-02, pxmx02-01, pxmx02-02)"
    ]


def test_each_node_has_as_many_links_as_the_others_and_of_one_family(tmp_path: Path):
    """Corosync has the same links on every node, each of one family."""
    assert said(tmp_path, changed(LINKED, ("[127.21.141.12, 127.21.161.12]", "[127.21.141.12]"))) == [
        "sites[0].nodes[1].links: pxmx01-02 has 1 of 2 addresses: corosync has the same links on every node, give "
        "pxmx01-02 1 more, or no node any"
    ]
    assert said(tmp_path, changed(LINKED, ("127.21.162.12", '"fd00::12"'))) == [
        "sites[1].nodes[1].links[1]: link 1 has IPv6 at pxmx02-02 and IPv4 at pxmx01-01: a link has one family on all "
        "nodes, give each node an address of the same"
    ]


def test_an_address_of_a_link_is_used_once(tmp_path: Path):
    """Also where it is spelled otherwise."""
    assert said(tmp_path, changed(LINKED, ("127.21.142.11", "127.21.141.11"))) == [
        "sites[1].nodes[0].links[0]: address 127.21.141.11 is used twice, by link 0 of node pxmx01-01 of site-a and "
        "link 0 of node pxmx02-01 of site-b: each needs its own"
    ]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (("fd00::1", "10.2.0.1"), []),
        (
            ("fd00::2", "10.2.0.1"),
            [
                "pve1: corosync.conf says ring0_addr fd00::2, the inventory says links[0] fd00::1; correct links of "
                "the node, or ring0_addr for that node"
            ],
        ),
        (
            ("fd00:0:0:0:0:0:0:1",),
            [
                "pve1: corosync.conf has no link 1, the inventory says links[1] 10.2.0.1; add ring1_addr for every "
                "node and raise config_version, or remove it from links"
            ],
        ),
        (
            ("FD00::1", "10.2.0.1", "10.3.0.1"),
            ["pve1: corosync.conf has a link 2 at 10.3.0.1, and links of the node does not name it; add it there"],
        ),
    ],
    ids=["alike", "other address", "no second link", "a third link"],
)
def test_corosyncs_addresses_are_compared_in_one_spelling(found: tuple[str, ...], words: list[str]):
    """IPv6 is the same in every spelling; each wrong thing has its sentence."""
    assert against({"pve1": ("fd00::1", "10.2.0.1")}, {"pve1": found}) == words
