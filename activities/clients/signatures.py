"""SSH signatures (SSHSIG), as `ssh-keygen -Y sign` makes them: made and checked by asyncssh."""

import base64
import binascii
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh

from cluster.approval import NAMESPACE, Proof

_MAGIC = b"SSHSIG"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def new_key() -> asyncssh.SSHKey:
    """A fresh ed25519 key."""
    return asyncssh.generate_private_key("ssh-ed25519")


def public(key: asyncssh.SSHKey) -> str:
    """Its public half as it stands in a list of signers: type and key."""
    return " ".join(key.export_public_key().decode().split()[:2])


def line(name: str, key: asyncssh.SSHKey) -> str:
    """What stands for that person in a list of signers."""
    return f'{name} namespaces="{NAMESPACE}" {public(key)}'


def signed(text: str, key: asyncssh.SSHKey) -> str:
    """The armored signature of that text, in our namespace."""
    return asyncssh.create_sshsig(key, text.encode(), namespace=NAMESPACE).decode()


def private_key(path: Path, passphrase: Callable[[], str]) -> asyncssh.SSHKey:
    """The key in that file; `passphrase` is asked for when it has one.

    OSError when it cannot be read, ValueError when it is no private key or the passphrase is wrong.
    """
    try:
        try:
            return asyncssh.read_private_key(path)
        except asyncssh.KeyImportError as error:
            if "passphrase" not in str(error).lower():
                raise
        return asyncssh.read_private_key(path, passphrase())
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise ValueError(str(error)) from None


def fingerprint(key: asyncssh.SSHKey) -> str:
    """``SHA256:…``, as `ssh-keygen -l` shows it."""
    return str(key.get_fingerprint())


def listed(signers: str) -> tuple[str, ...]:
    """The names in an allowed_signers file, in its order."""
    names = (name for line in _entries(signers) for name in line.split()[0].strip('"').split(","))
    return tuple(dict.fromkeys(names))


def proof(text: str, signature: str, person: str, signers: str, revoked: str = "") -> Proof:
    """Whether that person, with a key that the file allows now, has signed exactly that text."""
    try:
        public, namespace = _parts(signature)
        key = asyncssh.import_public_key(public)
    except (ValueError, struct.error, asyncssh.KeyImportError):
        return Proof(word="NoSignature", sentence="this is no SSH signature: send what `ssh-keygen -Y sign` has made")
    print_ = fingerprint(key)
    if namespace != NAMESPACE:
        said = f"it was signed for {namespace!r}, not for {NAMESPACE!r}: sign with `-n {NAMESPACE}`"
        return Proof(word="WrongNamespace", sentence=said, fingerprint=print_)
    itself = b"%s namespaces=%s %s" % (b"somebody", NAMESPACE.encode(), public)
    if not _valid(text, signature, "somebody", itself.decode()):
        return Proof(word="Tampered", sentence="the signature does not fit the text", fingerprint=print_)
    if any(_blob(line) == _blob(public.decode()) for line in _entries(revoked)):
        return Proof(word="RevokedKey", sentence=f"the key {print_} of {person} was revoked", fingerprint=print_)
    if _valid(text, signature, person, signers):
        return Proof(fingerprint=print_)
    return _why(person, print_, _blob(public.decode()), signers)


def _why(person: str, print_: str, blob: str, signers: str) -> Proof:
    """Why the list does not allow this key to that person."""
    owners = [name for line in _entries(signers) if blob in line.split() for name in line.split()[0].split(",")]
    if person in owners:
        said = f"the key {print_} of {person} is not valid now, or not for {NAMESPACE}: see its line in the list"
        return Proof(word="ExpiredKey", sentence=said, fingerprint=print_)
    if owners:
        said = f"the key {print_} belongs to {', '.join(owners)}, not to {person}"
        return Proof(word="UnknownKey", sentence=said, fingerprint=print_)
    if person in listed(signers):
        said = f"the key {print_} is none of those that the list has for {person}"
        return Proof(word="UnknownKey", sentence=said, fingerprint=print_)
    return Proof(word="Unknown", sentence=f"{person} is not on the list of approvers", fingerprint=print_)


def _valid(text: str, signature: str, person: str, signers: str) -> bool:
    try:
        return asyncssh.validate_sshsig(text.encode(), signature.encode(), person, signers.encode())
    except (ValueError, asyncssh.KeyImportError):
        return False


def _entries(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and not line.startswith("#"))


def _blob(line: str) -> str:
    """The key itself: the word after its type."""
    words = line.split()
    kinds = [number for number, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-"))]
    return words[kinds[0] + 1] if kinds and len(words) > kinds[0] + 1 else ""


def _parts(signature: str) -> tuple[bytes, str]:
    """Public key (in OpenSSH's line form) and namespace of an armored signature."""
    body = signature.strip()
    if not body.startswith(_BEGIN) or not body.endswith(_END):
        raise ValueError("no armor")
    try:
        raw = base64.b64decode("".join(body[len(_BEGIN) : -len(_END)].split()), validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    if raw[:6] != _MAGIC:
        raise ValueError("no SSHSIG")
    public, rest = _string(raw[10:])
    namespace, _ = _string(rest)
    kind, _ = _string(public)
    return kind + b" " + base64.b64encode(public), namespace.decode()


def _string(data: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + length:
        raise ValueError("cut off")
    return data[4 : 4 + length], data[4 + length :]
