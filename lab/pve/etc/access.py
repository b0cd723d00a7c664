"""Who calls, and what they may do: tokens, tickets and the permission trees of the schema.

Privileges are granted on paths as PVE's ACLs do it: what stands on a deeper path *replaces* what came from above.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.pve.daemon import permissions as permissions_of
from lab.pve.errors import PveError, WireError, denied
from lab.pve.etc.acl import Acl, Privileges
from lab.pve.etc.roles import ALL

__all__ = ["ROOT", "Access", "Identity", "Pool", "Privileges", "Token", "User"]

# A ticket is good for two hours (reference: proxmox-api §1).
TICKET_LIFE = 7200

# Paths that `/access/permissions` always speaks about.
_COMMON_PATHS = ("/", "/access", "/nodes", "/pool", "/sdn", "/storage", "/vms", "/mapping")


@dataclass(frozen=True)
class Identity:
    """A caller: the user, and the token's name when a token spoke for them."""

    user: str
    token: str | None = None

    @property
    def name(self) -> str:
        """``engine@pve!runbook``, as task identifiers carry it."""
        return f"{self.user}!{self.token}" if self.token else self.user

    @property
    def is_root(self) -> bool:
        """root@pam itself; its tokens are somebody else."""
        return self.name == "root@pam"


# HA's own tasks run as root.
ROOT = Identity("root@pam")


@dataclass
class User:
    """A user and what is known of it; `properties` are those of user.cfg: comment, email, enable, expire and so on."""

    password: str
    groups: set[str] = field(default_factory=set)
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        """Not switched off."""
        return bool(self.properties.get("enable", 1))


@dataclass
class Token:
    """An API token. With privilege separation, the default, it may what it *and* its user may."""

    secret: str
    privsep: bool = True
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass
class Pool:
    """Guests and storages under one name, for permissions."""

    comment: str = ""
    guests: set[int] = field(default_factory=set)
    storages: set[str] = field(default_factory=set)

    @property
    def paths(self) -> set[str]:
        """The paths of what is in it."""
        return {*(f"/vms/{vmid}" for vmid in self.guests), *(f"/storage/{name}" for name in self.storages)}


class Access:
    """user.cfg and its kin: users, tokens, groups, roles, pools, and who may what."""

    def __init__(self) -> None:
        self.acl = Acl()
        self.users: dict[str, User] = {"root@pam": User(secrets.token_urlsafe(12))}
        self.tokens: dict[str, Token] = {}
        self.groups: dict[str, str] = {}  # name -> comment
        self.pools: dict[str, Pool] = {}
        self._key = secrets.token_bytes(32)

    def add_token(self, token_id: str, secret: str, privileges: Privileges) -> None:
        """Make a token ``user@realm!name``; its user is made with the same rights when there is none."""
        userid = token_id.partition("!")[0]
        if userid not in self.users:
            self.users[userid] = User(secrets.token_urlsafe(12))
            self.acl.grant("user", userid, privileges)
        self.tokens[token_id] = Token(secret)
        self.acl.grant("token", token_id, privileges)

    def drop_privilege(self, token_id: str, privilege: str, path: str | None = None) -> None:
        """Take one privilege from a token, on one granted path or on all."""
        self.acl.without("token", token_id, privilege, path)

    def add_privilege(self, token_id: str, privilege: str, path: str) -> None:
        """Give a token, and its user, one privilege more on a path; what stands there already stays."""
        for kind, who in (("user", token_id.partition("!")[0]), ("token", token_id)):
            self.acl.add(kind, who, privilege, path)

    def by_token(self, credential: str) -> Identity:
        """The identity behind ``USER@REALM!ID=SECRET``.

        401 does not say what was wrong, as since pve-manager 9.1.6.
        """
        token_id, _, secret = credential.partition("=")
        token = self.tokens.get(token_id)
        user, _, name = token_id.partition("!")
        if token is None or not hmac.compare_digest(token.secret.encode(), secret.encode()) or not self._enabled(user):
            raise WireError(401, "Authentication failed!")
        return Identity(user, name)

    def by_ticket(self, ticket: str, now: float) -> Identity:
        """The identity behind a ticket that is signed and not too old."""
        plain, _, signature = ticket.partition("::")
        parts = plain.split(":")
        if (
            len(parts) != 3
            or parts[0] != "PVE"
            or not hmac.compare_digest(self._sign(plain).encode(), signature.encode())
        ):
            raise WireError(401, "Authentication failed!")
        if not -300 <= now - int(parts[2], 16) <= TICKET_LIFE or not self._enabled(parts[1]):
            raise WireError(401, "Authentication failed!")
        return Identity(parts[1])

    def login(self, userid: str, password: str, now: float) -> tuple[str, str]:
        """A ticket and its CSRF token; a valid ticket in place of the password renews it."""
        user = self.users.get(userid) if self._enabled(userid) else None
        renewed = password.startswith("PVE:") and self.by_ticket(password, now).user == userid
        if user is None or not (renewed or hmac.compare_digest(user.password.encode(), password.encode())):
            raise PveError("authentication failure", status=401)
        plain = f"PVE:{userid}:{int(now):08X}"
        return f"{plain}::{self._sign(plain)}", self._csrf(userid, f"{int(now):08X}")

    def _enabled(self, userid: str) -> bool:
        user = self.users.get(userid)
        return user is not None and user.enabled

    def check_csrf(self, identity: Identity, given: str) -> None:
        """Tickets live in browsers, so their writes need a second proof; tokens do not."""
        stamp = given.partition(":")[0]
        if not given or not hmac.compare_digest(self._csrf(identity.user, stamp).encode(), given.encode()):
            raise WireError(401, "Permission denied - invalid csrf token")

    def _sign(self, text: str) -> str:
        return base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()

    def _csrf(self, userid: str, stamp: str) -> str:
        return f"{stamp}:{self._sign(f'csrf:{stamp}:{userid}').rstrip('=')}"

    def privileges(self, identity: Identity, path: str) -> dict[str, bool]:
        """The caller's privileges on a path, each with whether it reaches further down."""
        if identity.user not in self.users:
            return {}
        if identity.is_root or (identity.user == "root@pam" and not self._separated(identity)):
            return dict.fromkeys(ALL, True)
        pools = [name for name, pool in self.pools.items() if path in pool.paths]
        mine = self.acl.on(path, "user", identity.user, self.users[identity.user].groups, pools)
        if identity.user == "root@pam":
            mine = dict.fromkeys(ALL, True)
        if not self._separated(identity):
            return mine
        its = self.acl.on(path, "token", identity.name, (), pools)
        return {name: propagate and mine[name] for name, propagate in its.items() if name in mine}

    def _separated(self, identity: Identity) -> bool:
        """True for a token that has rights of its own."""
        token = self.tokens.get(identity.name)
        return identity.token is not None and (token is None or token.privsep)

    def may(self, identity: Identity, path: str, *privileges: str) -> bool:
        """True when the caller has any of the privileges on the path."""
        return identity.is_root or not self.privileges(identity, path).keys().isdisjoint(privileges)

    def require(self, identity: Identity, path: str, *privileges: str) -> None:
        """403 unless the caller has any of the privileges on the path."""
        if not self.may(identity, path, *privileges):
            raise denied(path, *privileges)

    def own_permissions(self, identity: Identity, path: str | None) -> dict[str, dict[str, int]]:
        """What ``/access/permissions`` answers; the numbers say whether a privilege propagates.

        Without a path: all that anybody was granted anything on, and what is in a pool; but no path on which the caller
        may nothing (source: PVE::RPCEnvironment, get_effective_permissions).
        """
        everywhere = {*_COMMON_PATHS, *self.acl.paths, *(one for pool in self.pools.values() for one in pool.paths)}
        paths = everywhere if path is None else {path}
        found = {one: self.privileges(identity, one) for one in sorted(paths)}
        return {
            one: {name: int(propagate) for name, propagate in sorted(rights.items())}
            for one, rights in found.items()
            if rights or path is not None
        }

    def check(self, identity: Identity, permissions: Mapping[str, Any] | None, parameters: Mapping[str, Any]) -> None:
        """The schema's permission entry of a method; 403 names what is missing."""
        permissions_of.check(self, identity, permissions, parameters)
