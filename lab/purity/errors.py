"""Purity's refusals: what an array says when it will not do what it was asked.

Nearly everything is 400, also "does not exist" and "already exists"; the texts are those of real arrays where they
are known (reference: flasharray-rest §4), and where they are not, the one word that clients look for is in them.
"""

from typing import Any


class Refused(Exception):
    """A call that the array refuses; nothing of it was done."""

    def __init__(self, message: str, context: str | None = None, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.context = context
        self.status = status

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return refusal(self.status, self.message, self.context)


def refusal(status: int, message: str, context: str | None = None) -> dict[str, Any]:
    """The body of a refusal of any status."""
    body: dict[str, Any] = {"errors": [{"context": context, "message": message}]}
    if status in (403, 429):
        body["message"] = message  # the SDK reads these two as if a gateway had written them
    return body


def missing(kind: str, name: str) -> Refused:
    """Nothing of that name: ``Pod does not exist.``, on GET as well."""
    message = "No such volume or snapshot." if kind == "Snapshot" else f"{kind} does not exist."
    return Refused(message, name)


def exists(kind: str, name: str) -> Refused:
    """The name is taken: ``Pod already exists.``, also by a destroyed one."""
    return Refused(f"{kind} already exists.", name)


def unauthorized(message: str = "Authentication required.") -> Refused:
    """No session, or a dead one: the SDK logs in again and repeats the call once."""
    return Refused(message, status=401)


def forbidden() -> Refused:
    """The role may not do it."""
    return Refused("Operation not permitted for this role.", status=403)


def unknown_path(path: str) -> Refused:
    """No such endpoint, or not in this version."""
    return Refused("Not found.", path, status=404)
