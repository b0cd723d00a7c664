"""The permission trees of the schema: what a method asks of its caller, walked as PVE::RPCEnvironment does."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.proxmox.errors import PveError, denied

if TYPE_CHECKING:
    from lab.proxmox.access import Access, Identity


def check(
    access: "Access", identity: "Identity", permissions: Mapping[str, Any] | None, parameters: Mapping[str, Any]
) -> None:
    """403 that names what is missing, unless the caller may make this call. None is for root@pam with a ticket."""
    if identity.is_root:
        return
    if permissions is None:
        raise PveError("Permission check failed (user != root@pam)", status=403)
    if tree := permissions.get("check"):
        _Walk(access, identity, parameters).walk(tree)


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
            self._access.require(self._identity, self._filled(rest[0]), "Permissions.Modify")
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
