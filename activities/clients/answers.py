"""What both HTTP clients read in an answer before their libraries do: whether it is one, and when to come back.

The libraries hide the headers of a refusal, and stumble in their own ways over a body that is no JSON.
"""

import json
import re
from datetime import timedelta
from typing import Any

# Nobody is left alone for longer because of a header: a step's limit is counted in minutes.
LONGEST_PAUSE = timedelta(seconds=60)

_SECONDS = re.compile(r"[0-9]{1,9}")


def pause(retry_after: str | None) -> timedelta | None:
    """How long a device asks to be left alone; None when it says nothing, or no number of seconds."""
    if retry_after is None or not _SECONDS.fullmatch(retry_after.strip()):
        return None
    return min(timedelta(seconds=int(retry_after)), LONGEST_PAUSE) or None


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body; None when it holds anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def excerpt(body: bytes) -> str:
    """The beginning of a body that cannot be read, for people."""
    return repr(body[:80].decode("utf-8", "replace")) if body else "nothing"
