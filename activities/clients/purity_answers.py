"""What an array's answers mean, judged on the wire before the SDK sees them.

The SDK would sleep for as long as an array likes, send a write a second time after a 504, forget the headers of a
refusal and stumble over what is no JSON. So it gets to see only answers that can be read, and the 401 of a session
that has expired: then it logs in again and repeats the call, of which nothing was done.
"""

from datetime import timedelta
from types import TracebackType
from typing import Any

import urllib3

from activities import tracing
from activities.clients.answers import excerpt, json_object, pause
from activities.errors import Conflict, NotFound, Rejected, Unauthorized, Unreachable, Word
from cluster.inventory import Array


def refusal(array: str, status: int, message: str, context: str | None, again_in: timedelta | None = None) -> Word:
    """What an array's refusal means. Purity says 400 for nearly everything, so the text decides."""
    text = f"{array}: {message or f'HTTP {status}'}" + (f" ({context})" if context else "")
    lower = message.lower()
    if status in (401, 403):
        return Unauthorized(f"{text}; check the API token and the role of its user")
    if status == 429 or status >= 500:
        return Unreachable(f"{text} (HTTP {status})", again_in=again_in)
    if "does not exist" in lower or "no such" in lower or "could not be found" in lower:
        return NotFound(text)
    if any(word in lower for word in ("already exists", "already in use", "already belongs", "already includes")):
        return Conflict(text)
    return Rejected(text)


def judge(array: Array, path: str, answer: urllib3.BaseHTTPResponse) -> None:
    """Raise the word for an answer that is a refusal or cannot be read; `path` is the last part of its URL."""
    body = json_object(answer.data)
    if answer.status == 200:
        if path == "login" and "x-auth-token" not in answer.headers:
            raise Unreachable(f"{array.name}: what answers at {array.address} is no FlashArray")
        if path != "logout" and not _readable(body or {}):
            raise Unreachable(
                f"{array.name} at {array.address} answers with something that cannot be read: {excerpt(answer.data)}"
            )
    elif path == "login" and answer.status in (401, 403):
        raise Unauthorized(
            f"{array.name}: the array refuses the API token in {array.api_token}; renew it and try again"
        )
    elif answer.status != 401:
        errors = (body or {}).get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else body or {}
        message, context = (str(first.get(part) or "") for part in ("message", "context"))
        raise refusal(array.name, answer.status, message, context, pause(answer.headers.get("Retry-After")))


def _readable(body: dict[str, Any]) -> bool:
    """Objects, or the list of versions: nothing else is ever asked for."""
    items = body.get("items")
    if isinstance(items, list):
        return all(isinstance(item, dict) for item in items)
    return isinstance(body.get("version"), list)


class Answers(urllib3.Retry):
    """Lets `judge` see every answer of one array, and never has a call sent again."""

    array: Array

    @classmethod
    def of(cls, array: Array) -> "Answers":
        """For that array. `total` False: urllib3 raises an error of the connection as it is."""
        answers = cls(total=False, raise_on_status=False)
        answers.array = array
        return answers

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Every answer goes to `increment`."""
        return True

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: TracebackType | None = None,
    ) -> "Answers":
        """Judge an answer and have it handed on, which urllib3 does when no attempt is left."""
        if response is None:
            return super().increment(method, url, response, error, _pool, _stacktrace)
        tracing.answered(response.status, method or "", str(url))
        judge(self.array, str(url).rsplit("/", 1)[-1], response)
        raise urllib3.exceptions.MaxRetryError(_pool, str(url))
