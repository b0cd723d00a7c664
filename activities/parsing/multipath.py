"""`multipath -ll`: maps, path groups and paths.

Columns are padded and a checker state may hold a blank (``i/o pending``), so lines are matched, never split.
The first group is not always the active one: read `status`.
"""

import re

from pydantic import BaseModel, ConfigDict

from activities.parsing import reader

_MAP = re.compile(
    r"^(?:(?P<alias>\S+) \((?P<uuid>[0-9a-f]+)\)|(?P<wwid>[0-9a-f]{17,})) (?P<dm>dm-\d+) (?P<product>.*)$"
)
_FEATURES = re.compile(r"^size=(?P<size>\S+) features='[^']*' hwhandler='(?P<handler>[^']*)' wp=(?P<wp>\S+)")
_GROUP = re.compile(r"policy='(?P<policy>[^']*)' prio=(?P<prio>-?\d+) status=(?P<status>\S+)")
_PATH = re.compile(
    r"(?P<host>\d+|#):(?P<channel>\d+|#):(?P<target>\d+|#):(?P<lun>\d+|#)\s+(?P<dev>\S+)\s+\S+\s+"
    r"(?P<dm_state>active|failed|undef)\s+(?P<checker>i/o pending|i/o timeout|\S+)\s+(?P<state>\S+)\s*$"
)


class ScsiPath(BaseModel):
    """One path: its LUN tells the array when the arrays number differently."""

    model_config = ConfigDict(frozen=True)

    device: str
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
    """One multipath device."""

    model_config = ConfigDict(frozen=True)

    wwid: str
    device: str
    size: str
    handler: str
    groups: tuple[PathGroup, ...]

    def usable(self, priority: int, lun: int) -> int:
        """How many usable paths of that priority lead to that LUN."""
        return sum(
            path.usable and path.lun == lun
            for group in self.groups
            if group.priority == priority
            for path in group.paths
        )


@reader
def parse_maps(text: str) -> list[Map]:
    """All maps of a `multipath -ll`; an empty text is no map, which multipath also says of an unknown WWID."""
    maps: list[dict[str, object]] = []
    groups: list[dict[str, object]] = []
    for line in text.splitlines():
        if head := _MAP.match(line):
            groups = []
            name = head["alias"] or head["wwid"]
            maps.append({"wwid": head["uuid"] or head["wwid"], "device": f"/dev/mapper/{name}", "groups": groups})
        elif not maps:
            raise ValueError(f"this line stands before any map: {line!r}")
        elif features := _FEATURES.match(line):
            maps[-1].update(size=features["size"], handler=features["handler"])
        elif group := _GROUP.search(line):
            groups.append({"priority": group["prio"], "status": group["status"], "paths": []})
        elif path := _PATH.search(line):
            _paths_of(groups, line).append(
                ScsiPath(
                    device=path["dev"],
                    lun=None if path["lun"] == "#" else int(path["lun"]),
                    dm_state=path["dm_state"],
                    checker=path["checker"],
                    state=path["state"],
                )
            )
        elif line.strip():
            raise ValueError(f"the line {line!r}")
    return [Map.model_validate(found) for found in maps]


def _paths_of(groups: list[dict[str, object]], line: str) -> list[ScsiPath]:
    if not groups:
        raise ValueError(f"this path stands in no group: {line!r}")
    paths = groups[-1]["paths"]
    assert isinstance(paths, list)  # noqa: S101  # made a list four lines above its only use
    return paths
