"""`multipath -ll`: maps, path groups and paths.

Columns are padded and a checker state may hold a blank (``i/o pending``), so lines are matched, never split.
The first group is not always the active one: read `status`.
A host has other disks too, whose names and lines are not ours to know: what cannot be read of a foreign map leaves out
that map alone.
"""

import re

from pydantic import BaseModel, ConfigDict, ValidationError

from activities.parsing import reader

# A name is an alias, or the WWID itself; a WWID may hold blanks (``1IET     00080001``).
_HEAD = re.compile(r"^(?P<name>[^\s|`].*?) (?P<dm>dm-\d+)(?: (?P<product>.*))?$")
# NVMe with the kernel's own multipathing is listed beside the maps and is none.
_NATIVE = re.compile(r"^[^\s|`]\S* \[\w+\]:\S+ ")
# What multipath has to say about its configuration, or about a device: ``Mar 03 02:11:09 | …``.
_REMARK = re.compile(r"^[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d \| |^\d+\.\d+ \| ")
_FEATURES = re.compile(r"^size=(?P<size>\S+) features='[^']*' hwhandler='(?P<handler>[^']*)' wp=(?P<wp>\S+)")
_GROUP = re.compile(r"policy='(?P<policy>[^']*)' prio=(?P<prio>-?\d+) status=(?P<status>\S+)")
_PATH = re.compile(
    r"(?P<host>\d+|#):(?P<channel>\d+|#):(?P<target>\d+|#):(?P<lun>\d+|#)\s+(?P<dev>\S+)\s+\S+\s+"
    r"(?P<dm_state>active|failed|undef)\s+(?P<checker>i/o pending|i/o timeout|\S+)\s+(?P<state>\S+)\s*$"
)
# How a volume of these arrays looks from a host: NAA identifier and SCSI vendor (reference: flasharray-rest §6.3).
_VENDORS, _NAA = ("PURE,", "NVME,Pure "), "3624a9370"
_NGUID = re.compile(r"eui\.00[0-9a-f]{14}24a937[0-9a-f]{10}")


def is_ours(wwid: str) -> bool:
    """The WWID is one of these arrays'."""
    return wwid.startswith(_NAA) or _NGUID.fullmatch(wwid) is not None


class ScsiPath(BaseModel):
    """One path: its LUN tells the array when the arrays number differently."""

    model_config = ConfigDict(frozen=True)

    device: str
    place: str = ""  # SCSI host, channel and target: ``2:0:1``
    lun: int | None
    dm_state: str
    checker: str
    state: str

    @property
    def usable(self) -> bool:
        """Device mapper uses it and the checker finds it ready."""
        return self.dm_state == "active" and self.checker == "ready" and self.state == "running"


class PathGroup(BaseModel):
    """Paths of one priority."""

    model_config = ConfigDict(frozen=True)

    priority: int
    status: str
    paths: tuple[ScsiPath, ...]


class Map(BaseModel):
    """One multipath device; `device` is the name that LVM is given, `dm` the kernel's."""

    model_config = ConfigDict(frozen=True)

    wwid: str
    device: str
    dm: str
    size: str
    handler: str
    groups: tuple[PathGroup, ...]

    def usable(self, priority: int, lun: int) -> int:
        """How many usable paths of that priority lead to that LUN; 0 means any: a namespace has one number for all."""
        return sum(
            path.usable and lun in (0, path.lun)
            for group in self.groups
            if group.priority == priority
            for path in group.paths
        )

    @property
    def disks(self) -> frozenset[str]:
        """The single disks below it: ``/dev/sdc``."""
        return frozenset(f"/dev/{path.device}" for group in self.groups for path in group.paths)

    def names(self, device: str) -> bool:
        """The device is this map, by whichever of its names in /dev."""
        own = {self.device, f"/dev/mapper/{self.wwid}", f"/dev/{self.dm}"}
        # udev's links: dm-uuid-mpath-WWID, dm-name-ALIAS, wwn-0x… (without the identifier's type digit), scsi-WWID
        ends = (f"mpath-{self.wwid}", f"dm-name-{self.device.rsplit('/', 1)[-1]}", f"wwn-0x{self.wwid[1:]}")
        more = (f"dm-uuid-mpath-{self.wwid}", f"scsi-{self.wwid}", f"nvme-{self.wwid}")
        by_id = (f"/dev/disk/by-id/{end}" for end in (*ends, *more))
        return device in own or device in by_id


class _Found:
    """A map while it is read. `foreign`: no volume of our arrays, so that it may hold what cannot be read."""

    def __init__(self, wwid: str, device: str, dm: str, product: str) -> None:
        self.foreign = not (product.startswith(_VENDORS) or is_ours(wwid))
        self._told: dict[str, object] = {"wwid": wwid, "device": device, "dm": dm}
        self._groups: list[dict[str, object]] = []
        self._paths: list[ScsiPath] = []
        self._odd = False

    @classmethod
    def of(cls, head: re.Match[str]) -> "_Found":
        """From its first line."""
        name = wwid = head["name"]
        alias, apart, rest = name.partition(" (")  # ``ALIAS (WWID)``, or the WWID alone
        if apart and rest.endswith(")") and len(rest) > 1:
            name, wwid = alias, rest[:-1]
        return cls(wwid, f"/dev/mapper/{name}", head["dm"], head["product"] or "")

    def add(self, line: str) -> None:
        """One more line of it."""
        if features := _FEATURES.match(line):
            self._told.update(size=features["size"], handler=features["handler"])
        elif group := _GROUP.search(line):
            self._paths = []
            self._groups.append({"priority": group["prio"], "status": group["status"], "paths": self._paths})
        elif (path := _PATH.search(line)) and self._groups:
            self._paths.append(
                ScsiPath(
                    device=path["dev"],
                    place=f"{path['host']}:{path['channel']}:{path['target']}",
                    lun=None if path["lun"] == "#" else int(path["lun"]),
                    dm_state=path["dm_state"],
                    checker=path["checker"],
                    state=path["state"],
                )
            )
        elif self.foreign:
            self._odd = True
        elif path:
            raise ValueError(f"this path stands in no group: {line!r}")
        else:
            raise ValueError(f"the line {line!r}")

    def map(self) -> Map | None:
        """The whole of it; None for a foreign one that cannot be read."""
        try:
            return None if self._odd else Map.model_validate({**self._told, "groups": self._groups})
        except ValidationError:
            if self.foreign:
                return None
            raise


@reader
def parse_maps(text: str) -> list[Map]:
    """All maps of a `multipath -ll`; an empty text is no map, which multipath also says of an unknown WWID.

    A volume of the arrays is read in full or refused; a foreign map that cannot be read is left out.
    """
    maps: list[_Found] = []
    native = False
    for line in text.splitlines():
        if not line.strip() or _REMARK.match(line):
            continue
        if _NATIVE.match(line):
            native = True
        elif not line.startswith("size=") and (head := _HEAD.match(line)):
            native = False
            maps.append(_Found.of(head))
        elif native:
            continue
        elif not maps:
            raise ValueError(f"this line stands before any map: {line!r}")
        else:
            maps[-1].add(line)
    return [found for found in (one.map() for one in maps) if found is not None]
