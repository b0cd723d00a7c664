"""The permission trees of the schema: what a method asks of its caller, walked as PVE::RPCEnvironment does."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.pve.errors import PveError, denied

if TYPE_CHECKING:
    from lab.pve.etc.access import Access, Identity


def check(
    access: "Access", identity: "Identity", permissions: Mapping[str, Any] | None, parameters: Mapping[str, Any]
) -> None:
    """403 that names what is missing, unless the caller may make this call. None is for root@pam with a ticket.

    What is for all users is so also where the schema names a privilege beside it: there the code shows less without.
    """
    if identity.is_root:
        return
    if permissions is None:
        raise PveError("Permission check failed (user != root@pam)", status=403)
    if permissions.get("user") == "all":
        return
    if not (tree := permissions.get("check")):
        raise denied()
    _Walk(access, identity, parameters).walk(tree)


def may_grant(path: str) -> tuple[str, ...]:
    """The privileges any of which lets somebody give rights on a path (source: RPCEnvironment check_perm_modify)."""
    area = path.strip("/").partition("/")
    more = {"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}.get(area[0])
    return ("Permissions.Modify", more) if more and area[2] else ("Permissions.Modify",)


class _Walk:
    """One caller's way through one tree."""

    def __init__(self, access: "Access", identity: "Identity", parameters: Mapping[str, Any]) -> None:
        self._access = access
        self._identity = identity
        self._parameters = parameters

    def walk(self, tree: list[Any]) -> None:
        """403 unless the tree lets the caller through."""
        kind, *rest = tree
        if kind == "and":
            for branch in rest:
                self.walk(branch)
        elif kind == "or":
            if not any(self._passes(branch) for branch in rest):
                raise denied()
        elif kind == "perm":
            self._privileges(rest)
        elif kind == "perm-modify":
            path = self._filled(rest[0])
            self._access.require(self._identity, path, *may_grant(path))
        elif kind == "userid-group":
            self._access.require(self._identity, "/access/groups", *rest[0])
        elif rest == ["self"]:
            if self._identity.user != self._parameters.get("userid"):
                raise denied()
        elif kind == "userid-param":
            realm = str(self._parameters.get("userid", "")).rpartition("@")[2]
            self._access.require(self._identity, f"/access/realm/{realm}", *rest)
        else:
            raise denied()

    def _passes(self, tree: list[Any]) -> bool:
        """Whether one branch of an `or` lets through; a failing `and` ends the whole walk, as in PVE's own code."""
        if tree[0] == "and":
            self.walk(tree)
        try:
            self.walk(tree)
        except PveError:
            return False
        return True

    def _privileges(self, rest: list[Any]) -> None:
        template, privileges, *options = rest
        rules = dict(zip(options[::2], options[1::2], strict=True))
        if (needed := rules.get("require_param")) and self._parameters.get(needed) is None:
            raise denied()
        path = self._filled(template)
        if rules.get("any"):
            self._access.require(self._identity, path, *privileges)
        else:
            for privilege in privileges:
                self._access.require(self._identity, path, privilege)

    def _filled(self, template: str) -> str:
        path = template
        for name, value in self._parameters.items():
            path = path.replace(f"{{{name}}}", str(value))
        if "{" in path:
            raise denied()
        return path
