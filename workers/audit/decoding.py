"""What stands in a history's payloads, as plain JSON."""

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import UTC
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure

from cluster.audit.line import plain, stamp

__all__ = ["UTC"]

_JSON = (b"json/plain", b"json/protobuf")


def value(payload: Payload) -> Any:
    """What it holds. Of bytes that are no JSON only the size and the SHA-256: nobody could read them."""
    encoding = payload.metadata.get("encoding", b"")
    if encoding == b"binary/null":
        return None
    if encoding in _JSON:
        try:
            return plain(json.loads(payload.data))
        except ValueError:  # written by something else than us
            pass
    return {
        "encoding": encoding.decode("utf-8", "backslashreplace"),
        "bytes": len(payload.data),
        "sha256": hashlib.sha256(payload.data).hexdigest(),
    }


def values(payloads: Payloads) -> list[Any]:
    """All of them, in order."""
    return [value(one) for one in payloads.payloads]


def only(payloads: Payloads) -> Any:
    """The one value that our messages have; all of them where there are more; None where there is none."""
    found = values(payloads)
    return found[0] if len(found) == 1 else (found or None)


def digested(payloads: Payloads) -> dict[str, Any]:
    """How much there is, and the SHA-256 of it: for what another record holds in full."""
    whole = b"".join(one.data for one in payloads.payloads)
    return {"bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}


def named(fields: Iterable[tuple[str, Payload]]) -> dict[str, Any]:
    """A memo, or search attributes."""
    return {name: value(payload) for name, payload in sorted(fields)}


def summary(payload: Payload) -> str:
    """The title that an activity, a timer or a child was given in the history."""
    found = value(payload) if payload.data else ""
    return found if isinstance(found, str) else ""


def failure(one: Failure) -> dict[str, Any]:
    """Word and sentence; what came with it; what it was caused by. No stack trace: that is for developers."""
    found: dict[str, Any] = {"word": _word(one), "message": plain(one.message)}
    if one.HasField("application_failure_info"):
        details = values(one.application_failure_info.details)
        if any(detail is not None for detail in details):
            found["details"] = details
    if one.HasField("timeout_failure_info"):
        beats = values(one.timeout_failure_info.last_heartbeat_details)
        if beats:
            found["last_beat"] = beats
    if one.HasField("cause"):
        found["cause"] = failure(one.cause)
    return found


def _word(one: Failure) -> str:
    """The word of ours, or what else it was."""
    if one.HasField("application_failure_info"):
        return one.application_failure_info.type or "Error"
    if one.HasField("timeout_failure_info"):
        return "Timeout"
    if one.HasField("canceled_failure_info"):
        return "Canceled"
    if one.HasField("terminated_failure_info"):
        return "Terminated"
    return "Error"


def instant(at: Timestamp) -> str:
    """A time as records spell it; empty where none was given."""
    return stamp(at.ToDatetime(tzinfo=UTC)) if at.ByteSize() else ""


def seconds(lasting: Duration) -> float:
    """Its seconds."""
    return lasting.ToTimedelta().total_seconds()


def unarmored(signature: str) -> bytes:
    """The bytes of an armored SSH signature; none where it is no such thing."""
    inside = "".join(line.strip() for line in signature.splitlines() if not line.startswith("-"))
    try:
        return base64.b64decode(inside, validate=True)
    except ValueError:
        return b""
