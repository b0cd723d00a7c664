"""`quorate check` follows every reference of an inventory before a run waits for days in vain."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.failback.people import Person, list_of
from tests.workers.test_cli import EXAMPLE, quorate
from workers.cli.check import checked

Change = Callable[[Path], object]
REAL = re.compile(r"\b127\.21\.")


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory of real addresses, with everything that it refers to beside it."""
    path = tmp_path / "inventory.yaml"
    text = REAL.sub("10.21.", EXAMPLE.read_text()).replace("../var/lab/", "secrets/")
    text += '\nnotify:\n  - name: chat\n    webhook: env:CHECK_CHAT\n    headers: {X: "file:secrets/chat"}\n'
    path.write_text(text.replace("needed: 1", "needed: 2"))
    (tmp_path / "secrets").mkdir()
    for name in set(re.findall(r"secrets/([\w.-]+)", text)):
        (tmp_path / "secrets" / name).write_text("x")
    list_of(tmp_path / "secrets" / "allowed_signers", Person("ben"), Person("cleo"))
    return path


def complaints(path: Path, *, offline: bool = False) -> list[str]:
    return [str(one) for one in checked(path, offline=offline).complaints]


def test_an_inventory_with_all_that_it_refers_to_is_well(inventory: Path, monkeypatch: pytest.MonkeyPatch):
    """Files, variables, list of approvers."""
    monkeypatch.setenv("CHECK_CHAT", "https://chat.example.net/x")
    assert complaints(inventory) == []


def gone(name: str) -> Change:
    return lambda folder: (folder / "secrets" / name).unlink()


def short_list(folder: Path) -> None:
    list_of(folder / "secrets" / "allowed_signers", Person("ben"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (gone("pve.token"), r"line \d+: api.token: file:secrets/pve.token does not exist here"),
        (lambda folder: (folder / "secrets/pve.token").write_text(""), "api.token: file:secrets/pve.token is empty"),
        (gone("ca.pem"), r"line \d+: sites\[0\].nodes\[0\].bmc.ca: secrets/ca.pem does not exist here"),
        (gone("known_hosts"), r"line \d+: ssh.known_hosts: secrets/known_hosts does not exist here"),
        (gone("chat"), r"line \d+: notify\[0\].headers.X: file:secrets/chat does not exist here"),
        (
            gone("allowed_signers"),
            r"line \d+: approvals.allowed_signers: .* --offline to skip; it holds a line for each",
        ),
        (
            short_list,
            r"line \d+: approvals.allowed_signers: approvals.needed is 2, and the list of approvers has 1: add lines",
        ),
    ],
)
def test_what_leads_nowhere_is_told_with_its_line(
    inventory: Path, monkeypatch: pytest.MonkeyPatch, change: Change, said: str
):
    """The field, the reference and what to do."""
    monkeypatch.setenv("CHECK_CHAT", "https://chat.example.net/x")
    change(inventory.parent)
    found = complaints(inventory)
    assert any(re.search(said, one) for one in found), found
    assert complaints(inventory, offline=True) == []


def test_a_variable_that_is_not_set_ends_with_one(inventory: Path):
    """Whoever runs it in a script sees it in the status; with --offline it is the worker's matter."""
    done = quorate("check", str(inventory))
    assert done.returncode == 1
    assert "notify[0].webhook: env:CHECK_CHAT is not set here; a worker elsewhere may have it" in done.stderr
    assert quorate("check", str(inventory), "--offline").returncode == 0


def test_a_twin_that_has_lost_a_secret_is_an_error(inventory: Path):
    """Only where none is there at all has it not been started."""
    inventory.write_text(inventory.read_text().replace("10.21.", "127.21."))
    (inventory.parent / "secrets" / "pve.token").unlink()
    assert any("secrets/pve.token does not exist here" in one for one in complaints(inventory))
    for left in (inventory.parent / "secrets").iterdir():
        left.unlink()
    found = checked(inventory, offline=False)
    assert found.notes == ["the twin has not been started: `quorate lab up` writes its secrets"]
    assert [str(one).partition(": ")[2] for one in found.complaints] == [
        "notify[0].webhook: env:CHECK_CHAT is not set here; a worker elsewhere may have it: --offline to skip"
    ]
