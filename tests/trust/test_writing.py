"""What `quorate trust` writes to: files that belong to people, and hold more than it knows of."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.clients import shown
from cluster.trust import HostKey
from tests.twin import EXAMPLE
from workers.cli.trust import pinning
from workers.cli.trust.writing import Wish, write
from workers.errors import Unusable
from workers.inventory_file import load

PIN = ":".join(["AB"] * 32)
KEY = HostKey(kind="ssh-ed25519", data="AAAAC3Nza", fingerprint="SHA256:abc")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An inventory with a known_hosts file beside it."""
    path = tmp_path / "inventory.yaml"
    path.write_text(EXAMPLE.read_text().replace("../var/lab/", "secrets/"))
    (tmp_path / "secrets").mkdir()
    return path


def knowing(path: Path) -> list[str]:
    """A host key of 10.0.0.9 written down; what is told."""
    return write(path, load(path), [Wish("know x", changes=False, key=("10.0.0.9", 22, KEY))])


def test_a_known_hosts_file_that_cannot_be_read_is_left_as_it_is(place: Path):
    """A comment in another encoding: writing it anew would lose the keys of every other host."""
    known = place.parent / "secrets" / "known_hosts"
    known.write_bytes(before := "10.0.0.1 ssh-ed25519 AAAA Büro\n".encode("latin-1"))

    with pytest.raises(Unusable, match="is not UTF-8 text, so it is left as it is") as refused:
        knowing(place)

    assert refused.value.remedy == "add these lines yourself:\n10.0.0.9 ssh-ed25519 AAAAC3Nza"
    assert known.read_bytes() == before


def test_the_line_ends_of_known_hosts_stay(place: Path):
    """Whoever edits it under Windows finds no other line changed."""
    known = place.parent / "secrets" / "known_hosts"
    known.write_bytes(b"10.0.0.1 ssh-ed25519 AAAA\r\n")

    knowing(place)

    assert known.read_bytes() == b"10.0.0.1 ssh-ed25519 AAAA\r\n10.0.0.9 ssh-ed25519 AAAAC3Nza\n"


def test_a_pin_is_not_written_into_an_inventory_that_has_changed_meanwhile(place: Path):
    """Nodes that swap their places while a person compares: the pin would be another machine's."""
    known = load(place)
    text = place.read_text()
    place.write_text(text.replace("pxmx01-01", "spare").replace("pxmx01-02", "pxmx01-01").replace("spare", "pxmx01-02"))
    before = place.read_text()

    with pytest.raises(Unusable, match="has changed since it was compared, so nothing was written to it"):
        write(place, known, [Wish("pin pxmx01-01", changes=False, pin=(("sites", 0, "nodes", 0), PIN))])

    assert place.read_text() == before


def test_a_file_keeps_its_rights_and_its_owner(tmp_path: Path):
    """An administrator writes what a worker reads."""
    file = tmp_path / "inventory.yaml"
    file.write_text("name: x\n")
    file.chmod(0o640)
    os.chown(file, os.getuid(), other := os.getgroups()[-1] if os.getuid() else 12345)

    pinning.replace(file, "name: y\n")

    there = file.stat()
    assert (file.read_text(), there.st_mode & 0o777, there.st_gid) == ("name: y\n", 0o640, other)


def test_a_certificate_draws_no_lines_of_its_own():
    """Whoever stands in between writes its names: they stand on one line, whatever is in them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fa\n  ✓ as the inventory says: pinned")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a\nb")]), critical=False)
        .sign(key, hashes.SHA256())
    )

    found = shown.read(made.public_bytes(serialization.Encoding.DER))

    assert found.subject == r"fa\x0a  ✓ as the inventory says: pinned"
    assert found.names == (r"a\x0ab",)
