"""The inventory file: what is right loads, and what is wrong is named with field, line and remedy."""

from pathlib import Path

import pytest

from workers.inventory_file import InventoryError, load

EXAMPLE = Path(__file__).parents[2] / "examples" / "lab.yaml"


def complaints(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    """What `load` says of the example after some changes, one line each."""
    text = EXAMPLE.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "inventory.yaml"
    path.write_text(text)
    with pytest.raises(InventoryError) as caught:
        load(path)
    return [str(complaint) for complaint in caught.value.complaints]


def test_the_shipped_example_is_the_articles_lab():
    """Six nodes, seven votes, one stretched volume of 10 TiB."""
    inventory = load(EXAMPLE)

    assert len(inventory.nodes) == 6
    assert (inventory.votes, inventory.quorum) == (7, 4)
    assert inventory.volume_name == "webb-ac-proxmox-01::ac-pve-test-01"
    assert inventory.pod.volume.size == 10 * 2**40


def test_names_both_users_of_a_duplicate_address(tmp_path: Path):
    """An address that two nodes have is told at the second one."""
    assert complaints(tmp_path, ("address: 127.21.101.12", "address: 127.21.101.11")) == [
        "line 15: sites[0].nodes[1].address: address 127.21.101.11 is used twice, "
        "by node pxmx01-01 of site-a and node pxmx01-02 of site-a: each needs its own"
    ]


SHARED = (
    ('bmc: {address: "127.21.101.111:8443", ', 'bmc: {address: "127.21.101.111:8443", system: "1", '),
    ('bmc: {address: "127.21.101.112:8443", ', 'bmc: {address: "127.21.101.111:8443", system: "SECOND", '),
)


def test_two_nodes_of_a_chassis_share_a_controller(tmp_path: Path):
    """It tells them apart by the names of their systems."""
    text = EXAMPLE.read_text()
    for old, new in SHARED:
        text = text.replace(old, new.replace("SECOND", "2"), 1)
    (path := tmp_path / "inventory.yaml").write_text(text)
    assert [node.bmc.system for node in load(path).nodes if node.bmc] == ["1", "2", "", "", "", ""]


def test_one_machine_of_a_chassis_is_no_two_nodes(tmp_path: Path):
    """The power of one would be taken for that of the other."""
    assert complaints(tmp_path, *((old, new.replace("SECOND", "1")) for old, new in SHARED)) == [
        "line 17: sites[0].nodes[1].bmc.address: bmc.address 127.21.101.111:8443 system 1 is used twice, by node "
        "pxmx01-01 and node pxmx01-02: each needs its own"
    ]


def test_a_port_does_not_hide_a_duplicate_address(tmp_path: Path):
    """An array on a node's address is one address used twice."""
    (said,) = complaints(tmp_path, ("address: 127.21.101.10:8443", "address: 127.21.101.11:8443"))

    assert "address 127.21.101.11 is used twice, by node pxmx01-01 of site-a and array X90R3-SiteA" in said


def test_refuses_a_node_on_two_sites(tmp_path: Path):
    """A node stands in one room."""
    said = complaints(tmp_path, ("name: pxmx02-01", "name: pxmx01-01"))

    assert said == [
        "line 25: sites[1].nodes[0].name: name pxmx01-01 is used twice, "
        "by node pxmx01-01 of site-a and node pxmx01-01 of site-b: each needs its own"
    ]


def test_refuses_sites_of_unequal_size_and_says_what_would_do(tmp_path: Path):
    """The quorum device never votes for the smaller part: it could not go on alone."""
    third = (
        "      - name: pxmx02-03\n        address: 127.21.102.13\n        iqn: iqn.1993-08.org.debian:01:a1b2c3d40203\n"
        '        bmc: {address: "127.21.102.113:8443", user: engine, password: "file:../var/lab/bmc.password", '
        "ca: ../var/lab/ca.pem}\n"
    )

    assert complaints(tmp_path, (third, "")) == [
        "line 6: sites: the sites are of unequal size (site-a: 3, site-b: 2): without site-a, site-b has 2 of 6 votes "
        "and 4 are needed, for the quorum device (ffsplit) never votes for the smaller part; give site-b 1 node more "
        "or site-a 1 less, or give third with at least 2 nodes instead of witness"
    ]


def test_names_the_known_arrays_when_one_is_unknown(tmp_path: Path):
    """A typing slip in an array's name is told with the names that would do."""
    assert complaints(tmp_path, ("first: X90R3-SiteA", "first: X90R3-SitA")) == [
        "line 66: pod.first: array X90R3-SitA is unknown: known are X90R3-SiteA, X90R3-SiteB"
    ]


def test_refuses_a_secret_in_clear_without_repeating_it(tmp_path: Path):
    """A token in the file is refused, and the message does not spread it."""
    said = complaints(tmp_path, ("token: file:../var/lab/pve.token", "token: 11111111-2222-3333-4444-555555555555"))

    assert said == ["line 56: api.token: a secret must not stand here in clear: refer to it as env:NAME or file:PATH"]


def test_names_an_unknown_field(tmp_path: Path):
    """A slip in a field's name is never ignored."""
    assert complaints(tmp_path, ("  id: pxmx-ac-shared", "  id: pxmx-ac-shared\n  shraed: true")) == [
        "line 77: storage.shraed: is not a field here"
    ]


def test_the_speed_of_time_is_the_workers(tmp_path: Path):
    """It was a field in version 0.1: the message says where it is set now."""
    assert complaints(tmp_path, ("name: pxmx-cluster", "name: pxmx-cluster\nspeed: 20")) == [
        "line 5: speed: is not a field here: the worker is told how fast a rehearsal's time runs; leave it out, "
        "and start the worker with QUORATE_SPEED=20"
    ]


def test_names_a_missing_field_at_the_line_that_should_hold_it(tmp_path: Path):
    """What is missing stands nowhere; the place it belongs to has a line."""
    assert complaints(tmp_path, ("  vg: pxmx-ac-vg\n", "")) == ["line 75: storage.vg: is missing"]


def test_says_all_that_is_wrong_at_once(tmp_path: Path):
    """Nobody wants to meet ten errors in ten runs."""
    said = complaints(
        tmp_path,
        ("X90R3-SiteA: 253", "X90R3-SiteA: 5000"),
        ("size: 10TiB", "size: 10TB"),
        ("array_rtt: 10ms", "array_rtt: 10"),
    )

    assert [line.split(":")[1].strip() for line in said] == [
        "pod.volumes[0].size",
        "pod.volumes[0].luns.X90R3-SiteA",
        "limits.array_rtt",
    ]
    assert "unit 'TB' is unknown: write KiB, MiB, GiB, TiB or PiB" in said[0]
    assert "5000: Input should be less than or equal to 4095" in said[1]
    assert "10: a duration needs a unit: write 10ms, 90s, 15m, 2h or 7d" in said[2]


def test_refuses_a_key_that_is_written_twice(tmp_path: Path):
    """YAML would take the last one without a word."""
    assert complaints(tmp_path, ("name: pxmx-cluster\n", "name: pxmx-cluster\nname: other\n")) == [
        "line 5: name: is written twice"
    ]


def test_tells_where_the_yaml_breaks(tmp_path: Path):
    """A file that is no YAML gets a line, not a stack trace."""
    (said,) = complaints(tmp_path, ("sites:\n", "sites: [\n"))

    assert said.startswith("line ")


@pytest.mark.parametrize("content", ["", "- a\n", "just words\n"])
def test_refuses_a_file_that_is_no_mapping(tmp_path: Path, content: str):
    """An empty or foreign file says what was expected."""
    path = tmp_path / "inventory.yaml"
    path.write_text(content)

    with pytest.raises(InventoryError, match=r"is empty or no mapping; see examples/lab\.yaml"):
        load(path)
