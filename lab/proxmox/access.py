"""Who calls, and what they may do: tokens, tickets and the permission trees of the schema.

Privileges are granted on paths as PVE's ACLs do it: what stands on a deeper path *replaces* what came from above.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.proxmox.errors import PveError, WireError, denied

# Path -> privilege -> whether it reaches the paths below.
Privileges = Mapping[str, Mapping[str, bool]]

# A ticket is good for two hours (reference: proxmox-api §1).
TICKET_LIFE = 7200

_OBSERVE = ("Sys.Audit", "Sys.Syslog", "VM.Audit", "VM.GuestAgent.Audit", "Datastore.Audit", "Mapping.Audit")
_OBSERVE_MORE = ("SDN.Audit", "Pool.Audit")
_GUEST = ("VM.PowerMgmt", "VM.Migrate", "VM.Allocate", "VM.Clone", "VM.Audit", "VM.GuestAgent.Audit")
_GUEST_CONFIG = ("VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options")
_STORAGE = ("Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.Audit")

# The union of the suggested roles, RunbookSetup included (reference: proxmox-api §8). Guests and storages are granted
# one level up, because their ids are the inventory's; the reading rights stand there again, because a deeper path
# replaces the grant on "/".
ENGINE_PRIVILEGES: dict[str, dict[str, bool]] = {
    "/": {
        **dict.fromkeys((*_OBSERVE, *_OBSERVE_MORE), True),
        "Sys.Console": False,
        "Sys.AccessNetwork": False,
    },
    "/vms": dict.fromkeys((*_GUEST, *_GUEST_CONFIG), True),
    "/storage": dict.fromkeys(_STORAGE, True),
    "/sdn/zones/localnetwork": {"SDN.Use": True, "SDN.Audit": True},
    "/mapping/notifications": {"Mapping.Modify": True, "Mapping.Audit": True},
}

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
    """A user of the pve realm."""

    password: str
    privileges: dict[str, dict[str, bool]]


@dataclass
class Token:
    """An API token with privilege separation: it may what it *and* its user may."""

    secret: str
    privileges: dict[str, dict[str, bool]] = field(default_factory=dict)


class Access:
    """The cluster's users and tokens."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self._key = secrets.token_bytes(32)

    def add_token(self, token_id: str, secret: str, privileges: Privileges) -> None:
        """Make a token ``user@realm!name``; its user is made with the same rights when there is none."""
        userid = token_id.partition("!")[0]
        if userid not in self.users:
            self.users[userid] = User(secrets.token_urlsafe(12), _copy(privileges))
        self.tokens[token_id] = Token(secret, _copy(privileges))

    def drop_privilege(self, token_id: str, privilege: str, path: str | None = None) -> None:
        """Take one privilege from a token, on one granted path or on all."""
        for granted_on, privileges in self.tokens[token_id].privileges.items():
            if path in (None, granted_on):
                privileges.pop(privilege, None)

    def by_token(self, credential: str) -> Identity:
        """The identity behind ``USER@REALM!ID=SECRET``.

        401 does not say what was wrong, as since pve-manager 9.1.6.
        """
        token_id, _, secret = credential.partition("=")
        token = self.tokens.get(token_id)
        if token is None or not hmac.compare_digest(token.secret.encode(), secret.encode()):
            raise WireError(401, "Authentication failed!")
        user, _, name = token_id.partition("!")
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
        if not -300 <= now - int(parts[2], 16) <= TICKET_LIFE or parts[1] not in self.users:
            raise WireError(401, "Authentication failed!")
        return Identity(parts[1])

    def login(self, userid: str, password: str, now: float) -> tuple[str, str]:
        """A ticket and its CSRF token; a valid ticket in place of the password renews it."""
        user = self.users.get(userid)
        renewed = password.startswith("PVE:") and self.by_ticket(password, now).user == userid
        if user is None or not (renewed or hmac.compare_digest(user.password.encode(), password.encode())):
            raise PveError("authentication failure", status=401)
        plain = f"PVE:{userid}:{int(now):08X}"
        return f"{plain}::{self._sign(plain)}", self._csrf(userid, f"{int(now):08X}")

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
        user = self.users.get(identity.user)
        mine = _on(user.privileges, path) if user else {}
        if identity.token is None:
            return mine
        token = self.tokens.get(identity.name)
        its = _on(token.privileges, path) if token else {}
        return {name: propagate for name, propagate in its.items() if name in mine}

    def may(self, identity: Identity, path: str, *privileges: str) -> bool:
        """True when the caller has any of the privileges on the path."""
        return identity.is_root or not self.privileges(identity, path).keys().isdisjoint(privileges)

    def require(self, identity: Identity, path: str, *privileges: str) -> None:
        """403 unless the caller has any of the privileges on the path."""
        if not self.may(identity, path, *privileges):
            raise denied(path, *privileges)

    def own_permissions(self, identity: Identity, path: str | None) -> dict[str, dict[str, int]]:
        """What ``/access/permissions`` answers; the numbers say whether a privilege propagates."""
        if path is not None:
            paths: Iterable[str] = [path]
        else:
            granted = self.tokens[identity.name].privileges if identity.token else self.users[identity.user].privileges
            paths = sorted({*_COMMON_PATHS, *granted})
        found = {one: self.privileges(identity, one) for one in paths}
        return {
            one: {name: int(propagate) for name, propagate in sorted(rights.items())}
            for one, rights in found.items()
            if rights or path is not None
        }

    def check(self, identity: Identity, permissions: Mapping[str, Any] | None, parameters: Mapping[str, Any]) -> None:
        """The schema's permission entry of a method; 403 names what is missing."""
        if permissions is None:
            if not identity.is_root:
                raise PveError("Permission check failed (user != root@pam)", status=403)
        elif (tree := permissions.get("check")) and not identity.is_root:
            self._walk(identity, tree, parameters)

    def _walk(self, identity: Identity, tree: list[Any], parameters: Mapping[str, Any]) -> None:
        kind, *rest = tree
        if kind == "and":
            for branch in rest:
                self._walk(identity, branch, parameters)
        elif kind == "or":
            if not any(self._passes(identity, branch, parameters) for branch in rest):
                raise denied()
        elif kind == "perm":
            self._check_one(identity, rest, parameters)
        else:
            raise denied()  # the trees of user administration: no business of a runbook's token

    def _passes(self, identity: Identity, tree: list[Any], parameters: Mapping[str, Any]) -> bool:
        try:
            self._walk(identity, tree, parameters)
        except PveError:
            return False
        return True

    def _check_one(self, identity: Identity, rest: list[Any], parameters: Mapping[str, Any]) -> None:
        template, privileges, *options = rest
        rules = dict(zip(options[::2], options[1::2], strict=True))
        if (needed := rules.get("require_param")) and parameters.get(needed) is None:
            raise denied()
        path = template
        for name, value in parameters.items():
            path = path.replace(f"{{{name}}}", str(value))
        if "{" in path:
            raise denied()
        if rules.get("any"):
            self.require(identity, path, *privileges)
        else:
            for privilege in privileges:
                self.require(identity, path, privilege)


def _copy(privileges: Privileges) -> dict[str, dict[str, bool]]:
    return {path: dict(granted) for path, granted in privileges.items()}


def _on(acl: Mapping[str, Mapping[str, bool]], path: str) -> dict[str, bool]:
    """What an ACL gives on a path: each level that grants anything replaces the levels above it."""
    rights: dict[str, bool] = {}
    segments = [segment for segment in path.split("/") if segment]
    for depth in range(len(segments) + 1):
        level = "/" + "/".join(segments[:depth])
        granted = acl.get(level, {})
        final = depth == len(segments)
        reaching = {name: propagate for name, propagate in granted.items() if final or propagate}
        rights = reaching or rights
    return rights
