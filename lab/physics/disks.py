"""Disks of the world and what LVM has written on them: shared by every node that reaches them."""

from dataclasses import dataclass, field

from lab.physics.initiator import DEFAULT, Way

# Extents of 4 MiB; LVM keeps the first MiB of a physical volume to itself.
EXTENT = 4 * 2**20


def letters(number: int) -> str:
    """0 to ``a``, 25 to ``z``, 26 to ``aa``: how Linux counts its disks."""
    return (letters(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


@dataclass
class LogicalVolume:
    """A thick LV. `active_on` and `open_on` name nodes: LVM itself has no cluster-wide view."""

    name: str
    size: int
    active_on: set[str] = field(default_factory=set)
    open_on: set[str] = field(default_factory=set)
    suspended_on: set[str] = field(default_factory=set)  # nodes where device-mapper holds its input and output back
    created: float = 0.0  # lab time
    autoactivation: bool = False  # Proxmox VE 9 makes them without; those of before are activated wherever it boots

    def attributes(self, node: str) -> str:
        """As lvs shows it on a node: the fifth letter says active or suspended, the sixth open."""
        state = "s" if node in self.suspended_on else "a" if node in self.active_on else "-"
        return f"-wi-{state}{'o' if node in self.open_on else '-'}----"


@dataclass
class VolumeGroup:
    """A volume group as it is written on a disk."""

    name: str
    size: int
    lvs: dict[str, LogicalVolume] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Bytes no logical volume holds."""
        return self.size - sum(lv.size for lv in self.lvs.values())


@dataclass
class Disk:
    """What is written on a volume, known by its serial on whichever array it is read."""

    serial: str
    size: int
    signature: str = ""  # as wipefs names it: LVM2_member, ext4; blank when nothing is written
    vg: VolumeGroup | None = None

    @property
    def wwid(self) -> str:
        """The name multipath gives it: NAA type 3, Pure's company id 24a937, the serial."""
        return f"3624a9370{self.serial.lower()}"

    @property
    def nguid(self) -> str:
        """Its name as an NVMe namespace: 00, 14 digits of the serial, Pure's company id, its last 10."""
        serial = self.serial.lower()
        return f"eui.00{serial[:14]}24a937{serial[-10:]}"

    @property
    def nsid(self) -> int:
        """Its number as a namespace, the same on all arrays: the serial's last 8 digits (the vendor's own example)."""
        return int(self.serial[-8:], 16)


@dataclass(frozen=True)
class LocalMap:
    """A disk within a node, or one of another kind of array, that multipath has claimed as well.

    Its WWID is what its vendor chose: letters, and sometimes blanks.
    """

    wwid: str
    vendor: str  # vendor and product as `multipath -ll` prints them
    size: int


# Disks that multipath claims beside the arrays', as public bug reports show them.
LOCAL_MAPS = {
    "letters": LocalMap("INTEL_SSDSC2KB240G8_PHYF912345678240AGN", "ATA,INTEL SSDSC2KB24", 240057409536),
    "blanks": LocalMap("1IET     00090001", "IET,VIRTUAL-DISK", 16 * 2**30),
}


@dataclass(frozen=True)
class ScsiPath:
    """One path of a node to a disk, through one portal of one array and one interface of the node."""

    array: str
    portal: str
    lun: int
    serial: str
    optimized: bool
    iface: str = DEFAULT

    @property
    def way(self) -> Way:
        """The session it belongs to."""
        return Way(self.array, self.portal, self.iface)
