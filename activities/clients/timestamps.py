"""Time stamps of a service elsewhere (RFC 3161): who it is says when it has seen that digest."""

import hashlib
from datetime import datetime
from pathlib import Path

import requests

from activities.clients.webhook import where
from activities.errors import Refuted, Rejected, Unreachable

TIMEOUT = 20.0  # seconds, for one question


def stamp(url: str, data: bytes) -> bytes:
    """The service's answer for these bytes, of which it is shown the SHA-256 alone.

    Unreachable, Rejected, or Refuted where the answer is about something else.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    asked = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True)
    request = asked.cert_request(cert_request=True).build()
    try:
        answer = requests.post(
            url, data=request.as_bytes(), headers={"Content-Type": "application/timestamp-query"}, timeout=TIMEOUT
        )
    except requests.exceptions.RequestException as error:
        raise Unreachable(f"{where(url)} does not answer: {type(error).__name__}") from None
    if answer.status_code != requests.codes.ok:
        raise Rejected(f"{where(url)} says HTTP {answer.status_code}")
    when, why = stamped(answer.content, data)
    if when is None:
        raise Refuted(f"{where(url)}: {why}")
    return answer.content


def stamped(answer: bytes, data: bytes, roots: Path | None = None) -> tuple[datetime | None, str]:
    """When the service has seen these bytes, or why its answer does not say so.

    Its signature is checked against the certificates in `roots` (PEM). Without them only that the answer is about
    these bytes, which anybody can make up.
    """
    from cryptography import x509
    from rfc3161_client import PKIStatus, VerificationError, VerifierBuilder, decode_timestamp_response
    from rfc3161_client.verify import SHA256_OID

    try:
        said = decode_timestamp_response(answer)
        if PKIStatus(said.status) is not PKIStatus.GRANTED:
            return None, "the service did not grant the time stamp"
        told = said.tst_info
    except ValueError:
        return None, "it is no time stamp"
    if roots is not None:
        verifier = VerifierBuilder()
        for root in x509.load_pem_x509_certificates(roots.read_bytes()):
            verifier = verifier.add_root_certificate(root)
        try:
            verifier.build().verify_message(said, data)
        except (VerificationError, ValueError) as error:
            return None, f"the time stamp does not hold: {error}"
        return told.gen_time, ""
    digest = hashlib.sha256(data).digest()
    if told.message_imprint.hash_algorithm.dotted_string != SHA256_OID or told.message_imprint.message != digest:
        return None, "the time stamp is about something else"
    return told.gen_time, ""
