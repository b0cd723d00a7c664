"""LVM's reports as JSON, and what `wipefs --no-act` says of a device."""

from pydantic import BaseModel, ConfigDict

from activities.parsing import reader


class VolumeGroup(BaseModel):
    """A volume group on one physical volume; sizes in bytes."""

    model_config = ConfigDict(frozen=True)

    name: str
    device: str
    size: int
    free: int


class _Row(BaseModel):
    vg_name: str
    pv_name: str
    vg_size: int
    vg_free: int


class _Volume(BaseModel):
    lv_name: str
    lv_attr: str


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


@reader
def parse_active(text: str) -> dict[str, bool]:
    """`lvs --reportformat json -o lv_name,lv_attr`: the volumes that are active on this very host (attribute 5).

    True when it is open as well (attribute 6): somebody uses it.
    """
    if not text.strip():
        return {}
    reports = _VolumeReports.model_validate_json(text).report
    rows = [row for report in reports for kind in report.values() for row in kind]
    known = {row.lv_name: row.lv_attr for row in rows if len(row.lv_attr) > 5}
    return {name: attributes[5] == "o" for name, attributes in known.items() if attributes[4] == "a"}
