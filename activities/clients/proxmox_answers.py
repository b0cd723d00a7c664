"""What a refusal of Proxmox VE means: of its API, and of the commands on its nodes, which use the same words."""

import re
from datetime import timedelta
from typing import Any

from activities.errors import Conflict, NotFound, NotYet, Rejected, Unauthorized, Unreachable, Word

_CONFLICT = ("already defined", "already exists", "already running")
_ABSENT = ("does not exist", "no such", "not found")
_BUSY = ("got lock request timeout", "is locked", "got timeout", "no quorum")
# The node's own part of the cluster file system is dead, hung or not mounted: this node cannot tell, another one can.
_BLIND = (
    "ipcc_send_rec",
    "transport endpoint is not connected",
    "software caused connection abort",
    "connection refused",
    "connection reset by peer",
    "connection timed out",
    "cluster filesystem not online",
    "broken pipe",
    "start worker failed",
    "unable to load access control list",
    "cluster not ready",
    "pmxcfs",
)
_CLUSTER_FILES = "/etc/pve/"
# Of a file there: its file system is hung, or not mounted, where every file is missing. What a guest or a storage lacks
# is told in other words ("does not exist").
_UNREAD = ("input/output error", "no such file or directory")


def refusal(status: int, reason: str, fields: dict[str, Any], again_in: timedelta | None = None) -> Word:
    """What a refusal of the API means. Business errors are all 500, so the text decides."""
    text = f"Proxmox VE: {reason.strip() or f'HTTP {status}'}"
    if status == 401:
        return Unauthorized(f"{text}; check api.token_id and the secret that api.token refers to")
    if status == 403:
        return Unauthorized(f"{text}; grant the named privilege to the token and to its user")
    if status == 400:
        details = "; ".join(f"{field}: {str(value).strip()}" for field, value in fields.items())
        return Rejected(f"{text} {details}".strip())
    if status >= 595:
        return Unreachable(f"{text} (HTTP {status}, forwarded)")
    lower = reason.lower()
    if any(word in lower for word in _BUSY):
        return NotYet(text)
    if any(word in lower for word in _BLIND) or (_CLUSTER_FILES in lower and any(word in lower for word in _UNREAD)):
        return Unreachable(f"{text}; look at pve-cluster on that node")
    if _CLUSTER_FILES in lower and "permission denied" in lower:
        return NotYet(text)  # the cluster's files cannot be written without quorum
    if any(word in lower for word in _CONFLICT):
        return Conflict(text)
    if any(word in lower for word in _ABSENT):
        return NotFound(text)
    return Unreachable(text, again_in=again_in) if status in (429, 502, 503, 504) else Rejected(text)


_STATUS = re.compile(r"\s*(\d{3})\b")


def refused(text: str) -> Word:
    """What a command's refusal means: most are the API's own words, some begin with its status."""
    status = _STATUS.match(text)
    return refusal(int(status[1]) if status else 500, text, {})
