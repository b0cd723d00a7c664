"""A volume group as one node's LVM shows it, against the device that should carry it. Pure.

The device is known by its WWID: multipath may call it by an alias, or by a friendly name that differs from node to
node. Nothing here ever advises to rename a group: on a group in use that stops every guest on it.
"""

from pydantic import BaseModel, ConfigDict

from activities.parsing.lvm import VolumeGroup
from activities.parsing.multipath import Map
from cluster.volumes import is_namespace

# What LVM says in place of a physical volume that it cannot find.
_MISSING = ("[unknown]", "unknown device")


class GroupView(BaseModel):
    """One node's view. `map` is the multipath device of `wwid` there; both are None while the volume is planned."""

    model_config = ConfigDict(frozen=True)

    node: str
    vg: str
    wwid: str | None
    groups: tuple[VolumeGroup, ...]
    map: Map | None

    @property
    def group(self) -> VolumeGroup | None:
        """The group, when it stands on the device and on nothing else."""
        rows = self._rows
        return rows[0] if len(rows) == 1 and self._carries(rows[0].device) else None

    def conflict(self) -> str:
        """What is there and must not be: another group's device, another device's group; empty when nothing is."""
        if self._rows and (why := self._wrong_devices()):
            return f"{self.node}: {why}"
        for row in self.groups:
            if row.name != self.vg and self._carries(row.device):
                return (
                    f"{self.node}: {row.device} carries the volume group {row.name}, the inventory says {self.vg}; "
                    "correct storage.vg"
                )
        return ""

    def lacking(self) -> str:
        """Why the node cannot use the group; empty when it can."""
        if self.group:
            return ""
        if self.map is None:
            return self.unmapped
        said = f"{self.node}: volume group {self.vg} is not seen on {self.map.device}"
        if is_namespace(self.map.wwid):  # LVM has no rule of its own for it; a list or a filter of people's may lack it
            return (
                f"{said}; where LVM goes by a devices file or a filter there, add it: lvmdevices --adddev "
                f"{self.map.device}"
            )
        return said

    @property
    def unmapped(self) -> str:
        """That multipath has no such device, and what hides one."""
        if self.wwid is not None and is_namespace(self.wwid):
            return (
                f"{self.node}: there is no device of the NVMe namespace {self.wwid}; see `nvme list-subsys`, and the "
                "volume's connections on the arrays"
            )
        return (
            f"{self.node}: multipath shows no device {self.wwid}; "
            "see whether it is logged in, and `blacklist` in /etc/multipath.conf"
        )

    @property
    def _rows(self) -> list[VolumeGroup]:
        return [row for row in self.groups if row.name == self.vg]

    def _carries(self, device: str) -> bool:
        return self.map is not None and self.map.names(device)

    def _wrong_devices(self) -> str:
        """Why the devices of the group are not the one that is wished."""
        devices = [row.device for row in self._rows]
        others = [device for device in devices if not self._carries(device)]
        if not others and len(devices) == 1:
            return ""
        shown = " and ".join(device for device in devices if device not in _MISSING)
        if any(device in _MISSING for device in devices):
            return (
                f"a physical volume of {self.vg} is missing: it has {len(devices)}, LVM finds "
                f"{shown or 'none of them'}; bring its disk back before anything is changed"
            )
        if len({(row.size, row.free) for row in self._rows}) > 1:
            return (
                f"there are two volume groups {self.vg}, on {shown}; choose another storage.vg, "
                "or take the disk that does not belong here off this node"
            )
        if raw := [device for device in others if self._raw(device)]:
            path = ", ".join(raw)
            sure = "" if self.map is not None else f"; where {path} is a path of that volume"
            return (
                f"LVM uses {path} for {self.vg}, not the multipath device of {self.wwid}{sure}: make the device "
                f"(`multipath -a {self.wwid}`, `multipath -r`), then `pvscan --cache`"
            )
        if not others or len(devices) > 1:
            return f"{self.vg} has {len(devices)} physical volumes, {shown}; one is designed, on {self.wwid}"
        return self._elsewhere(shown)

    def _elsewhere(self, device: str) -> str:
        if self.wwid is None:
            return (
                f"a volume group {self.vg} exists on {device}, the inventory wants it on a new device; "
                "choose another storage.vg"
            )
        if self.map is None:
            return (
                f"a volume group {self.vg} exists on {device}; whether that is {self.wwid} is not known, since "
                "multipath shows no device of that WWID here. Compare `multipath -ll` (alias, user_friendly_names)"
            )
        return (
            f"a volume group {self.vg} exists on {device}, which is not {self.map.device} ({self.wwid}); "
            "choose another storage.vg"
        )

    def _raw(self, device: str) -> bool:
        """A path of the multipath device, or a disk like one where there is no such device."""
        if self.map is not None:
            return device in self.map.disks
        return self.wwid is not None and device.startswith(("/dev/sd", "/dev/nvme"))
