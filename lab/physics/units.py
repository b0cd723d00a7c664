"""Which systemd units run on a host: one answer for its shell and for its API."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.physics.world import Host, World

# Units that run because their package is there; the quorum device's daemon also needs a configured device.
_PACKAGES = {
    "corosync": "corosync", "corosync-qnetd": "corosync-qnetd", "multipathd": "multipath-tools",
    "nvmf-autoconnect": "nvme-cli", "iscsid": "open-iscsi", "iscsid.socket": "open-iscsi", "open-iscsi": "open-iscsi",
    "pve-cluster": "pve-manager", "watchdog-mux": "pve-manager", "pveproxy": "pve-manager",
    "pve-ha-crm": "pve-manager", "pve-ha-lrm": "pve-manager",
}  # fmt: skip


def active(world: "World", host: "Host", unit: str) -> bool:
    """Whether a unit runs, named without ``.service``."""
    if unit in host.stopped:
        return False
    if unit == "corosync-qdevice":
        return world.corosync.qdevice and unit in host.packages
    return unit in host.units or _PACKAGES.get(unit) in host.packages


def enabled(world: "World", host: "Host", unit: str) -> bool:
    """Whether a unit boots along."""
    there = unit in _PACKAGES and _PACKAGES[unit] in host.packages
    return unit not in host.disabled and (there or active(world, host, unit))
