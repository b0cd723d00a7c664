"""SSH signatures (SSHSIG), as `ssh-keygen -Y sign` makes them: made and checked by asyncssh."""

import base64
import binascii
import os
import secrets
import struct
from collections.abc import Callable
from pathlib import Path

import asyncssh
from asyncssh.sshsig import SSHAllowedSignersEntry

from cluster.approval import NAMESPACE, Bad, Good, Proof
from cluster.signers import Entry, Signer, entries, listed_as

Key = asyncssh.SSHKey
_MAGIC = b"SSHSIG"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


# A line of a list of signers, for whoever has to write the first one.
EXAMPLE = f'a line for each approver: NAME namespaces="{NAMESPACE}" ssh-ed25519 AAAA…'


def new_key() -> Key:
    """A fresh ed25519 key."""
    return asyncssh.generate_private_key("ssh-ed25519")


def public(key: Key) -> str:
    """Its public half as it stands in a list of signers: type and key."""
    return " ".join(key.export_public_key().decode().split()[:2])


def line(name: str, key: Key, namespace: str = NAMESPACE) -> str:
    """What stands for that person in a list of signers."""
    return f'{name} namespaces="{namespace}" {public(key)}'


def signed(text: str, key: Key, namespace: str = NAMESPACE) -> str:
    """The armored signature of that text, as an approval unless another namespace is named."""
    return asyncssh.create_sshsig(key, text.encode(), namespace=namespace).decode()


def key_of(path: Path) -> Key:
    """The key of a process of ours in that file, made there at first need, for nobody else to read.

    OSError when it can neither be read nor made, ValueError when what is there is no private key.
    """
    try:
        return private_key(path, lambda: "")
    except FileNotFoundError:
        return _made(path)


def _made(path: Path) -> Key:
    """A fresh key in that file, whole or not at all: another process may look for it, and a crash may come, meanwhile.

    Where another process has made one in the same moment, that one.
    """
    key = new_key()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.export_private_key())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return private_key(path, lambda: "")
    finally:
        beside.unlink(missing_ok=True)
    return key


def unsound(text: bytes, signature: bytes, signers: bytes, name: str, namespace: str, by: str = "") -> str:
    """Why that is no signature of that text by a key that `signers` gives to that name; empty where it is one.

    `by` is the fingerprint of the one key that may have made it; empty where each of that name may.
    """
    if not signature:
        return "it is not signed"
    try:
        public, said = _parts(signature.decode("ascii"))
        if by and fingerprint(asyncssh.import_public_key(public)) != by:
            return f"it names the key {by}, and was signed with another one"
        if said != namespace:
            return f"it was signed for {said!r}, not for {namespace!r}"
        good = asyncssh.validate_sshsig(text, signature, name, signers)
    except (ValueError, struct.error, asyncssh.KeyImportError):
        return "what stands beside it is no SSH signature"
    return "" if good else f"its signature does not fit it, or is of a key that is not listed for {name}"


def private_key(path: Path, passphrase: Callable[[], str]) -> Key:
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


def fingerprint(key: Key) -> str:
    """``SHA256:…``, as `ssh-keygen -l` shows it."""
    return str(key.get_fingerprint())


def fingerprint_of_line(text: str) -> str:
    """The fingerprint of the key in a line of a list of signers; empty where there is none."""
    try:
        return fingerprint(SSHAllowedSignersEntry(text).key)
    except (ValueError, asyncssh.KeyImportError):
        return ""


def listed(signers: str) -> tuple[str, ...]:
    """The names that stand in full in an allowed_signers file, in its order; a pattern names nobody."""
    names = (name for one in able(signers) for name in one.names)
    return tuple(dict.fromkeys(names))


def able(signers: str, revoked: str = "") -> tuple[Signer, ...]:
    """The keys that may sign an approval now, each with those whom the list gives it to."""
    found: dict[str, list[str]] = {}
    for entry in entries(signers):
        allowed = _allowed(entry)
        if allowed is not None and _blob(entry.rest) not in _blobs(revoked):
            found.setdefault(fingerprint(allowed), []).append(entry.principals)
    return tuple(Signer(fingerprint=key, principals=tuple(people)) for key, people in found.items())


def proof(text: str, signature: str, person: str, signers: str, revoked: str = "") -> Proof:
    """Whether that person, with a key that the file allows now, has signed exactly that text."""
    try:
        public, namespace = _parts(signature)
        if b"-cert-" in public.split()[0]:
            said = "it was signed with a certificate: list the key itself, and sign with that"
            return Bad(word="UnknownKey", sentence=said)
        key = asyncssh.import_public_key(public)
    except (ValueError, struct.error, asyncssh.KeyImportError):
        return Bad(word="NoSignature", sentence="this is no SSH signature: send what `ssh-keygen -Y sign` has made")
    print_ = fingerprint(key)
    if namespace != NAMESPACE:
        said = f"it was signed for {namespace!r}, not for {NAMESPACE!r}: sign with `-n {NAMESPACE}`"
        return Bad(word="WrongNamespace", sentence=said, fingerprint=print_)
    itself = b"%s namespaces=%s %s" % (_ANYONE.encode(), NAMESPACE.encode(), public)
    if not _valid(text, signature, itself.decode()):
        return Bad(word="Tampered", sentence="the signature does not fit the text", fingerprint=print_)
    if _blob(public.decode()) in _blobs(revoked):
        return Bad(word="RevokedKey", sentence=f"the key {print_} of {person} was revoked", fingerprint=print_)
    principals = [one for signer in able(signers) if signer.fingerprint == print_ for one in signer.principals]
    if listed_as(principals, person):
        return Good(fingerprint=print_, principals=tuple(principals))
    return _why(person, print_, _blob(public.decode()), signers)


def _why(person: str, print_: str, blob: str, signers: str) -> Bad:
    """Why the list does not allow this key to that person."""
    owners = [entry for entry in entries(signers) if _blob(entry.rest) == blob]
    if any(entry.is_for(person) for entry in owners):
        said = f"the key {print_} of {person} is not valid now, or not for {NAMESPACE}: see its line in the list"
        return Bad(word="ExpiredKey", sentence=said, fingerprint=print_)
    if owners:
        said = f"the key {print_} belongs to {', '.join(entry.principals for entry in owners)}, not to {person}"
        return Bad(word="UnknownKey", sentence=said, fingerprint=print_)
    if any(entry.is_for(person) for entry in entries(signers)):
        said = f"the key {print_} is none of those that the list has for {person}"
        return Bad(word="UnknownKey", sentence=said, fingerprint=print_)
    return Bad(word="Unknown", sentence=f"{person} is not on the list of approvers", fingerprint=print_)


# Names are matched by us, as OpenSSH does; keys, options and signatures are asyncssh's to judge.
_ANYONE = "anyone"


def _allowed(entry: Entry) -> Key | None:
    """The key of that line, if it may sign for us now: options and validity are looked at, names are not.

    A certificate authority signs nothing itself, and certificates are not taken.
    """
    try:
        line = SSHAllowedSignersEntry(f"{_ANYONE} {entry.rest}")
    except (ValueError, asyncssh.KeyImportError):
        return None
    usable = "cert-authority" not in line.options and line.match_options(_ANYONE, NAMESPACE)
    return line.key if usable else None


def _valid(text: str, signature: str, signers: str) -> bool:
    try:
        return asyncssh.validate_sshsig(text.encode(), signature.encode(), _ANYONE, signers.encode())
    except (ValueError, asyncssh.KeyImportError):
        return False


def _blobs(keys: str) -> set[str]:
    """All keys in a text, line by line."""
    lines = (line.strip() for line in keys.splitlines())
    return {_blob(line) for line in lines if line and not line.startswith("#")} - {""}


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
