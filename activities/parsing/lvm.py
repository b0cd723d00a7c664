"""LVM's reports as JSON, and what `wipefs --no-act` says of a device."""

import json

from pydantic import BaseModel, ConfigDict


class VolumeGroup(BaseModel):
    """A volume group on one physical volume; sizes in bytes."""

    model_config = ConfigDict(frozen=True)

    name: str
    device: str
    size: int
    free: int


def parse_volume_groups(text: str) -> list[VolumeGroup]:
    """`vgs --reportformat json --units b --nosuffix -o vg_name,pv_name,vg_size,vg_free`.

    No output and exit status 0 can also mean that every path has failed: the caller must know the device is there.
    """
    if not text.strip():
        return []
    # the key is "vg" or "pv": LVM names a report by the finest kind of column in it
    rows = [row for report in json.loads(text)["report"] for kind in report.values() for row in kind]
    return [
        VolumeGroup(name=row["vg_name"], device=row["pv_name"], size=row["vg_size"], free=row["vg_free"])
        for row in rows
    ]


def parse_signatures(text: str) -> list[str]:
    """The types of what is written on a device (``LVM2_member``, ``ext4``); empty for a blank one."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    return [row[2] for row in rows if len(row) > 2 and row[1].startswith("0x")]
