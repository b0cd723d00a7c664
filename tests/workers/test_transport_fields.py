"""By what the arrays know a node: the inventory says it for the transport that it names, in one spelling."""

import re
from pathlib import Path

import pytest
import yaml

from cluster.inventory import Inventory, Node
from workers.inventory_file import InventoryError, load

EXAMPLE = Path(__file__).parents[2] / "examples" / "lab.yaml"
WWNS = {f"{site}0{node}": f'["21:00:00:24:ff:0{site}:0{node}:01", "21:00:00:24:ff:0{site}:0{node}:02"]'
        for site in (1, 2) for node in (1, 2, 3)}  # fmt: skip


def of_transport(folder: Path, transport: str, *changes: tuple[str, str]) -> Path:
    """The article's lab with HBAs, after some changes."""
    text = EXAMPLE.read_text().replace("name: pxmx-cluster\n", f"name: pxmx-cluster\ntransport: {transport}\n", 1)
    text = re.sub(r"iqn: iqn\.1993-08\.org\.debian:01:a1b2c3d40(\d0\d)", lambda found: f"wwns: {WWNS[found[1]]}", text)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (path := folder / "inventory.yaml").write_text(text)
    return path


def complaints(path: Path) -> list[str]:
    """What `load` says of it."""
    with pytest.raises(InventoryError) as caught:
        load(path)
    return [str(complaint) for complaint in caught.value.complaints]


@pytest.mark.parametrize(
    "spelt",
    [
        "21:00:00:24:FF:01:02:03",
        "21:00:00:24:ff:01:02:03",
        "21-00-00-24-ff-01-02-03",
        "21000024ff010203",
        "0x21000024ff010203",
        "naa.21000024ff010203",
        " 21000024FF010203 ",
    ],
)
def test_a_wwn_is_taken_in_each_usual_spelling(spelt: str):
    """Switches, Linux, udev and Purity write it each in its own way."""
    (node,) = [Node(name="pve1", address="10.0.0.1", wwns=(spelt,))]

    assert node.wwns == ("21:00:00:24:FF:01:02:03",)


@pytest.mark.parametrize(
    "wrong", ["21:00:00:24:ff:01:02", "21:00:00:24:ff:01:02:0g", "iqn.1993-08.org.debian:01:a1", ""]
)
def test_what_is_no_wwn_is_refused_with_an_example(wrong: str):
    """And with the file in which a node tells its own."""
    with pytest.raises(ValueError, match=r"a WWN has 16 hexadecimal digits, as in /sys/class/fc_host/host\*/port_name"):
        Node(name="pve1", address="10.0.0.1", wwns=(wrong,))


def test_a_wwn_that_yaml_takes_for_a_number_is_asked_for_in_quotation_marks(tmp_path: Path):
    """Colons between small numbers are minutes to YAML, and the value is lost."""
    path = of_transport(tmp_path, "fc", ('["21:00:00:24:ff:01:01:01", ', "[21:00:00:24:01:01:01:01, "))

    (said,) = complaints(path)
    assert 'write a WWN in quotation marks, or YAML takes it for a number: "21:00:00:24:ff:01:02:03"' in said


@pytest.mark.parametrize(
    "wrong", ["nqn.2014-08.org.nvmexpress:uuid:1", "iqn.1993-08.org.debian:01:a1", "nqn.2014-08.x:" + "y" * 223]
)
def test_what_is_no_nqn_is_refused_with_an_example(wrong: str):
    """As /etc/nvme/hostnqn has it."""
    with pytest.raises(ValueError, match=r"a host's NQN looks like nqn\.2014-08\.org\.nvmexpress:uuid:4c4c4544-"):
        Node(name="pve1", address="10.0.0.1", nqn=wrong)


def test_a_cluster_on_fibre_channel_names_wwpns_alone(tmp_path: Path):
    """No initiator name is asked for; all are in Purity's spelling."""
    inventory = load(of_transport(tmp_path, "fc"))

    assert inventory.transport == "fc"
    assert inventory.nodes[0].wwns == ("21:00:00:24:FF:01:01:01", "21:00:00:24:FF:01:01:02")


def test_the_identifiers_of_the_transport_must_be_there(tmp_path: Path):
    """Each node that lacks them is named, with where it tells them."""
    said = complaints(of_transport(tmp_path, "iscsi"))

    assert said[0] == (
        "line 11: sites[0].nodes[0].iqn: is missing: with transport iscsi the arrays know pxmx01-01 by its initiator "
        "name (/etc/iscsi/initiatorname.iscsi there)"
    )
    assert said[1] == (
        "line 13: sites[0].nodes[0].wwns: 21:00:00:24:FF:01:01:01, 21:00:00:24:FF:01:01:02 is not used with transport "
        "iscsi: remove it, or set transport: fc"
    )
    assert len(said) == 12


def test_a_wwn_is_one_nodes(tmp_path: Path):
    """Spelt in another way it is the same."""
    path = of_transport(tmp_path, "fc", ("21:00:00:24:ff:02:01:01", "0x21000024ff010102"))

    assert complaints(path) == [
        "line 28: sites[1].nodes[0].wwns[0]: wwn 21:00:00:24:FF:01:01:02 is used twice, by node pxmx01-01 of site-a "
        "and node pxmx02-01 of site-b: each needs its own"
    ]


def test_what_only_iscsi_has_is_refused_on_fibre_channel(tmp_path: Path):
    """With field, value and remedy."""
    path = of_transport(
        tmp_path,
        "fc",
        ("    host_group: pxmx-cluster-1\n", "    host_group: pxmx-cluster-1\n    portals: [10.22.1.0/24]\n"),
        ("\nstorage:", "\npaths:\n  mtu: 9000\n  chap: {user: pve, password: env:CHAP}\n\nstorage:"),
    )

    assert [said.partition(": ")[2] for said in complaints(path)] == [
        "arrays[0].portals: 10.22.1.0/24 is for iSCSI and NVMe/TCP alone, and the transport is fc: remove it",
        "paths.mtu: 9000 is for iSCSI and NVMe/TCP alone, and the transport is fc: remove it",
        "paths.chap: user pve is for iSCSI alone, and the transport is fc: remove it",
    ]


def test_an_inventory_without_a_transport_is_what_it_was():
    """Its digest stands in recorded runs."""
    inventory = load(EXAMPLE)

    assert inventory.transport == "iscsi"
    assert not {"transport", "wwns", "nqn"} & set(yaml.safe_load(inventory.model_dump_json()))
    assert Inventory.model_validate_json(inventory.model_dump_json()).digest == inventory.digest
