"""LVM's reports as JSON, and what `wipefs --no-act` says of a device."""

from pydantic import BaseModel, ConfigDict

from activities.parsing import reader


class VolumeGroup(BaseModel):
    """A volume group on one of its physical volumes, in sizes of bytes; one that is missing is ``[unknown]``."""

    model_config = ConfigDict(frozen=True)

    name: str
    device: str
    size: int
    free: int


class Volume(BaseModel):
    """A logical volume on one host: its mapping exists there, and something has it open. None: LVM does not know."""

    model_config = ConfigDict(frozen=True)

    name: str
    active: bool | None
    open: bool | None


class _Row(BaseModel):
    vg_name: str
    pv_name: str
    vg_size: int
    vg_free: int


class _Volume(BaseModel):
    lv_name: str
    lv_attr: str


class _Autoactivation(BaseModel):
    lv_name: str
    lv_autoactivation: str


class _AutoactivationReports(BaseModel):
    report: list[dict[str, list[_Autoactivation]]]


class _VolumeReports(BaseModel):
    report: list[dict[str, list[_Volume]]]


class _Reports(BaseModel):
    report: list[dict[str, list[_Row]]]


@reader
def parse_volume_groups(text: str) -> list[VolumeGroup]:
    """`vgs --reportformat json --units b --nosuffix -o vg_name,pv_name,vg_size,vg_free`.

    No output and exit status 0 can also mean that every path has failed: the caller must know the device is there.
    """
    if not text.strip():
        return []
    # the key is "vg" or "pv": LVM names a report by the finest kind of column in it
    reports = _Reports.model_validate_json(text).report
    rows = [row for report in reports for kind in report.values() for row in kind]
    return [VolumeGroup(name=row.vg_name, device=row.pv_name, size=row.vg_size, free=row.vg_free) for row in rows]


@reader
def parse_signatures(text: str) -> list[str]:
    """The types of what is written on a device (``LVM2_member``, ``ext4``); empty for a blank one."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    table = [row for row in rows if row[0] != "DEVICE"]
    for row in table:
        if len(row) < 3 or not row[1].startswith("0x"):  # passed over, the device would count as blank
            raise ValueError(repr(" ".join(row)[:80]))
    return [row[2] for row in table]


# lv_attr 5, the state of the mapping on this host (lvs(8)): none of it, and a volume that is only remembered.
_UNMAPPED = "-h"
# Each of these is a mapping that exists on this host; the second kind is suspended or has no table: it is in the middle
# of a change that somebody makes, and counts as open whatever the count says.
_MAPPED, _CHANGING = "aImc", "sSMCdi"
_OPEN = {"-": False, "o": True}
_DOUBTS = (False, None, True)


@reader
def parse_volumes(text: str) -> list[Volume]:
    """`lvs --reportformat json -o lv_name,lv_attr`: all volumes, active on this very host or not."""
    if not text.strip():
        return []
    reports = _VolumeReports.model_validate_json(text).report
    return [_volume(row) for report in reports for kind in report.values() for row in kind]


def _volume(row: _Volume) -> Volume:
    if len(row.lv_attr) < 6:
        raise ValueError(f"lv_attr {row.lv_attr!r} of {row.lv_name}")
    state, device = row.lv_attr[4], row.lv_attr[5]
    if state in _UNMAPPED:
        return Volume(name=row.lv_name, active=False, open=False)
    if state in _CHANGING:
        return Volume(name=row.lv_name, active=True, open=True)
    if state in _MAPPED:
        return Volume(name=row.lv_name, active=True, open=_OPEN.get(device))
    return Volume(name=row.lv_name, active=None, open=None)


@reader
def parse_active(text: str) -> dict[str, bool | None]:
    """The volumes that may be active on this host: true when open as well, None when LVM does not know."""
    found: dict[str, bool | None] = {}
    for one in parse_volumes(text):
        if one.active is not False:  # two groups of one name may have a volume of one name: the worst of them counts
            found[one.name] = max(one.open, found.get(one.name, False), key=_DOUBTS.index)
    return found


@reader
def parse_autoactivated(text: str) -> tuple[str, ...]:
    """`lvs --reportformat json -o lv_name,lv_autoactivation`: the volumes that are activated wherever they are seen."""
    if not text.strip():
        return ()
    reports = _AutoactivationReports.model_validate_json(text).report
    rows = [row for report in reports for kind in report.values() for row in kind]
    return tuple(row.lv_name for row in rows if row.lv_autoactivation not in _NOT)


# Empty, and what `--binary` prints.
_NOT = ("", "0")
