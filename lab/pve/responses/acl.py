"""Realms, roles and access control lists over the API, and what somebody may."""

import re
from collections.abc import Collection
from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.daemon.permissions import may_grant
from lab.pve.errors import PveError, rejected
from lab.pve.etc.access import Identity
from lab.pve.etc.acl import Entry
from lab.pve.etc.roles import ALL, BUILT_IN
from lab.pve.responses.users import REALMS

routes = Routes()

_LOCK = "file-user_cfg"


@routes.on("GET /access/domains")
async def domains(_: Call) -> list[dict[str, Any]]:
    """The realms, for a login page: no login is needed."""
    return [{"realm": name, **realm} for name, realm in REALMS.items()]


@routes.on("GET /access/domains/{realm}")
async def domain(call: Call) -> dict[str, Any]:
    """One realm."""
    if call["realm"] not in REALMS:
        raise PveError(f"domain '{call['realm']}' does not exist")
    return REALMS[call["realm"]]


@routes.on("GET /access/ticket")
async def login_page(_: Call) -> None:
    """A dummy: it only says that logging in is possible."""


@routes.on("GET /access/tfa", "GET /access/tfa/{userid}")
async def second_factors(_: Call) -> list[Any]:
    """Nobody has one."""
    return []


@routes.on("GET /access/permissions")
async def permissions(call: Call) -> dict[str, Any]:
    """The caller's own rights, or somebody's for those who may look; the numbers say whether they propagate."""
    identity, asked = call.identity, call.get("userid")
    if asked not in (None, call.identity.name):
        user, _, token = asked.partition("!")
        if user != call.identity.user or call.identity.token:
            call.require("/access", "Sys.Audit")
        identity = Identity(user, token or None)
        if user not in call.cluster.access.users:
            raise PveError(f"no such user ('{user}')")
    return call.cluster.access.own_permissions(identity, call.get("path"))


@routes.on("GET /access/roles")
async def roles(call: Call) -> list[dict[str, Any]]:
    """All roles; the special ones are PVE's own."""
    return [
        {"roleid": name, "privs": ",".join(sorted(privileges)), "special": int(name in BUILT_IN)}
        for name, privileges in sorted(call.cluster.access.acl.roles.items())
    ]


@routes.on("GET /access/roles/{roleid}")
async def role(call: Call) -> dict[str, int]:
    """One role as the set of its privileges."""
    return dict.fromkeys(sorted(_role(call)), 1)


def _role(call: Call) -> frozenset[str]:
    found = call.cluster.access.acl.roles.get(call["roleid"])
    if found is None:
        raise PveError(f"role '{call['roleid']}' does not exist")
    return found


def _privileges(call: Call) -> frozenset[str]:
    wanted = _listed(call.get("privs"))
    for name in wanted:
        if name not in ALL:
            raise rejected(privs=f"invalid format - invalid privilege '{name}'")
    return frozenset(wanted)


def _listed(text: str | None) -> list[str]:
    return [item for item in re.split(r"[,; ]+", text or "") if item]


def _not_built_in(call: Call, what: str) -> None:
    if call["roleid"] in BUILT_IN:
        raise PveError(f"auto-generated role '{call['roleid']}' {what}")


@routes.on("POST /access/roles")
async def create_role(call: Call) -> None:
    """Make a role."""
    await call.cluster.config_lock(call.node, _LOCK, "create role failed")
    if call["roleid"] in call.cluster.access.acl.roles:
        raise PveError(f"create role failed: role '{call['roleid']}' already exists")
    call.cluster.access.acl.roles[call["roleid"]] = _privileges(call)
    call.cluster.world.record("pve", "role.create", call["roleid"])


@routes.on("PUT /access/roles/{roleid}")
async def update_role(call: Call) -> None:
    """Change a role's privileges; `append` adds to them."""
    _not_built_in(call, "cannot be modified")
    await call.cluster.config_lock(call.node, _LOCK, "update role failed")
    kept = _role(call) if call.get("append") else frozenset[str]()
    call.cluster.access.acl.roles[call["roleid"]] = kept | _privileges(call)
    call.cluster.world.record("pve", "role.update", call["roleid"])


@routes.on("DELETE /access/roles/{roleid}")
async def delete_role(call: Call) -> None:
    """Remove a role from wherever it was granted."""
    _not_built_in(call, "cannot be deleted")
    await call.cluster.config_lock(call.node, _LOCK, "delete role failed")
    _role(call)
    acl = call.cluster.access.acl
    del acl.roles[call["roleid"]]
    acl.entries = {entry: propagate for entry, propagate in acl.entries.items() if entry.role != call["roleid"]}
    call.cluster.world.record("pve", "role.delete", call["roleid"])


@routes.on("GET /access/acl")
async def entries(call: Call) -> list[dict[str, Any]]:
    """The entries that the caller may see: those whose path it administers, or all for an auditor of /access."""
    audits = call.may("/access", "Sys.Audit")
    return [
        {"path": entry.path, "type": entry.kind, "ugid": entry.who, "roleid": entry.role, "propagate": int(propagate)}
        for entry, propagate in sorted(call.cluster.access.acl.entries.items(), key=lambda one: str(one[0]))
        if audits or call.may(entry.path, *may_grant(entry.path))
    ]


@routes.on("PUT /access/acl")
async def change(call: Call) -> None:
    """Grant roles on a path, or take them away."""
    path = "/" + call["path"].strip("/")
    access = call.cluster.access
    named = {kind: _listed(call.get(f"{kind}s")) for kind in ("user", "group", "token")}
    if not any(named.values()):
        raise rejected(**dict.fromkeys(("users", "groups", "tokens"), "property is missing and it is not optional"))
    await call.cluster.config_lock(call.node, _LOCK, "ACL update failed")
    known: dict[str, Collection[str]] = {"user": access.users, "group": access.groups, "token": access.tokens}
    for role_id in _listed(call["roles"]):
        if role_id not in access.acl.roles:
            raise PveError(f"ACL update failed: role '{role_id}' does not exist")
        for kind, names in named.items():
            for name in names:
                if name not in known[kind]:
                    raise PveError(f"ACL update failed: {kind} '{name}' does not exist")
                entry = Entry(path, kind, name, role_id)
                if call.get("delete"):
                    access.acl.entries.pop(entry, None)
                else:
                    access.acl.entries[entry] = bool(call.get("propagate", 1))
                what = "acl.delete" if call.get("delete") else "acl.update"
                call.cluster.world.record("pve", what, path, who=name, role=role_id)
