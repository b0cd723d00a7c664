"""How a node says no: the text is in the reason phrase, and for handler errors again in a JSON body.

The HTTP layer's own refusals have no JSON body (reference: proxmox-api §2).
"""

import json

from aiohttp import web

# npm's proxmox-api compares this literally, so aiohttp's usual "; charset=utf-8" would break it
# (reference: proxmox-api §1).
JSON = "application/json;charset=UTF-8"


class PveError(Exception):
    """A handler said no. Business errors are 500 in Proxmox VE, never 404 or 409."""

    def __init__(self, message: str, *, status: int = 500, errors: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.errors = errors or {}

    def shown(self) -> dict[str, str]:
        """`errors` as they are sent: what died in the check of a format ends with a newline, the others do not.

        Source: PVE::JSONSchema, add_error, where ``$@`` is part of the text.
        """
        return {
            name: f"{text}\n" if text.startswith("invalid format - ") else text for name, text in self.errors.items()
        }

    def response(self) -> web.Response:
        """The refusal on the wire; `message` ends with a newline."""
        body: dict[str, object] = {"data": None, "message": f"{self.message}\n"}
        if self.errors:
            body["errors"] = self.shown()
        return web.Response(
            status=self.status,
            reason=first_line(self.message),
            body=json.dumps(body).encode(),
            headers={"Content-Type": JSON},
        )


class WireError(Exception):
    """The HTTP layer said no, before or instead of a handler: no JSON."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    def response(self) -> web.Response:
        """401 and 59x are empty; the others carry their text."""
        silent = self.status == 401 or self.status >= 595
        return web.Response(status=self.status, reason=self.reason, body=b"" if silent else self.reason.encode())


class PassedOn(WireError):
    """Another node's answer, given to the caller as it came."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status, answer.reason or "")
        self._answer = answer

    def response(self) -> web.Response:
        """That answer."""
        return self._answer


def forgotten() -> WireError:
    """A login that does not count any more; there are no sessions of API tokens, so it can count again at once."""
    return WireError(401, "Authentication failed!")


def rejected(**errors: str) -> PveError:
    """400: `errors` names each parameter and what is wrong with it."""
    return PveError("Parameter verification failed.", status=400, errors=errors)


def denied(path: str = "", *privileges: str) -> PveError:
    """403 that names the path and the privilege; several privileges mean any of them."""
    named = f" ({path}, {'|'.join(privileges)})" if path else ""
    return PveError(f"Permission check failed{named}", status=403)


def no_quorum() -> PveError:
    """What starting, cloning and migrating say at once on a node without quorum."""
    return PveError("cluster not ready - no quorum?")


def planted(status: int, message: str) -> web.Response:
    """A fault's answer in the form the daemon would give it."""
    if status == 401 or status >= 595:
        return WireError(status, first_line(message)).response()
    return PveError(message, status=status).response()


def first_line(text: str) -> str:
    """A reason phrase holds one line."""
    return text.strip().partition("\n")[0] or "error"
