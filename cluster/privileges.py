"""What the cluster's API token must be allowed, per path (source: the permissions in the PVE API schema)."""

from cluster.inventory import Inventory

_GUEST = (
    "VM.Allocate",
    "VM.Audit",
    "VM.Config.CPU",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.PowerMgmt",
)


def needed(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """Path to privileges for the deployment: nothing beyond what its calls are checked for."""
    privileges: dict[str, tuple[str, ...]] = {
        "/": ("Sys.Audit", "Sys.Console"),  # reads, and every HA write
        "/storage": ("Datastore.Allocate",),  # define the storage
        f"/storage/{inventory.storage.id}": ("Datastore.AllocateSpace",),
    }
    for guest in inventory.guests:
        privileges[f"/vms/{guest.template}"] = ("VM.Clone",)
        privileges[f"/vms/{guest.vmid}"] = _GUEST
    return privileges


def granted(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """Path to privileges that docs/prepare.md gives the token: what deployment, incidents and planned work ask for.

    Every entry reaches the paths below it, and one on a deeper path *replaces* it there, as Proxmox VE's access lists
    do: so each repeats what it still needs from above.
    """
    audit = ("VM.Audit", "VM.GuestAgent.Audit")
    privileges: dict[str, tuple[str, ...]] = {
        "/": ("Sys.Audit", "Sys.Console", "Sys.Modify"),  # reads; every HA write; options and backup jobs
        "/storage": ("Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.Audit"),  # also of a backup job's
        "/vms": audit,  # a guest that is not seen would count as not there
    }
    for guest in inventory.guests:
        privileges[f"/vms/{guest.template}"] = (*audit, "VM.Clone")
        privileges[f"/vms/{guest.vmid}"] = (*_GUEST, "VM.GuestAgent.Audit")
    return privileges
