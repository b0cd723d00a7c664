"""What the cluster's API token must be allowed, per path and runbook (source: the permissions in the PVE API schema).

`granted` is what docs/prepare.md gives; a test compares the two. What a runbook needs is part of it.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from cluster.inventory import Inventory
from cluster.nouns import Value

Rights = dict[str, tuple[str, ...]]
Procedure = Literal[
    "deploy", "watch", "incident", "site-loss", "node-loss", "evacuate-site", "return-site", "failback",
    "revive-guests", "hand-over-quorum", "restore-sessions", "reconcile-arrays", "cold-start",
]  # fmt: skip
PROCEDURES: tuple[Procedure, ...] = (
    "deploy", "watch", "incident", "site-loss", "node-loss", "evacuate-site", "return-site", "failback",
    "revive-guests", "hand-over-quorum", "restore-sessions", "reconcile-arrays", "cold-start",
)  # fmt: skip

_GUEST = (
    "VM.Allocate",
    "VM.Audit",
    "VM.Config.CPU",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.PowerMgmt",
)
# Reads of cluster, HA, options and jobs; the list of guests leaves out those without VM.Audit, so it is for all.
_LOOKS: Rights = {"/": ("Sys.Audit",), "/vms": ("VM.Audit",)}
# failback of HA resources; the scheduler's options and backup jobs; a job is only changed with its storage's right.
_SWITCHES: Rights = {"/": ("Sys.Console", "Sys.Modify"), "/storage": ("Datastore.Allocate",)}
# The agent's ping, which proves that a guest that HA has restarted is really there.
_AGENT: Rights = {"/vms": ("VM.GuestAgent.Audit",)}

# Path to the role's name there; a test compares them with the page.
_ROLES = {"/": "QuorateCluster", "/storage": "QuorateStorage", "/vms": "QuorateSight"}


class Missing(Value):
    """A privilege that the token lacks, where, and the runbooks that need it there."""

    privilege: str
    path: str
    runbooks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.privilege} at {self.path} (for {', '.join(self.runbooks)})"


class Sight(Value):
    """Whether a privilege reaches from /vms to every guest; `hidden` are paths whose own entries leave it out.

    `audits`: the token may read every entry of the access list; without that an entry may hide a guest unseen.
    """

    privilege: str
    reaches: bool
    hidden: tuple[str, ...] = ()
    audits: bool = True


def sight(
    privilege: str, permissions: Mapping[str, Mapping[str, object]], entries: Iterable[tuple[str, str]] = ()
) -> Sight:
    """From all of a token's permissions, path to privilege to whether it reaches further down.

    The privilege has to reach from /vms to each guest; an entry on a guest of its own replaces it there. Permissions
    leave out every path on which the token may nothing, so the access list is compared with them: `entries` are its
    paths and roles, of anybody. NoAccess on a pool takes everything away from the guests in it (source:
    PVE::RPCEnvironment, compile_acl_path and get_effective_permissions).
    """
    hidden = {path for path, rights in permissions.items() if path.startswith("/vms/") and privilege not in rights}
    hidden |= {path for path, role in entries if path not in permissions and _closes(path, role)}
    return Sight(
        privilege=privilege,
        reaches=bool(permissions.get("/vms", {}).get(privilege)),
        hidden=tuple(sorted(hidden)),
        audits="Sys.Audit" in permissions.get("/access", {}),
    )


def _closes(path: str, role: str) -> bool:
    """Who may nothing on that path sees fewer guests for it. Other roles on a pool only add to what is granted."""
    return path.startswith("/vms/") or (role == "NoAccess" and f"{path}/".startswith("/pool/"))


def needed(inventory: Inventory, runbook: Procedure = "deploy") -> Rights:
    """Path to privileges for that runbook: nothing beyond what its calls are checked for."""
    storage: Rights = {f"/storage/{one.id}": ("Datastore.Audit",) for one in inventory.all_storages}
    if runbook == "deploy":
        return _deploy(inventory)
    if runbook in ("watch", "incident", "hand-over-quorum", "restore-sessions", "reconcile-arrays", "cold-start"):
        return dict(_LOOKS)  # what these change is not Proxmox VE's: power, sessions, connections
    if runbook == "revive-guests":
        return _all_of(_LOOKS, {"/": ("Sys.Console",)})  # the requested state of a resource
    if runbook in ("site-loss", "node-loss"):
        return _all_of(_LOOKS, _SWITCHES, _AGENT, storage)
    if runbook == "evacuate-site":
        return _all_of(_LOOKS, _SWITCHES, storage)
    return _all_of(_LOOKS, _SWITCHES, storage)  # every move is an HA command, which asks for Sys.Console


def _deploy(inventory: Inventory) -> Rights:
    privileges: Rights = {
        "/": ("Sys.Audit", "Sys.Console"),  # reads, and every HA write
        "/storage": ("Datastore.Allocate",),  # define the storage
        **{f"/storage/{one.id}": ("Datastore.AllocateSpace",) for one in inventory.all_storages},
    }
    for guest in inventory.guests:
        privileges[f"/vms/{guest.template}"] = ("VM.Clone",)
        privileges[f"/vms/{guest.vmid}"] = _GUEST
    return privileges


def _all_of(*rights: Mapping[str, tuple[str, ...]]) -> Rights:
    found: Rights = {}
    for one in rights:
        for path, privileges in one.items():
            found[path] = tuple(dict.fromkeys((*found.get(path, ()), *privileges)))
    return found


def granted(inventory: Inventory) -> Rights:
    """Path to privileges that docs/prepare.md gives the token: what deployment, incidents and planned work ask for.

    Every entry reaches the paths below it, and one on a deeper path *replaces* it there, as Proxmox VE's access lists
    do: so each repeats what it still needs from above.
    """
    audit = ("VM.Audit", "VM.GuestAgent.Audit")
    privileges: Rights = {
        "/": ("Sys.Audit", "Sys.Console", "Sys.Modify"),  # reads; every HA write; options and backup jobs
        "/storage": ("Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.Audit"),  # also of a backup job's
        "/vms": audit,  # a guest that is not seen would count as not there
    }
    for guest in inventory.guests:
        privileges[f"/vms/{guest.template}"] = (*audit, "VM.Clone")
        privileges[f"/vms/{guest.vmid}"] = (*_GUEST, "VM.GuestAgent.Audit")
    return privileges


def role_at(inventory: Inventory, path: str) -> str:
    """What docs/prepare.md calls the role that it grants at that path; of a guest beside the inventory: sight."""
    if path in {f"/vms/{guest.vmid}" for guest in inventory.guests}:
        return "QuorateGuest"
    if path in {f"/vms/{guest.template}" for guest in inventory.guests}:
        return "QuorateSource"
    return _ROLES.get(path, _ROLES["/vms"])


def effective(rights: Mapping[str, Iterable[str]], path: str) -> frozenset[str]:
    """What an access list gives on a path: the entry on the deepest path above it, alone."""
    above = [one for one in rights if one == "/" or path == one or path.startswith(f"{one}/")]
    return frozenset(rights[max(above, key=len)]) if above else frozenset()


def missing(inventory: Inventory, runbooks: Iterable[Procedure], has: Mapping[str, Iterable[str]]) -> list[Missing]:
    """What is not granted of all that these runbooks need; `has` says for each path what the token may do there."""
    users: dict[tuple[str, str], list[str]] = {}
    for runbook in runbooks:
        for path, privileges in needed(inventory, runbook).items():
            for privilege in privileges:
                users.setdefault((path, privilege), []).append(runbook)
    return [
        Missing(privilege=privilege, path=path, runbooks=tuple(who))
        for (path, privilege), who in sorted(users.items())
        if privilege not in set(has.get(path, ()))
    ]


def paths(inventory: Inventory, runbooks: Iterable[Procedure]) -> tuple[str, ...]:
    """All paths on which these runbooks need something."""
    return tuple(sorted({path for runbook in runbooks for path in needed(inventory, runbook)}))
