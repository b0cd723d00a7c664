"""Proxmox VE's privileges and the roles that it brings along (source: PVE::AccessControl, as of 9.1)."""

# Group of privileges -> level -> privileges. Root's are in no role but Administrator.
_GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "VM": {
        "admin": (
            "VM.Allocate", "VM.Clone", "VM.Config.CPU", "VM.Config.Disk", "VM.Config.HWType", "VM.Config.Memory",
            "VM.Config.Network", "VM.Config.Options", "VM.GuestAgent.FileRead", "VM.GuestAgent.FileSystemMgmt",
            "VM.GuestAgent.FileWrite", "VM.GuestAgent.Unrestricted", "VM.Migrate", "VM.Replicate", "VM.Snapshot",
            "VM.Snapshot.Rollback",
        ),
        "user": ("VM.Backup", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Console", "VM.PowerMgmt"),
        "audit": ("VM.Audit", "VM.GuestAgent.Audit"),
    },
    "Sys": {
        "root": ("Sys.AccessNetwork", "Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt"),
        "admin": ("Sys.Console", "Sys.Syslog"),
        "audit": ("Sys.Audit",),
    },
    "Datastore": {
        "admin": ("Datastore.Allocate", "Datastore.AllocateTemplate"),
        "user": ("Datastore.AllocateSpace",),
        "audit": ("Datastore.Audit",),
    },
    "SDN": {"admin": ("SDN.Allocate",), "user": ("SDN.Use",), "audit": ("SDN.Audit",)},
    "User": {"root": ("Realm.Allocate",), "admin": ("Group.Allocate", "Realm.AllocateUser", "User.Modify")},
    "Pool": {"admin": ("Pool.Allocate",), "audit": ("Pool.Audit",)},
    "Mapping": {"admin": ("Mapping.Modify",), "user": ("Mapping.Use",), "audit": ("Mapping.Audit",)},
}  # fmt: skip


def _of(*levels: str) -> frozenset[str]:
    return frozenset(name for group in _GROUPS.values() for level in levels for name in group.get(level, ()))


ALL = _of("root", "admin", "user", "audit") | {"Permissions.Modify"}


def built_in() -> dict[str, frozenset[str]]:
    """Role to its privileges; these can be neither changed nor removed."""
    found = {
        "Administrator": ALL,
        "NoAccess": frozenset[str](),
        "PVEAdmin": _of("admin", "user", "audit"),
        "PVEAuditor": _of("audit"),
        "PVETemplateUser": frozenset({"VM.Audit", "VM.Clone"}),
        "PVEPoolUser": frozenset({"Pool.Audit"}),
        "PVEMappingAuditor": frozenset({"Mapping.Audit"}),
    }
    for name, levels in _GROUPS.items():
        lower = frozenset(levels.get("user", ()) + levels.get("audit", ()))
        found[f"PVE{name}Admin"] = lower | frozenset(levels.get("admin", ()))
        if levels.get("user"):
            found[f"PVE{name}User"] = lower
    return found


BUILT_IN = built_in()
