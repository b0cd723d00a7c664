"""TLS as the inventory wants it: by a signer that is named, or by the certificate itself; and what a refusal means.

Verification is never switched off. Where a certificate is pinned, `_Pinned` takes the place of OpenSSL's judgement of
chain and name, on the very connection that is used and before a byte of a request is sent.
"""

import hashlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from activities.clients.secrets import Secrets
from activities.errors import NotFound, Unauthorized
from cluster.addresses import netloc
from cluster.trust import Trust

# OpenSSL's own numbers (x509_vfy.h), which `ssl` hands on as `verify_code`.
_DATES = {9, 10}  # not yet valid, has expired
_NAMES = {62, 64}  # host name, address
# no issuer, its own signature at either end of the chain, no issuer here, no chain, not trusted
_SIGNERS = {2, 18, 19, 20, 21, 27}
_PEM = "-----BEGIN CERTIFICATE-----"


class NotPinned(ssl.SSLError):
    """The endpoint shows another certificate than the pinned one; `shown` is the fingerprint of that."""

    def __init__(self, shown: str) -> None:
        super().__init__(f"the certificate {shown} is not pinned")
        self.shown = shown


class _Pinned(ssl.SSLContext):
    """Takes exactly the pinned certificates, whatever their names, signers and dates.

    Libraries set `verify_mode` as they like; here it cannot be changed, and says what is so: no connection comes about
    without a check.
    """

    pins: frozenset[str]

    def __new__(cls, pins: tuple[str, ...]) -> "_Pinned":
        """With OpenSSL's own judgement off: `wrap_socket` judges."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        ssl.SSLContext.verify_mode.fset(made, ssl.CERT_NONE)  # type: ignore[attr-defined]  # a property there
        made.pins = frozenset(pins)
        return made

    def __init__(self, pins: tuple[str, ...]) -> None:
        """Everything is done in `__new__`, where `ssl` does it."""

    @property  # type: ignore[override]  # typeshed knows an attribute
    def verify_mode(self) -> ssl.VerifyMode:
        """A certificate is required."""
        return ssl.CERT_REQUIRED

    @verify_mode.setter
    def verify_mode(self, value: ssl.VerifyMode) -> None:
        """Stays as it is."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """A connection whose certificate is pinned; NotPinned otherwise, and then it is closed."""
        wrapped = super().wrap_socket(sock, *args, **kwargs)
        try:
            if not kwargs.get("do_handshake_on_connect", True):
                wrapped.do_handshake()
            shown = fingerprint(wrapped.getpeercert(binary_form=True) or b"")
            if shown not in self.pins:
                raise NotPinned(shown)
        except BaseException:
            wrapped.close()
            raise
        return wrapped


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate in DER, in the inventory's spelling."""
    return hashlib.sha256(certificate).digest().hex(":").upper()


def context(trust: Trust, secrets: Secrets) -> ssl.SSLContext:
    """What judges the certificates of that endpoint; NotFound where the file of its signer cannot be used."""
    if trust.fingerprints:
        return _Pinned(trust.fingerprints)
    made = create_urllib3_context()
    if trust.ca is None:
        made.load_default_certs()
        return made
    # Who is named by the owner needs no extension to prove that he may sign: Python 3.13 asks for keyUsage, which the
    # authorities of Proxmox VE have only since pve-cluster 9.1.2 (reference: proxmox-api §3). The chain, the name and
    # the dates are judged as ever. And what is named is trusted as it is, whoever has signed it.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        made.load_verify_locations(cafile=str(secrets.path(trust.ca)))
    except ssl.SSLError:
        raise NotFound(
            f"{trust.who}: {trust.ca_field} {trust.ca} holds no certificate; it has to be a PEM file: {_PEM} …"
        ) from None
    except OSError as error:
        raise NotFound(
            f"{trust.who}: {trust.ca_field} {trust.ca} cannot be read by this process ({error.strerror}); "
            "put the PEM file of the signer there"
        ) from None
    return made


def pool(trust: Trust, secrets: Secrets) -> dict[str, Any]:
    """The arguments with which a pool of urllib3 recognises that endpoint; none where nothing is said of it."""
    found: dict[str, Any] = {}
    if trust.ca or trust.fingerprints:
        found["ssl_context"] = context(trust, secrets)
    if trust.fingerprints:
        found["assert_hostname"] = False  # the pin says more than a name
    if trust.server_name:
        found["server_hostname"] = trust.server_name
    return found


class _Recognising(HTTPAdapter):
    """Sessions of requests whose connections are judged by a context of ours, if there is one."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._arguments = arguments
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        """With our arguments."""
        super().init_poolmanager(connections, maxsize, block, **kwargs, **self._arguments)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """The same behind a proxy that the environment names."""
        return super().proxy_manager_for(proxy, **kwargs, **self._arguments)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """The context alone says who is trusted, never a bundle of the environment's."""
        verify = True if "ssl_context" in self._arguments else verify
        return super().build_connection_pool_key_attributes(request, verify, cert)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The same: requests would add its own bundle to what the context trusts."""
        if "ssl_context" not in self._arguments:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]


def recognising(session: requests.Session, trust: Trust, secrets: Secrets) -> requests.Session:
    """The session, which from now on speaks to that endpoint and recognises it."""
    if arguments := pool(trust, secrets):
        session.mount("https://", _Recognising(arguments))
    return session


# --- what a refusal means ------------------------------------------------------------------------------------------


def refused(trust: Trust, error: BaseException) -> Unauthorized | None:
    """What is wrong with the endpoint's certificate, and what to do about it; None when the error is another one.

    The one place where a library's word on a certificate is read.
    """
    at = f"{trust.who} at {_netloc(trust)}" if trust.who != _netloc(trust) else trust.who
    pin = f"pin it: quorate trust {trust.host}"
    for cause in _causes(error):
        if isinstance(cause, NotPinned):
            return Unauthorized(
                f"{at}: its certificate is not the pinned one: it shows {cause.shown}, and {trust.pin_field} has "
                f"{' or '.join(trust.fingerprints)}; if it was renewed, compare with what the device itself says, then "
                f"{pin}; if it was not, another machine answers there: find out which before you go on"
            )
        if not isinstance(cause, ssl.SSLCertVerificationError):
            continue
        said = cause.verify_message.rstrip(".")
        if cause.verify_code in _DATES:
            return Unauthorized(
                f"{at}: its certificate is out of date ({said}); {trust.renewal}, see whether this machine's clock is "
                f"right, or {pin}"
            )
        if cause.verify_code in _NAMES:
            return Unauthorized(
                f"{at}: its certificate is made for another name ({said}); put the name that it is made for into "
                f"{trust.name_field}, or {pin}"
            )
        if cause.verify_code in _SIGNERS:
            return Unauthorized(
                f"{at}: its certificate is not signed by {trust.ca or 'a known CA'} ({said}); {_right_ca(trust)}, "
                f"or {pin}"
            )
        return Unauthorized(
            f"{at}: its certificate breaks a rule of this machine's OpenSSL ({said}); {_lenient(trust)}{pin}"
        )
    return None


def _right_ca(trust: Trust) -> str:
    if trust.kind == "node":
        return "put the cluster's own CA into api.ca: /etc/pve/pve-root-ca.pem of any node"
    return f"put the right CA into {trust.ca_field}"


def _lenient(trust: Trust) -> str:
    """A signer that is named is not held to the strict rules; one of this machine's own authorities is."""
    return "" if trust.ca else f"put its signer's PEM file into {trust.ca_field}, where that rule does not count, or "


def _netloc(trust: Trust) -> str:
    port = "" if trust.port in (443, 8006) else f":{trust.port}"
    return f"{netloc(f'[{trust.host}]' if ':' in trust.host else trust.host)}{port}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it was made of: libraries wrap one another's."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inside = [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
        waiting += [each for each in inside if isinstance(each, BaseException)]
