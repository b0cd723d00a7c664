"""Sessions of an array: who is logged in, and for how long after the last call."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.purity.errors import unauthorized

if TYPE_CHECKING:
    from lab.purity.models import Array

# The array's own users; each role of the twin has one.
USERS = {"array_admin": "pureuser", "storage_admin": "storage", "readonly": "viewer"}


@dataclass
class Session:
    """One login. `token` is what a client sends with every call."""

    number: int
    token: str
    role: str
    location: str
    started: float
    used: float
    ended: float | None = None
    until: float | None = None  # a token of an API client is good until then, used or not

    @property
    def user(self) -> str:
        """Who logged in."""
        return USERS[self.role]


def login(array: "Array", api_token: str | None, location: str) -> Session:
    """A new session for an API token."""
    role = array.tokens.get(api_token or "")
    if role is None:
        raise unauthorized("Invalid API token.")
    return begin(array, role, location)


def begin(array: "Array", role: str, location: str, *, lasts: float | None = None) -> Session:
    """A new session; `lasts` lab seconds at most."""
    now = array.now()
    until = None if lasts is None else now + lasts
    session = Session(len(array.sessions) + 1, str(uuid.uuid4()), role, location, now, now, until=until)
    array.sessions.append(session)
    return session


def current(array: "Array", token: str | None) -> Session:
    """The live session of that token, used now; refused when there is none or it was idle for too long."""
    now = array.now()
    idle = array.settings["idle_timeout"] / 1000  # 0: sessions never expire
    session = next((one for one in array.sessions if one.token == token and one.ended is None), None)
    if session is not None and session.until is not None and now > session.until:
        session.ended, session = session.until, None
    if session is not None and session.until is None and idle and now - session.used > idle:
        session.ended = session.used + idle
        session = None
    if session is None:
        raise unauthorized("Invalid session.")
    session.used = now
    return session


def logout(array: "Array", token: str | None) -> None:
    """End a session."""
    current(array, token).ended = array.now()


def shown(headers: Mapping[str, str]) -> str | None:
    """What a caller shows: the token of a session, or the one an API client was given."""
    return headers.get("x-auth-token") or headers.get("Authorization", "").removeprefix("Bearer ") or None


def forget(array: "Array", token: str | None) -> None:
    """End the session of that token, as if it had been idle for too long; nothing when there is none."""
    for session in array.sessions:
        if session.token == token:
            session.ended = session.ended or array.now()


def expire(array: "Array") -> None:
    """End all sessions now, as idleness or a failover of the controllers would."""
    for session in array.sessions:
        session.ended = session.ended or array.now()
