"""What an endpoint shows of itself, to whomever asks: its certificate, its host key. Nothing is sent to it.

Here alone a connection is made whose certificate nobody has checked: to be looked at, and closed.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import asyncssh
from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from activities.clients import tls
from activities.clients.secrets import Secrets
from activities.errors import Unreachable, Word
from cluster.addresses import netloc
from cluster.trust import Certificate, HostKey, Trust, ending
from cluster.visible import visible

# A person waits for it; a dead address in the own network is told by ARP after 3 s.
LIMIT = 5.0


def certificate(trust: Trust, limit: float = LIMIT) -> Certificate:
    """The certificate that the endpoint shows now, whoever has signed it; Unreachable when it shows none."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname = False
    looking.verify_mode = ssl.CERT_NONE
    return read(_handshake(trust, looking, limit))


def refusal(trust: Trust, secrets: Secrets, limit: float = LIMIT) -> Word | None:
    """Why the engine would not speak to that endpoint, tried as its clients do; None when it would."""
    try:
        _handshake(trust, tls.context(trust, secrets), limit)
    except Word as word:
        return word
    return None


def ends_soon(*trusts: Trust) -> tuple[str, ...]:
    """Which of these certificates end soon or have ended, for people; asked all at once.

    Who shows none now is not looked at: others tell that.
    """
    now = datetime.now(UTC)

    def said(trust: Trust) -> str:
        try:
            return ending(trust, certificate(trust), now)
        except Word:
            return ""

    with ThreadPoolExecutor(max(1, len(trusts))) as threads:
        return tuple(filter(None, threads.map(said, trusts)))


def _handshake(trust: Trust, context: ssl.SSLContext, limit: float) -> bytes:
    at = f"{trust.who} at {where(trust.host, trust.port)}"
    try:
        with (
            socket.create_connection((trust.host, trust.port), timeout=limit) as plain,
            context.wrap_socket(plain, server_hostname=trust.server_name or trust.host) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""
    except OSError as error:
        said = error.strerror or str(error) or type(error).__name__
        raise tls.refused(trust, error) or Unreachable(f"{at} does not answer over TLS: {said}") from None


def where(host: str, port: int) -> str:
    """An address with its port, brackets around IPv6."""
    return f"{netloc(f'[{host}]' if ':' in host else host)}:{port}"


def read(der: bytes) -> Certificate:
    """A certificate in DER, for people; Unreachable where it cannot be read."""
    try:
        found = x509.load_der_x509_certificate(der)
        return Certificate(
            fingerprint=tls.fingerprint(der),
            subject=_called(found.subject),
            issuer=_called(found.issuer),
            names=_names(found),
            begins=found.not_valid_before_utc,
            ends=found.not_valid_after_utc,
            signed_itself=found.subject == found.issuer,
        )
    except ValueError as error:
        raise Unreachable(f"a certificate cannot be read: {str(error)[:100]}") from None


def _called(name: x509.Name) -> str:
    """The common name, with the organization where there is one."""
    parts = [str(one.value) for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
             for one in name.get_attributes_for_oid(oid)]  # fmt: skip
    # whoever made the certificate has written it: it shall not draw lines of its own beside the fingerprint
    return visible(", ".join(dict.fromkeys(parts)) or name.rfc4514_string() or "nobody")


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        held: Any = found.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(
        visible(str(one.value))
        for one in held
        if isinstance(one, x509.DNSName) or (isinstance(one, x509.IPAddress) and _is_one(one.value))
    )


def _is_one(address: Any) -> bool:
    return isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)


async def host_key(who: str, host: str, port: int, known_hosts: str = "", limit: float = LIMIT) -> HostKey:
    """The key by which a host's sshd is known; Unreachable when it tells none.

    A host has a key of each kind, and tells the one that it is asked for: one that stands in `known_hosts` if it can.
    """
    try:
        async with asyncio.timeout(limit):
            key = await _host_key(host, port, _known(known_hosts, host, port))
    except TimeoutError:
        raise Unreachable(f"{who} at {where(host, port)} does not answer over SSH in time") from None
    except (asyncssh.Error, OSError) as error:
        said = str(error)[:200] or type(error).__name__
        raise Unreachable(f"{who} at {where(host, port)} does not answer over SSH: {said}") from None
    if key is None:
        raise Unreachable(f"{who} at {where(host, port)} tells no host key")
    kind, data = key.export_public_key().decode().split()[:2]
    return HostKey(kind=kind, data=data, fingerprint=key.get_fingerprint())


async def _host_key(host: str, port: int, known: Sequence[asyncssh.SSHKey]) -> asyncssh.SSHKey | None:
    if kinds := [str(one, "ascii") for key in known for one in key.sig_algorithms]:
        with contextlib.suppress(asyncssh.KeyExchangeFailed):
            return await asyncssh.get_server_host_key(host, port, server_host_key_algs=kinds, config=[])
    return await asyncssh.get_server_host_key(host, port, config=[])


def known_keys(known_hosts: str, host: str, port: int) -> tuple[str, ...]:
    """The fingerprints that a known_hosts file has for a host; none where it cannot be read."""
    return tuple(key.get_fingerprint() for key in _known(known_hosts, host, port))


def _known(known_hosts: str, host: str, port: int) -> Sequence[asyncssh.SSHKey]:
    try:
        trusted, *_ = asyncssh.match_known_hosts(asyncssh.import_known_hosts(known_hosts), host, host, port)
    except ValueError:
        return ()
    return trusted
