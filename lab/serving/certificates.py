"""The certificates that the twin's servers show: made for the addresses of the inventory, or as machines are delivered.

As delivered, nodes have what their cluster's own authority made at the beginning; arrays and management controllers
have signed their own, for a name that nobody calls them by.
"""

import hashlib
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol
from uuid import uuid4

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Style = Literal["made", "delivered"]
Kind = Literal["node", "array", "controller"]

_COMMON, _UNIT, _ORGANIZATION = NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME
# Lives of the cluster's authority, of a node's certificate and of an array's own (source: pve-cluster, Setup.pm;
# reference: flasharray-rest §5.13).
_AUTHORITY, _NODE, _OWN = timedelta(days=3650), timedelta(days=730), timedelta(days=3650)


class Certificates(Protocol):
    """Who shows what. `bundle` is what a client has to trust, as PEM."""

    bundle: bytes

    def context(self, kind: Kind, name: str, address: str) -> tuple[ssl.SSLContext, str]:
        """A server's context, and the SHA-256 of its certificate as PVE writes it, ``AB:CD:…``."""
        ...


def certificates(style: Style, places: Sequence[tuple[Kind, str, str]]) -> Certificates:
    """Those of these servers: kind, name and address of each."""
    return _Made() if style == "made" else _Delivered(places)


class _Made:
    """One authority signs a certificate for each address."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="Quorate twin")
        self.bundle = self._authority.cert_pem.bytes()

    def context(self, kind: Kind, name: str, address: str) -> tuple[ssl.SSLContext, str]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf = self._authority.issue_cert(address)
        leaf.configure_cert(context)
        shown = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        return context, fingerprint(shown.public_bytes(Encoding.DER))


class _Delivered:
    """An authority for the nodes; every other server has signed its own."""

    def __init__(self, places: Sequence[tuple[Kind, str, str]]) -> None:
        self._key = generate_private_key(65537, 2048)
        self._authority = _named({
            _COMMON: "Proxmox Virtual Environment", _UNIT: str(uuid4()), _ORGANIZATION: "PVE Cluster Manager CA",
        })  # fmt: skip
        basic = x509.BasicConstraints(ca=True, path_length=None)
        # without keyUsage, as before pve-cluster 9.1.2
        root = _begun(self._authority, self._authority, self._key, _AUTHORITY).add_extension(basic, critical=True)
        self._shown = {(kind, name): self._of(kind, name, address) for kind, name, address in places}
        own = [certificate for (kind, _), (_, certificate) in self._shown.items() if kind != "node"]
        self.bundle = b"".join(_pem(one) for one in (root.sign(self._key, SHA256()), *own))

    def _of(self, kind: Kind, name: str, address: str) -> tuple[RSAPrivateKey, x509.Certificate]:
        key = generate_private_key(65537, 2048)
        if kind == "node":
            subject = _named({_UNIT: "PVE Cluster Node", _ORGANIZATION: "Proxmox Virtual Environment", _COMMON: name})
            names: list[x509.GeneralName] = [
                x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1", address)
            ]
            names += [x509.DNSName("localhost"), x509.DNSName(name)]
            begun = (
                _begun(subject, self._authority, key, _NODE)
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
                .add_extension(x509.SubjectAlternativeName(names), critical=False)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            )
            return key, begun.sign(self._key, SHA256())
        vendor = {_ORGANIZATION: "Pure Storage, Inc.", _UNIT: "Pure Storage, Inc."} if kind == "array" else {}
        subject = _named({**vendor, _COMMON: address if kind == "array" else f"bmc-{name}"})
        return key, _begun(subject, subject, key, _OWN).sign(key, SHA256())

    def context(self, kind: Kind, name: str, address: str) -> tuple[ssl.SSLContext, str]:
        key, certificate = self._shown[kind, name]
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with tempfile.TemporaryDirectory() as folder:  # the context reads from files alone
            path = Path(folder, "server.pem")
            path.touch(mode=0o600)
            path.write_bytes(private + _pem(certificate))
            context.load_cert_chain(path)
        return context, fingerprint(certificate.public_bytes(Encoding.DER))


def _named(parts: dict[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts.items()])


def _begun(subject: x509.Name, issuer: x509.Name, key: RSAPrivateKey, life: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + life)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def fingerprint(data: bytes) -> str:
    """The SHA-256 as PVE writes it, ``AB:CD:…``."""
    text = hashlib.sha256(data).hexdigest().upper()
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))
