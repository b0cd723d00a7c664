"""Certificates in every shape in which machines are found at customers', one at a time.

`lab.serving.certificates` makes those of a whole twin; this makes what one of its servers shows instead of that.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Shape = Literal["own-by-name", "own-by-address", "own-without-names", "old-authority", "expired", "another-host"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

_COMMON, _UNIT, _ORGANIZATION = NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME
_LIFE = timedelta(days=730)


@dataclass(frozen=True)
class Identity:
    """What a server shows: its private key with its certificate, as PEM; and the signer that a client would name."""

    server: bytes
    signer: bytes
    certificate: bytes  # in DER


def identity(shape: Shape, name: str, address: str, ends: datetime | None = None) -> Identity:
    """Of a server that is called `name` and answers at `address`.

    - ``own-by-name``, ``own-by-address``: it has signed its own, for that name or that address alone.
    - ``own-without-names``: the same for a common name, as arrays come; no client goes by that any more.
    - ``old-authority``: of a cluster's own authority as Proxmox VE made it before pve-cluster 9.1.2: no keyUsage.
    - ``expired``: of a good authority, until two days ago.
    - ``another-host``: of a good authority, for ``another.example``.
    """
    now = datetime.now(UTC)
    end = ends or now + (timedelta(days=-2) if shape == "expired" else _LIFE)
    key = generate_private_key(SECP256R1())
    if shape.startswith("own-"):
        common = address if shape == "own-by-address" else name
        own: dict[str, list[x509.GeneralName]] = {
            "own-by-name": [x509.DNSName(name)],
            "own-by-address": [_at(address)],
        }
        subject = _named(common, "Pure Storage, Inc.")
        return _shown(key, _leaf(subject, subject, key, end, own.get(shape, [])), key)
    authority_key = generate_private_key(SECP256R1())
    authority = x509.Name([
        x509.NameAttribute(_COMMON, "Proxmox Virtual Environment"),
        x509.NameAttribute(_UNIT, str(uuid4())),
        x509.NameAttribute(_ORGANIZATION, "PVE Cluster Manager CA"),
    ])  # fmt: skip
    signer = _begun(authority, authority, authority_key, now + 5 * _LIFE).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    if shape != "old-authority":
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False
        )  # fmt: skip
        signer = signer.add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
    named: list[x509.GeneralName] = [x509.DNSName("another.example")]
    if shape != "another-host":
        named = [_at(address), x509.DNSName(name)]
    leaf = _leaf(_named(name, "Proxmox Virtual Environment"), authority, key, end, named)
    return _shown(key, leaf, authority_key, signer.sign(authority_key, SHA256()))


def _leaf(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, end: datetime, names: list[x509.GeneralName]
) -> x509.CertificateBuilder:
    """As Proxmox VE makes it: without the identifier of its signer's key."""
    leaf = _begun(subject, issuer, key, end)
    if names:
        leaf = leaf.add_extension(x509.SubjectAlternativeName(names), critical=False)
        leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return leaf


def _begun(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(end - 6 * _LIFE).not_valid_after(end)


def _shown(
    key: EllipticCurvePrivateKey,
    leaf: x509.CertificateBuilder,
    signing: EllipticCurvePrivateKey,
    signer: x509.Certificate | None = None,
) -> Identity:
    certificate = leaf.sign(signing, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Identity(
        server=private + certificate.public_bytes(Encoding.PEM),
        signer=(signer or certificate).public_bytes(Encoding.PEM),
        certificate=certificate.public_bytes(Encoding.DER),
    )


def _named(common: str, organization: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(_ORGANIZATION, organization), x509.NameAttribute(_COMMON, common)])


def _at(address: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(address))
