"""What a host keeps about its way to the arrays, on its disk and in its kernel.

Records, enabled units, the list of WWIDs and written files outlive a boot; sessions, block devices and maps do not.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lab.physics.world import Host, World

DEFAULT = "default"
# What the vendor recommends for its disks, as a node has it that was prepared for this design.
_DISK = 'ACTION=="add|change", KERNEL=="sd*[!0-9]", SUBSYSTEM=="block", ENV{ID_VENDOR}=="PURE"'
PREPARED = {
    "/etc/udev/rules.d/99-pure-storage.rules": "".join(
        f'{_DISK}, ATTR{{{name}}}="{value}"\n'
        for name, value in (
            ("queue/scheduler", "none"), ("queue/add_random", "0"), ("queue/rq_affinity", "2"),
            ("device/timeout", "60"),
        )
    )
}  # fmt: skip
MULTIPATHD, LOGIN = "multipathd", "open-iscsi"
STARTERS = ("iscsid.socket", "iscsid")  # either of them starts iscsid when iscsiadm needs it


class Way(NamedTuple):
    """A portal of an array, through one of the host's iSCSI interfaces."""

    array: str
    portal: str
    iface: str = DEFAULT


@dataclass
class NodeRecord:
    """What open-iscsi has noted of a way. `auth` are settings below ``node.session.auth``."""

    startup: str = "manual"  # Debian's iscsid.conf
    auth: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> tuple[str, str] | None:
        """With which name and secret it logs in; None without CHAP."""
        if self.auth.get("authmethod") != "CHAP":
            return None
        return self.auth.get("username", ""), self.auth.get("password", "")


def admitted(world: "World", host: "Host", way: Way) -> bool:
    """Whether the array takes the login; one that asks for no name takes any."""
    asked = world.arrays[way.array].credentials(host.iqn)
    return asked is None or host.records[way].name == asked


def log_in_at_boot(world: "World", host: "Host") -> None:
    """What systemd does at boot: the records that say ``automatic``, if the units that do it are enabled.

    HBAs need neither records nor units (`lab.physics.fabric`).
    """
    if LOGIN in host.disabled or all(unit in host.disabled for unit in STARTERS):
        return
    ways = [way for way in sorted(host.records) if host.records[way].startup == "automatic"]
    for number, way in enumerate(ways, start=1):
        if world.reaches_portal(host.name, way.array, way.portal) and admitted(world, host, way):
            host.sessions[way] = number
            world.scan(host.name, way)


def maps_at_boot(host: "Host") -> None:
    """Without multipathd nobody makes a map, and one that nobody has noted is not made again."""
    host.mapped.clear()
    host.settings = host.multipath_files()
    host.unmapped = MULTIPATHD in host.disabled
    (host.stopped.add if host.unmapped else host.stopped.discard)(MULTIPATHD)


def activate_at_boot(world: "World", host: "Host") -> None:
    """What LVM does with volumes that it may activate by itself: those of before Proxmox VE 9."""
    for disk in world.visible_disks(host.name):
        there = world.mapped(host, disk)
        for lv in disk.vg.lvs.values() if disk.vg and there else ():
            if lv.autoactivation:
                lv.active_on.add(host.name)
