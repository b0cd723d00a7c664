"""A fingerprint goes into a file that belongs to a person: one line more, and every other letter as it was."""

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.trust import Location
from workers.cli.trust import pinning
from workers.cli.trust.pinning import NotSafely, pinned
from workers.inventory_file import InventoryError, load

PIN, OTHER = ":".join(["AB"] * 32), ":".join(["CD"] * 32)
EXAMPLES = Path(__file__).parents[2] / "examples"
ARRAY: Location = ("arrays", 0)


def changed(before: str, after: str) -> list[str]:
    """The lines that a person would see in a diff."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize("example", ["lab.yaml", "metro.yaml"])
def test_a_pin_is_one_line_more(example: str):
    """Beside the signer, in the shipped examples."""
    text = (EXAMPLES / example).read_text()

    assert changed(text, pinned(text, {ARRAY: PIN})) == [f'+     fingerprint: "{PIN}"']


def test_a_pin_goes_into_a_part_on_one_line(tmp_path: Path):
    """As management controllers stand in the examples; the file still loads."""
    text = (EXAMPLES / "metro.yaml").read_text()
    place: Location = ("sites", 1, "nodes", 2, "bmc")
    path = tmp_path / "inventory.yaml"
    path.write_text(made := pinned(text, {place: PIN, ARRAY: OTHER}))

    removed, added, array = changed(text, made)
    assert added[2:] == removed[2:].replace("ca.pem}", f'ca.pem, fingerprint: "{PIN}"}}')
    assert array == f'+     fingerprint: "{OTHER}"'
    bmc = load(path).sites[1].nodes[2].bmc
    assert bmc is not None
    assert bmc.fingerprint == (PIN,)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "arrays:\n- address: 10.0.0.1   # left\n  name: x\n",
            'arrays:\n- address: 10.0.0.1   # left\n  fingerprint: "P"\n  name: x\n',
        ),
        ("arrays: [{address: 10.0.0.1}]\n", 'arrays: [{address: 10.0.0.1, fingerprint: "P"}]\n'),
        ("arrays:\n  - address: a\n    ca: b", 'arrays:\n  - address: a\n    ca: b\n    fingerprint: "P"'),
        (
            "arrays:\r\n  - address: a\r\n    x: 1\r\n",
            'arrays:\r\n  - address: a\r\n    fingerprint: "P"\r\n    x: 1\r\n',
        ),
        (
            "arrays:\n  - address: a\n    fingerprint: O # old\n",
            'arrays:\n  - address: a\n    fingerprint: "P" # old\n',
        ),
        ("arrays:\n  - address: a\n    fingerprint: [O, O]\n", 'arrays:\n  - address: a\n    fingerprint: "P"\n'),
        ("# ü\narrays:\n  - address: ä\n", '# ü\narrays:\n  - address: ä\n    fingerprint: "P"\n'),
    ],
)
def test_files_are_laid_out_as_people_like(before: str, after: str):
    """Comments, indentation, the kind of line ends, an older pin in place."""
    assert pinned(before.replace("O", OTHER), {ARRAY: PIN}) == after.replace("P", PIN)


@pytest.mark.parametrize(
    "text",
    [
        "arrays:\n  - &a {address: 10.0.0.1}\n  - *a\n",
        "arrays:\n  - address: a\n    fingerprint:\n      - O\n      # the one before\n  - address: b\n",
        "base: &b {ca: x}\narrays:\n  - <<: *b\n",
        "arrays: []\n",
    ],
)
def test_what_cannot_be_edited_for_certain_is_left_to_people(text: str):
    """Parts that are shared, lists of lines, merged keys: nothing is written, the lines are told."""
    with pytest.raises(NotSafely):
        pinned(text.replace("O", OTHER), {ARRAY: PIN})
    assert pinning.lines({("sites", 0, "nodes", 1, "bmc"): PIN}) == [f'sites[0].nodes[1].bmc:  fingerprint: "{PIN}"']


def test_a_file_keeps_its_rights_and_its_place(tmp_path: Path):
    """Also where the name leads to another one."""
    real, name = tmp_path / "real.yaml", tmp_path / "inventory.yaml"
    real.write_text("old")
    real.chmod(0o640)
    name.symlink_to(real)

    pinning.replace(name, "new")

    assert (name.is_symlink(), real.read_text(), real.stat().st_mode & 0o777) == (True, "new", 0o640)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["inventory.yaml", "real.yaml"]


Said = Callable[[str], str]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """What an inventory with these lines at its first array is told."""

    def complaint(lines: str) -> str:
        path = tmp_path / "inventory.yaml"
        path.write_text(
            (EXAMPLES / "lab.yaml").read_text().replace("    host_group:", f"    {lines}\n    host_group:", 1)
        )
        with pytest.raises(InventoryError) as caught:
            load(path)
        return str(caught.value.complaints[0]).partition(": ")[2]

    return complaint


FORM = (
    "the SHA-256 fingerprint of a certificate has 64 hexadecimal digits, with or without colons{}: "
    "`quorate trust HOST` shows it"
)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("fingerprint: AB:CD", "arrays[0].fingerprint: 'AB:CD': " + FORM.format("; 'AB:CD' has 4")),
        ("fingerprint: SHA256:x", "arrays[0].fingerprint: 'SHA256:x': " + FORM.format("")),
        ("fingerprint: [AB]", "arrays[0].fingerprint: " + FORM.format("; 'AB' has 2")),
        (
            "server_name: https://fa",
            "arrays[0].server_name: 'https://fa': an address is no URL: write fa alone",
        ),
    ],
)
def test_a_wrong_pin_is_named(said: Said, lines: str, complaint: str):
    """Field, value, and what is right."""
    assert said(lines) == complaint


@pytest.mark.parametrize("written", [PIN, PIN.lower(), PIN.replace(":", ""), PIN.replace(":", "").lower()])
def test_a_fingerprint_has_one_spelling(tmp_path: Path, written: str):
    """With or without colons, in either case: as Proxmox VE shows it."""
    path = tmp_path / "inventory.yaml"
    text = (EXAMPLES / "lab.yaml").read_text()
    path.write_text(text.replace("    host_group:", f"    fingerprint: [{written}, {OTHER}]\n    host_group:", 1))

    assert load(path).arrays[0].fingerprint == (PIN, OTHER)


def test_an_inventory_without_pins_is_what_it_was():
    """Its digest is what runs of earlier versions have noted, and no new field is in its JSON."""
    lab = load(EXAMPLES / "lab.yaml")
    known = lab.model_copy(update={"pod": lab.pod.model_copy(update={"failover_preference": None})})  # as it was

    assert known.digest == "0c20bafe6837"
    assert "fingerprint" not in known.model_dump_json()
    assert "server_name" not in known.model_dump_json()
