"""What people have sent to a run: a vote, or a word."""

import hashlib
import struct
from base64 import b64encode
from typing import Any

from workers.audit import decoding
from workers.audit.acts import Told

_VOTES = ("approve", "reject")


def voted(data: dict[str, Any]) -> Told:
    """The line of a message with its answer: a vote, or anything else that people say."""
    said = data["said"] if isinstance(data["said"], dict) else {}
    by = said.get("by") or ""
    if data["message"] not in _VOTES:
        why = said.get("why") or said.get("text") or ""
        what = " ".join(filter(None, (data["message"], said.get("answer"), said.get("step"))))
        what += (f", by {by}" if by else "") + (f": {why}" if why else "")
        return "said", what + _became(data), data | {"by": by}
    text, signature = said.get("text") or "", said.get("signature") or ""
    by = by or _line(text, "by")
    vote = {"by": by, "claimed": not signature, "text": text, "signature": signature, "fingerprint": _key(signature)}
    about = {name: _line(text, name) for name in ("gate", "plan", "terms", "until", "waives", "why")} if text else {}
    return "vote", f"{data['message']}, by {by or 'no name given'}" + _became(data), data | vote | {"about": about}


def _became(data: dict[str, Any]) -> str:
    if data["taken"] is None:
        return ": not answered"
    if data["taken"]:
        return f": {data['answer']}" if isinstance(data["answer"], str) else ""
    return f": refused: {data['word']}: {data['sentence']}"


def _line(text: str, label: str) -> str:
    """What that line of a signed text says. Only told here: whoever needs it for sure reads the text."""
    found = (line.partition(": ")[2] for line in text.split("\n") if line.startswith(f"{label}: "))
    return next(found, "")


def _key(signature: str) -> str:
    """The fingerprint of the key that an armored SSH signature names, as `ssh-keygen -l` shows it."""
    raw = decoding.unarmored(signature)
    if raw[:6] != b"SSHSIG" or len(raw) < 14:
        return ""
    (length,) = struct.unpack(">I", raw[10:14])
    return "SHA256:" + b64encode(hashlib.sha256(raw[14 : 14 + length]).digest()).decode().rstrip("=")
