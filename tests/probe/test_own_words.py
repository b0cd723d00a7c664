"""Names that people give where devices have words of their own, and files that are bent on the way."""

import io
import zipfile
from pathlib import Path

import pytest

from cluster.probing.bundle import BadBundle, Bundle, Manifest, pack, unpack
from cluster.probing.cleaning import Answer
from tests.twin import EXAMPLE
from workers.cli.lab.bundled import placed
from workers.cli.probe.bundling import bundled
from workers.cli.probe.commands import _write
from workers.errors import Unusable
from workers.inventory_file import load

LAB = load(EXAMPLE)
ARRAY, NODE = LAB.arrays[0].name, LAB.nodes[0].name


def kept(answer: Answer) -> object:
    """What a bundle has of one answer."""
    return bundled(LAB, [answer]).answers[0].data


@pytest.mark.parametrize(
    ("name", "stands"),
    [
        ("vm-300-disk-0", "vm-300-disk-0"),
        ("vm-300-cloudinit", "vm-300-cloudinit"),
        ("vm-300-state-before_the_layoffs", "file-01"),
        ("vm-300-disk-payroll", "file-01"),
    ],
)
def test_a_volume_is_called_as_proxmox_calls_it_or_not_at_all(name: str, stands: str):
    """The memory of a snapshot is called like the snapshot, which people name."""
    told = Answer(of="node", who=NODE, what="logical-volumes", data={"report": [{"lv": [{"lv_name": name}]}]})

    assert kept(told) == {"report": [{"lv": [{"lv_name": stands}]}]}


@pytest.mark.parametrize("card", ["CT0.ETH4", "ct1", "vir0", "eth4", "bond1.100", "ens1f0", "enp3s0f1np1", "eno1"])
def test_a_card_keeps_the_name_of_its_place(card: str):
    """As arrays and Linux call all of them."""
    assert kept(Answer(of="array", who=ARRAY, what="interfaces", data=[{"name": card}])) == [{"name": card}]


@pytest.mark.parametrize("card", ["bond0_payroll", "vmbr0.payroll", "ct0.payroll", "enx0a1b2c3d4e5f", "eth0payroll"])
def test_a_card_that_is_called_by_its_owner_or_its_address_is_not(card: str):
    """What follows a number is anybody's word, or a MAC address."""
    assert kept(Answer(of="array", who=ARRAY, what="interfaces", data=[{"name": card}])) == [{"name": "iface-01"}]


def test_a_target_of_linux_is_not_called_as_its_owner_calls_it():
    """A disk's product is its maker's word, or the name of a backstore."""
    lines = [
        "36001405aa dm-3 LIO-ORG,payroll-lun",
        "size=10G features='0' hwhandler='1 alua' wp=rw payroll",
        "36001405bb dm-4 PURE,FlashArray",
    ]

    assert kept(Answer(of="node", who=NODE, what="maps", data=lines)) == [
        "3000000001 dm-3 LXX-XXX,XXXXXXX0003",
        "3000000002 dm-4 PURE,FlashArray",
    ]


def test_who_logs_in_is_nobodys_business():
    """A person's account, or the company's."""
    ssh = LAB.ssh.model_copy(update={"user": "payroll-automation"})

    assert "payroll" not in bundled(LAB.model_copy(update={"ssh": ssh}), []).inventory


# --- files ---

WHOLE = Bundle(manifest=Manifest(quorate="0.3.0"), inventory="name: cluster-01\n" * 30, answers=())


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bytes_that_were_damaged_on_the_way_are_told_as_that(method: int):
    """However somebody has packed it anew."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as file:
        file.writestr("manifest.json", pack(WHOLE)[60:90])
        file.writestr("inventory.yaml", WHOLE.inventory)
    data = bytearray(written.getvalue())

    with pytest.raises(BadBundle):
        unpack(bytes(data[:50] + b"\xff" * 8 + data[58:]))


@pytest.mark.parametrize("inventory", ["[" * 9000, "name: 2026-13-45", f"name: {'9' * 5000}"])
def test_an_inventory_that_no_parser_can_stand_ends_in_a_sentence(
    inventory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Brackets without end, a day that no month has, a number of five thousand digits."""
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path / "state"))
    file = tmp_path / "probe.zip"
    file.write_bytes(pack(WHOLE.model_copy(update={"inventory": inventory})))

    with pytest.raises(Unusable, match="its inventory cannot be read"):
        placed(file)


def test_a_link_that_lies_in_the_way_is_not_followed(tmp_path: Path):
    """In a folder of everybody's, somebody may have guessed the name of the file before it is whole."""
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / ".probe.zip.new").symlink_to(mine)

    _write(tmp_path / "probe.zip", b"whole")

    assert ((tmp_path / "probe.zip").read_bytes(), mine.read_text()) == (b"whole", "mine")


def test_a_bundle_that_could_not_be_written_leaves_nothing_behind(tmp_path: Path):
    """No half of one that looks whole."""
    (tmp_path / "probe.zip").mkdir()

    with pytest.raises(Unusable, match="cannot be written: Is a directory"):
        _write(tmp_path / "probe.zip", b"whole")

    assert [path.name for path in tmp_path.iterdir()] == ["probe.zip"]
