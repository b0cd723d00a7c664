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
