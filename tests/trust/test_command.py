"""`quorate trust` as a person uses it: what is shown, what is asked, what is written."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from typer.testing import CliRunner

from activities.clients.tls import fingerprint
from lab.serving.delivered import identity
from tests.twin import TwinThread, inventory_file
from workers.cli.main import app
from workers.inventory_file import load

ARRAY, NODE = "X90R3-SiteA", "pxmx01-01"


@pytest.fixture
def place(own_twin: TwinThread, tmp_path: Path) -> Path:
    """An inventory of the twin that this test may write to, with what it refers to beside it."""
    path = tmp_path / "inventory.yaml"
    path.write_text(own_twin.path.read_text())
    (tmp_path / "secrets").mkdir()
    for one in (own_twin.path.parent / "secrets").iterdir():
        (tmp_path / "secrets" / one.name).write_bytes(one.read_bytes())
    return path


@pytest.fixture(scope="module")
def own_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinThread]:
    """One whose first array shows a certificate that nobody has signed."""
    one = TwinThread(inventory_file(tmp_path_factory.mktemp("trust"), "trusted"))
    yield one
    one.stop()


@pytest.fixture
def pin(own_twin: TwinThread) -> str:
    """Of what the first array shows: its own, for no name, until in ten days."""
    shown = identity("own-without-names", ARRAY, "127.0.0.1", datetime.now(UTC) + timedelta(days=10, hours=1))
    own_twin.show("array", ARRAY, shown)
    return fingerprint(shown.certificate)


def trust(path: Path, *words: str, says: str = "") -> tuple[int, str]:
    """Status and page; `says` is what a person at a terminal answers."""
    done = CliRunner().invoke(app, ["trust", *words, "-i", str(path)], input=says, env={"COLUMNS": "200"})
    return done.exit_code, done.output


def lines(output: str) -> list[str]:
    """Without what differs from run to run."""
    text = re.sub(r"127\.\d+\.", "127.N.", output)
    return [line.rstrip() for line in text.splitlines()]


def test_what_an_array_shows_is_told_and_nothing_is_written(place: Path, pin: str):
    """Nobody is at the terminal and --yes is not given."""
    before = place.read_text()
    ends = datetime.now(UTC) + timedelta(days=10, hours=1)

    status, page = trust(place, ARRAY)

    assert status == 1
    assert lines(page) == [
        f"{ARRAY} at 127.N.101.10:8443",
        f"  SHA-256    {pin}",
        f"  made for   no name that is looked at ({ARRAY}, Pure Storage, Inc.)",
        "  signed by  itself",
        f"  until      {ends:%Y-%m-%d}, 10 days",
        "  ✗ its certificate is not signed by secrets/ca.pem (self-signed certificate); "
        "put the right CA into arrays.ca, or pin it: quorate trust 127.N.101.10",
        f"  ! its certificate ends on {ends:%Y-%m-%d}; renew it on the array",
        f"not written: pin {ARRAY} to {pin}",
        "answer at a terminal, or write with --yes",
    ]
    assert place.read_text() == before


def test_a_yes_pins_it(monkeypatch: pytest.MonkeyPatch, place: Path, pin: str):
    """One line more in the inventory; from then on it fits, and its end is told with what to do."""
    monkeypatch.setattr("workers.cli.trust.commands._at_a_terminal", lambda: True)
    before = place.read_text()

    status, page = trust(place, ARRAY, says="y\n")
    after, again = trust(place, ARRAY)

    assert status == 0
    assert f"Pin {ARRAY} to {pin}? [y/N]: y" in page
    assert lines(page)[-1].endswith("inventory.yaml: 1 fingerprint written; a worker that runs has to be started again")
    assert place.read_text().replace(f'\n    fingerprint: "{pin}"', "", 1) == before
    assert load(place).array(ARRAY).fingerprint == (pin,)
    assert after == 0
    assert lines(again)[5:] == [
        "  ✓ as the inventory says: pinned",
        "  ! its certificate ends on "
        f"{datetime.now(UTC) + timedelta(days=10, hours=1):%Y-%m-%d}; renew it on the array, then write "
        "the new one with `quorate trust 127.N.101.10`",
    ]


def test_a_no_writes_nothing(monkeypatch: pytest.MonkeyPatch, place: Path, pin: str):
    """Enter alone is a no."""
    monkeypatch.setattr("workers.cli.trust.commands._at_a_terminal", lambda: True)
    before = place.read_text()

    status, page = trust(place, ARRAY, says="\n")

    assert (status, place.read_text()) == (1, before)
    assert f"Pin {ARRAY} to {pin}? [y/N]" in page


def test_yes_does_not_write_over_a_pin(own_twin: TwinThread, place: Path, pin: str):
    """Another certificate than the pinned one may be another machine: that takes a word of its own."""
    assert trust(place, ARRAY, "--yes")[0] == 0
    other = identity("own-without-names", ARRAY, "127.0.0.1")
    own_twin.show("array", ARRAY, other)
    now = fingerprint(other.certificate)

    status, page = trust(place, ARRAY, "--yes")
    assert (status, load(place).array(ARRAY).fingerprint) == (1, (pin,))
    assert f"not written, for something else is known there: pin {ARRAY} to {now}; --replace writes it" in page

    assert trust(place, ARRAY, "--yes", "--replace")[0] == 0
    assert load(place).array(ARRAY).fingerprint == (now,)


def test_host_keys_are_shown_and_written(own_twin: TwinThread, place: Path):
    """A host that known_hosts does not have: its line comes in, and every other line stays."""
    known = place.parent / "secrets" / "known_hosts"
    whole = known.read_text().splitlines()
    missing = own_twin.inventory.node(NODE).address
    known.write_text("# ours\n" + "".join(f"{line}\n" for line in whole if missing not in line))

    _, page = trust(place, NODE)
    assert "  ✗ known_hosts has no key of this host" in lines(page)

    status, page = trust(place, NODE, "--yes")
    assert status == 0
    assert re.search(r"known_hosts: 1 host key written$", page, re.MULTILINE)
    assert sorted(known.read_text().splitlines()) == sorted(["# ours", *whole])


def test_a_host_key_that_has_changed_is_told_as_that(own_twin: TwinThread, place: Path):
    """It is written with a word of its own, and then the old one is gone; where it is hashed, that is said."""
    known = place.parent / "secrets" / "known_hosts"
    label = f"[{own_twin.inventory.node(NODE).address}]:{own_twin.inventory.ssh.port}"
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    right = known.read_text()
    known.write_text(
        "".join(f"{label} {stranger}\n" if line.startswith(label) else f"{line}\n" for line in right.splitlines())
        + f"{label},other {stranger}\n"
    )

    status, page = trust(place, NODE, "--yes")
    assert status == 1
    assert "  ✗ known_hosts has another key: SHA256:" in page
    assert "not written, for something else is known there: know pxmx01-01 by its host key SHA256:" in page

    _, page = trust(place, NODE, "--yes", "--replace")
    assert f"has an older key there as well, which is still accepted: take it out with ssh-keygen -R '{label}'" in page
    assert f"\n{label} {stranger}\n" not in known.read_text()


def test_all_endpoints_of_an_inventory_in_one_document(own_twin: TwinThread, place: Path, pin: str):
    """Six nodes, six management controllers, two arrays, seven hosts; one does not fit."""
    status, page = trust(place, "--json")
    said: dict[str, Any] = json.loads(page)

    assert status == 1
    assert (len(said["endpoints"]), len(said["host_keys"]), said["written"]) == (14, 7, [])
    assert [one["who"] for one in said["endpoints"] if not one["fits"]] == [ARRAY]
    assert {one["fits"] for one in said["host_keys"]} == {True}
    (array,) = [one for one in said["endpoints"] if one["who"] == ARRAY]
    assert (array["fingerprint"], array["signed_itself"], array["names"]) == (pin, True, [])
    assert "is not signed by secrets/ca.pem" in array["why"]
    assert "its certificate ends on" in array["ending"]


def test_an_address_alone_needs_no_inventory(
    own_twin: TwinThread, pin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Before there is one: what is to be compared is shown, and nothing can be written."""
    monkeypatch.chdir(tmp_path)
    at = own_twin.inventory.array(ARRAY).address

    done = CliRunner().invoke(app, ["trust", at], env={"COLUMNS": "200", "QUORATE_INVENTORY": "inventory.yaml"})

    assert done.exit_code == 0
    assert lines(done.output)[:2] == [lines(at)[0], f"  SHA-256    {pin}"]


def test_a_silent_endpoint_is_no_fit(place: Path):
    """It is told as silent, and the status says that not all is known."""
    text = place.read_text()
    place.write_text(text.replace(":8443", ":8444", 1))

    status, page = trust(place, "--json")

    assert status == 1
    assert "does not answer over TLS: Connection refused" in page


def test_replace_is_for_yes(place: Path):
    """At a terminal each change is asked for."""
    status, _ = trust(place, "--replace")
    assert status != 0
