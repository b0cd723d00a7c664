"""Who has which role where, as user.cfg keeps it.

What stands on a deeper path *replaces* what came from above; what a user has in person replaces what its groups have.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.pve.etc.roles import BUILT_IN

# The role that takes all away, whatever else stands beside it.
NO_ACCESS = "NoAccess"
# Path -> privilege -> whether it reaches the paths below.
Privileges = Mapping[str, Mapping[str, bool]]


@dataclass(frozen=True)
class Entry:
    """One line: this user, group or token has this role on that path. `kind` is ``user``, ``group`` or ``token``."""

    path: str
    kind: str
    who: str
    role: str


class Acl:
    """All roles, and the entries with whether each reaches the paths below."""

    def __init__(self) -> None:
        self.roles: dict[str, frozenset[str]] = dict(BUILT_IN)
        self.entries: dict[Entry, bool] = {}

    def grant(self, kind: str, who: str, privileges: Privileges) -> None:
        """Give exactly these privileges: roles that hold them are made where there are none."""
        self.forget(kind, who)
        for path, granted in privileges.items():
            for propagate in (True, False):
                if names := frozenset(name for name, reaches in granted.items() if reaches == propagate):
                    self.entries[Entry(path, kind, who, self._role(names, path, propagate=propagate))] = propagate

    def without(self, kind: str, who: str, privilege: str, path: str | None = None) -> None:
        """Take one privilege away, on one path or on all."""
        for entry, propagate in list(self.entries.items()):
            if (entry.kind, entry.who) == (kind, who) and path in (None, entry.path):
                del self.entries[entry]
                if left := self.roles[entry.role] - {privilege}:
                    role = self._role(left, entry.path, propagate=propagate)
                    self.entries[Entry(entry.path, kind, who, role)] = propagate

    def add(self, kind: str, who: str, privilege: str, path: str) -> None:
        """Give one privilege more on one path, as far down as the others there reach."""
        here = {entry: reaches for entry, reaches in self.entries.items() if self._is(entry, kind, who, path)}
        entry = next((entry for entry, reaches in here.items() if reaches), None)
        held = self.roles[entry.role] if entry else frozenset[str]()
        if entry:
            del self.entries[entry]
        self.entries[Entry(path, kind, who, self._role(held | {privilege}, path, propagate=True))] = True

    def holding(self, kind: str, who: str, privilege: str) -> list[str]:
        """The paths on which somebody was given that privilege."""
        return [
            entry.path
            for entry in self.entries
            if self._is(entry, kind, who, entry.path) and privilege in self.roles[entry.role]
        ]

    @staticmethod
    def _is(entry: Entry, kind: str, who: str, path: str) -> bool:
        return (entry.kind, entry.who, entry.path) == (kind, who, path)

    def forget(self, kind: str, who: str) -> None:
        """Everything that somebody had."""
        for entry in [entry for entry in self.entries if (entry.kind, entry.who) == (kind, who)]:
            del self.entries[entry]

    @property
    def paths(self) -> set[str]:
        """The paths on which anybody has anything."""
        return {entry.path for entry in self.entries}

    def on(
        self, path: str, kind: str, who: str, groups: Iterable[str] = (), pools: Iterable[str] = ()
    ) -> dict[str, bool]:
        """The privileges on a path, each with whether it reaches further down; `pools` hold what is there.

        A pool's roles come to those of the path and reach no further, but NoAccess on either of them takes all away
        (source: PVE::RPCEnvironment, compile_acl_path).
        """
        roles = self.roles_on(path, kind, who, groups)
        if NO_ACCESS not in roles:
            of_pools = {role for pool in pools for role in self.roles_on(f"/pool/{pool}", kind, who, groups)}
            roles = {} if NO_ACCESS in of_pools else {**dict.fromkeys(of_pools, False), **roles}
        rights: dict[str, bool] = {}
        for role, propagate in roles.items():
            for name in self.roles.get(role, ()):
                rights[name] = rights.get(name, False) or propagate
        return rights

    def roles_on(self, path: str, kind: str, who: str, groups: Iterable[str] = ()) -> dict[str, bool]:
        """The roles on a path by the entries on the way there, each with whether it reaches further down."""
        roles: dict[str, bool] = {}
        segments = [segment for segment in path.split("/") if segment]
        for depth in range(len(segments) + 1):
            level, final = "/" + "/".join(segments[:depth]), depth == len(segments)
            in_person = self._at(level, final=final, kind=kind, names={who})
            roles = in_person or self._at(level, final=final, kind="group", names=set(groups)) or roles
        return roles

    def _at(self, level: str, *, final: bool, kind: str, names: set[str]) -> dict[str, bool]:
        """The roles that stand on one level; none when nothing there reaches the path in question."""
        here = {
            entry.role: propagate
            for entry, propagate in self.entries.items()
            if entry.path == level and entry.kind == kind and entry.who in names and (final or propagate)
        }
        return {NO_ACCESS: here[NO_ACCESS]} if NO_ACCESS in here else here

    def _role(self, privileges: frozenset[str], path: str, *, propagate: bool) -> str:
        """The role of exactly these privileges; a new one is named after the place that it is for."""
        for name, known in self.roles.items():
            if known == privileges:
                return name
        place = "".join(word.capitalize() for word in path.split("/") if word) or "Root"
        name = wanted = f"Runbook{place}{'' if propagate else 'Only'}"
        number = 1
        while name in self.roles:
            number += 1
            name = f"{wanted}{number}"
        self.roles[name] = privileges
        return name
