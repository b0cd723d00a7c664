"""Keys and signatures: ours and OpenSSH's are the same; hardware keys count; what is wrong is told apart."""

import base64
import hashlib
import struct
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activities.clients import signatures
from cluster.approval import Bad, Good, Proof, read
from cluster.signers import listed_as, persons
from tests.failback.people import Person

TEXT = "Quorate approval, version 1\n"


def word(proof: Proof) -> str:
    return proof.word if isinstance(proof, Bad) else proof.kind


def openssh(folder: Path, *words: str, data: bytes = b"") -> bytes:
    done = subprocess.run(["ssh-keygen", *words], cwd=folder, input=data, capture_output=True, check=True, timeout=20)
    return done.stdout


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_what_openssh_signs_counts(tmp_path: Path, kind: str):
    """`ssh-keygen -Y sign -n quorate` is as good as `quorate approve`."""
    openssh(tmp_path, "-q", "-t", kind, "-N", "", "-f", "key")
    signature = openssh(tmp_path, "-Y", "sign", "-n", "quorate", "-f", "key", data=TEXT.encode()).decode()
    public = (tmp_path / "key.pub").read_text().split()

    found = signatures.proof(TEXT, signature, "ben", f'ben namespaces="quorate" {public[0]} {public[1]}')
    assert isinstance(found, Good)
    assert found.fingerprint == openssh(tmp_path, "-lf", "key.pub").decode().split()[1]


def test_openssh_verifies_what_we_sign(tmp_path: Path):
    """An auditor needs nothing of ours."""
    ben = Person("ben")
    (tmp_path / "signers").write_text(f"{ben.line}\n")
    (tmp_path / "sig").write_text(ben.signs(TEXT)["signature"])

    said = openssh(
        tmp_path, "-Y", "verify", "-f", "signers", "-I", "ben", "-n", "quorate", "-s", "sig", data=TEXT.encode()
    ).decode()
    assert said.startswith('Good "quorate" signature for ben')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "Quorate approval, version 1\n",
        "decision: approve\n" * 500,
        "\x00",
        "Quorate approval, version 1\nby",
    ],
)
def test_a_text_that_is_none_of_ours_is_refused(text: str):
    """It never raises anything but ValueError."""
    with pytest.raises(ValueError, match="it is"):
        read(text)


@pytest.mark.parametrize(
    "signature",
    ["", "x", "-----BEGIN SSH SIGNATURE-----\n!!\n-----END SSH SIGNATURE-----",
     "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----",
     "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----"],
)  # fmt: skip
def test_what_is_no_signature_is_told(signature: str):
    """Cut off, no base64, lengths that lie."""
    assert word(signatures.proof(TEXT, signature, "ben", "")) == "NoSignature"


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def of_a_token(text: str) -> tuple[str, str]:
    """Public line and signature as a FIDO token makes them: it signs hashes, whether it was touched, and a counter."""
    key, kind, application = Ed25519PrivateKey.generate(), b"sk-ssh-ed25519@openssh.com", b"ssh:"
    public = string(kind) + string(key.public_key().public_bytes_raw()) + string(application)
    hashed = hashlib.sha512(text.encode()).digest()
    signed = b"SSHSIG" + string(b"quorate") + string(b"") + string(b"sha512") + string(hashed)
    flags = struct.pack(">BI", 1, 7)
    raw = key.sign(hashlib.sha256(application).digest() + flags + hashlib.sha256(signed).digest())
    blob = b"SSHSIG" + struct.pack(">I", 1) + string(public) + string(b"quorate") + string(b"") + string(b"sha512")
    blob += string(string(kind) + string(raw) + flags)
    armored = base64.encodebytes(blob).decode()
    return (
        f"{kind.decode()} {base64.b64encode(public).decode()}",
        f"-----BEGIN SSH SIGNATURE-----\n{armored}-----END SSH SIGNATURE-----\n",
    )


def test_a_hardware_key_counts():
    """Signed by a token: good for its text, and for no other."""
    line, signature = of_a_token(TEXT)

    assert word(signatures.proof(TEXT, signature, "ben", f'ben namespaces="quorate" {line}')) == "good"
    assert word(signatures.proof(f"{TEXT}x", signature, "ben", f'ben namespaces="quorate" {line}')) == "Tampered"


def test_openssh_takes_the_same_token_for_good(tmp_path: Path):
    """What the test above calls a token's signature is one to OpenSSH, too."""
    line, signature = of_a_token(TEXT)
    (tmp_path / "signers").write_text(f'ben namespaces="quorate" {line}\n')
    (tmp_path / "sig").write_text(signature)

    said = openssh(
        tmp_path, "-Y", "verify", "-f", "signers", "-I", "ben", "-n", "quorate", "-s", "sig", data=TEXT.encode()
    ).decode()
    assert said.startswith('Good "quorate" signature for ben')


@pytest.mark.parametrize(
    ("principals", "name"),
    [
        ("ben", "ben"), ('"ben"', "ben"), ('"ben,cleo"', "cleo"), ("ben,cleo", "cleo"), ("ben,cleo", "ben,cleo"),
        ("b*", "ben"), ("b?n", "ben"), ("b?n", "been"), ("*", "anyone@at.all"), ("*,!ben", "ben"), ("!ben,*", "cleo"),
        ("*@example.com", "ben@example.com"), ("*@example.com", "ben"), ("Ben", "ben"), ("b[e]n", "ben"),
        ('"ben smith"', "ben smith"), ('"ben', "ben"), ("ben ", "ben"),
    ],
)  # fmt: skip
def test_names_are_matched_as_openssh_matches_them(tmp_path: Path, principals: str, name: str):
    """Patterns, quotes, exclusions: whoever may sign there may sign here, and no one else."""
    ben = Person("ben")
    signers = f'{principals} namespaces="quorate" {signatures.public(ben.key)}\n'
    signature = ben.signs(TEXT)["signature"]
    (tmp_path / "signers").write_text(signers)
    (tmp_path / "sig").write_text(signature)
    command = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", name, "-n", "quorate", "-s", "sig"]
    theirs = subprocess.run(command, cwd=tmp_path, input=TEXT.encode(), capture_output=True, timeout=20, check=False)

    ours = signatures.proof(TEXT, signature, name, signers)
    assert isinstance(ours, Good) == (theirs.returncode == 0), (theirs.stderr, ours)


def test_a_line_that_cannot_be_read_keeps_no_other_from_being_read():
    """A list of many hands: words without a key, a key without a name, a key of a kind that is not known."""
    ben = Person("ben")
    signers = f"cleo\nssh-ed25519 AAAA\ndora ssh-new AAAA\n{ben.line}\n"
    assert word(signatures.proof(TEXT, ben.signs(TEXT)["signature"], "ben", signers)) == "good"
    assert signatures.listed(signers) == ("ben",)


def test_those_who_may_sign_are_counted_by_their_keys():
    """No pattern, no key that has expired, was revoked or signs for git; keys that share a name are one person's."""
    ben, other, cleo, git, old, gone = (Person(name) for name in ("ben", "ben,benny", "cleo", "git", "old", "gone"))
    lines = [
        ben.line, other.line, cleo.line.replace("cleo", '"cleo"', 1), git.line.replace("quorate", "git"),
        old.line.replace('namespaces="quorate"', 'namespaces="quorate",valid-before="20200101"'), gone.line,
        f'*@example.com cert-authority {signatures.public(Person("ca").key)}',
    ]  # fmt: skip
    able = signatures.able("\n".join(lines), gone.key.export_public_key().decode())
    assert persons(able) == [{"ben", "benny"}, {"cleo"}]
    assert signatures.listed("\n".join(lines[:3])) == ("ben", "benny", "cleo")


def test_a_pattern_means_what_it_says():
    """Only ``*``, ``?`` and ``!`` are more than letters."""
    assert listed_as(("*.ana",), "x.ana")
    assert not listed_as(("*.ana",), "x-ana")
    assert not listed_as((), "ana")
