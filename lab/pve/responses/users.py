"""User administration: users, their tokens, groups, passwords. Realms are the two that every cluster has."""

import re
import uuid
from typing import Any

from lab.pve.daemon.calls import Call, Routes
from lab.pve.errors import PveError, rejected
from lab.pve.etc.access import Token, User

routes = Routes()

_LOCK = "file-user_cfg"
_TOKEN = "/access/users/{userid}/token/{tokenid}"
_PROPERTIES = ("comment", "email", "enable", "expire", "firstname", "keys", "lastname")
REALMS: dict[str, dict[str, Any]] = {
    "pam": {"type": "pam", "comment": "Linux PAM standard authentication"},
    "pve": {"type": "pve", "comment": "Proxmox VE authentication server", "default": 1},
}


def _audits(call: Call) -> bool:
    return call.may("/access/groups", "User.Modify", "Sys.Audit")


def _user(call: Call) -> User:
    found = call.cluster.access.users.get(call["userid"])
    if found is None:
        raise PveError(f"no such user ('{call['userid']}')")
    return found


def _listed(text: str | None) -> set[str]:
    return set(re.split(r"[,; ]+", text)) - {""} if text else set()


@routes.on("GET /access/users")
async def users(call: Call) -> list[dict[str, Any]]:
    """All users, or oneself for callers without rights over the others."""
    found = []
    for userid, user in sorted(call.cluster.access.users.items()):
        if userid != call.identity.user and not _audits(call):
            continue
        if call.get("enabled") is not None and bool(call["enabled"]) != user.enabled:
            continue
        entry = {"userid": userid, "realm-type": userid.rpartition("@")[2], "enable": 1, "expire": 0, **user.properties}
        if call.get("full"):
            entry |= {"groups": ",".join(sorted(user.groups)), "tokens": _tokens(call, userid)}
        found.append(entry)
    return found


def _tokens(call: Call, userid: str) -> list[dict[str, Any]]:
    mine = ((name.partition("!"), token) for name, token in sorted(call.cluster.access.tokens.items()))
    return [{"tokenid": name, **_described(token)} for (owner, _, name), token in mine if owner == userid]


def _described(token: Token) -> dict[str, Any]:
    return {"privsep": int(token.privsep), "expire": 0, **token.properties}


@routes.on("GET /access/users/{userid}")
async def user(call: Call) -> dict[str, Any]:
    """One user."""
    found = _user(call)
    tokens = {entry.pop("tokenid"): entry for entry in _tokens(call, call["userid"])}
    shown = {"enable": 1, "expire": 0, **found.properties, "groups": sorted(found.groups)}
    return {**shown, "tokens": tokens} if tokens else shown


@routes.on("POST /access/users")
async def create(call: Call) -> None:
    """Make a user; one of realm pam has its password in the system, not here."""
    await call.cluster.config_lock(call.node, _LOCK, "create user failed")
    access, userid = call.cluster.access, call["userid"]
    if userid in access.users:
        raise PveError(f"create user failed: user '{userid}' already exists")
    if userid.rpartition("@")[2] not in REALMS:
        raise PveError(f"create user failed: domain '{userid.rpartition('@')[2]}' does not exist")
    groups = _known_groups(call, "create user failed")
    properties = {name: call[name] for name in _PROPERTIES if call.get(name) is not None}
    access.users[userid] = User(call.get("password") or str(uuid.uuid4()), groups, properties)
    call.cluster.world.record("pve", "user.create", userid, **properties)


def _known_groups(call: Call, doing: str) -> set[str]:
    groups = _listed(call.get("groups"))
    for name in sorted(groups - set(call.cluster.access.groups)):
        raise PveError(f"{doing}: no such group '{name}'")
    return groups


@routes.on("PUT /access/users/{userid}")
async def update(call: Call) -> None:
    """Change what is known of a user; `append` adds groups to those it has."""
    await call.cluster.config_lock(call.node, _LOCK, "update user failed")
    found = _user(call)
    changes = {name: call[name] for name in _PROPERTIES if call.get(name) is not None}
    if call.get("groups") is not None:
        groups = _known_groups(call, "update user failed")
        found.groups = found.groups | groups if call.get("append") else groups
        changes["groups"] = ",".join(sorted(found.groups))
    found.properties |= {name: value for name, value in changes.items() if name != "groups"}
    call.cluster.world.record("pve", "user.update", call["userid"], **changes)


@routes.on("DELETE /access/users/{userid}")
async def delete(call: Call) -> None:
    """Remove a user with its tokens and all that it was granted."""
    await call.cluster.config_lock(call.node, _LOCK, "delete user failed")
    _user(call)
    access, userid = call.cluster.access, call["userid"]
    for name in [name for name in access.tokens if name.partition("!")[0] == userid]:
        del access.tokens[name]
        access.acl.forget("token", name)
    del access.users[userid]
    access.acl.forget("user", userid)
    call.cluster.world.record("pve", "user.delete", userid)


@routes.on("PUT /access/password")
async def password(call: Call) -> None:
    """Give a user another password."""
    _user(call).password = call["password"]
    call.cluster.world.record("pve", "user.password", call["userid"])


@routes.on("GET /access/users/{userid}/token")
async def tokens(call: Call) -> list[dict[str, Any]]:
    """The tokens of a user."""
    _user(call)
    return _tokens(call, call["userid"])


def _token(call: Call) -> Token:
    _user(call)
    found = call.cluster.access.tokens.get(f"{call['userid']}!{call['tokenid']}")
    if found is None:
        raise PveError(f"no such token '{call['tokenid']}' for user '{call['userid']}'")
    return found


@routes.on(f"GET {_TOKEN}")
async def token(call: Call) -> dict[str, Any]:
    """One token, without its secret."""
    return _described(_token(call))


@routes.on(f"POST {_TOKEN}")
async def create_token(call: Call) -> dict[str, Any]:
    """Make a token; this answer alone holds its secret."""
    _user(call)
    access, name = call.cluster.access, f"{call['userid']}!{call['tokenid']}"
    if name in access.tokens:
        raise rejected(tokenid="Token already exists.")
    properties = {key: call[key] for key in ("comment", "expire") if call.get(key) is not None}
    made = access.tokens[name] = Token(str(uuid.uuid4()), bool(call.get("privsep", 1)), properties)
    call.cluster.world.record("pve", "token.create", name)
    return {"full-tokenid": name, "info": _described(made), "value": made.secret}


@routes.on(f"DELETE {_TOKEN}")
async def delete_token(call: Call) -> None:
    """Remove a token and all that it was granted."""
    _token(call)
    name = f"{call['userid']}!{call['tokenid']}"
    del call.cluster.access.tokens[name]
    call.cluster.access.acl.forget("token", name)
    call.cluster.world.record("pve", "token.delete", name)


@routes.on("GET /access/groups")
async def groups(call: Call) -> list[dict[str, Any]]:
    """All groups with their members."""
    if not call.may("/access/groups", "User.Modify", "Sys.Audit", "Group.Allocate"):
        return []
    found = sorted(call.cluster.access.groups.items())
    return [
        {"groupid": name, "users": ",".join(_members(call, name))} | ({"comment": comment} if comment else {})
        for name, comment in found
    ]


def _members(call: Call, group: str) -> list[str]:
    return sorted(userid for userid, user in call.cluster.access.users.items() if group in user.groups)


@routes.on("GET /access/groups/{groupid}")
async def group(call: Call) -> dict[str, Any]:
    """One group."""
    _known_group(call, "")
    comment = call.cluster.access.groups[call["groupid"]]
    return {"members": _members(call, call["groupid"])} | ({"comment": comment} if comment else {})


def _known_group(call: Call, doing: str) -> None:
    if call["groupid"] not in call.cluster.access.groups:
        raise PveError(f"{doing}group '{call['groupid']}' does not exist")


@routes.on("POST /access/groups")
async def create_group(call: Call) -> None:
    """Make a group."""
    await call.cluster.config_lock(call.node, _LOCK, "create group failed")
    if call["groupid"] in call.cluster.access.groups:
        raise PveError(f"create group failed: group '{call['groupid']}' already exists")
    call.cluster.access.groups[call["groupid"]] = call.get("comment", "")
    call.cluster.world.record("pve", "group.create", call["groupid"])


@routes.on("PUT /access/groups/{groupid}")
async def update_group(call: Call) -> None:
    """Change a group's comment."""
    await call.cluster.config_lock(call.node, _LOCK, "update group failed")
    _known_group(call, "update group failed: ")
    call.cluster.access.groups[call["groupid"]] = call.get("comment", "")
    call.cluster.world.record("pve", "group.update", call["groupid"])


@routes.on("DELETE /access/groups/{groupid}")
async def delete_group(call: Call) -> None:
    """Remove a group; its members stay."""
    await call.cluster.config_lock(call.node, _LOCK, "delete group failed")
    _known_group(call, "delete group failed: ")
    del call.cluster.access.groups[call["groupid"]]
    for one in call.cluster.access.users.values():
        one.groups.discard(call["groupid"])
    call.cluster.access.acl.forget("group", call["groupid"])
    call.cluster.world.record("pve", "group.delete", call["groupid"])
