"""Connections: which host gets which volume, and under which LUN. Each array numbers for itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from lab.purity.errors import Refused
from lab.purity.rules import hosts, volumes

if TYPE_CHECKING:
    from lab.purity.models import Array
    from lab.purity.rules.hosts import Group, Host
    from lab.purity.rules.volumes import Volume

# 1 to 4095; hosts count up from 1, groups down from 254 and then up from 255 (reference: flasharray-rest §5.8).
LARGEST = 4095


@dataclass(eq=False)
class Connection:
    """A volume connected to one host, or to a group and so to each of its members."""

    volume: "Volume"
    lun: int
    host: "Host | None" = None
    group: "Group | None" = None

    def number(self, host: "Host | None") -> int:
        """As that host sees it: a LUN, or a namespace's number, which is the volume's own."""
        return int(self.volume.serial[-8:], 16) if host is not None and host.nqns else self.lun

    @property
    def target(self) -> str:
        """The name of the host or group."""
        named = self.host or self.group
        return named.name if named else ""


def of_host(array: "Array", host: "Host") -> list[Connection]:
    """What a host gets: its own connections and those of its group."""
    return [
        one for one in array.connections if one.host is host or (host.group is not None and one.group is host.group)
    ]


def _receivers(array: "Array", connection: Connection) -> "list[Host]":
    if connection.host is not None:
        return [connection.host]
    return hosts.members(array, connection.group) if connection.group is not None else []


def rows(array: "Array", connection: Connection) -> "list[Host | None]":
    """One row a host; a group without hosts has one row without."""
    return list(_receivers(array, connection)) or [None]


def create(array: "Array", pairs: "list[Connection]", body: dict[str, Any]) -> list[Connection]:
    """Connect them all, or none; `pairs` are connections that have no LUN yet."""
    lun = body.get("lun")
    if lun is not None and (not isinstance(lun, int) or not 1 <= lun <= LARGEST):
        raise Refused("Invalid LUN.", str(lun))
    made: list[Connection] = []
    for pair in pairs:
        taken = _taken(array, pair) | {one.lun for one in made}
        if lun is not None and lun in taken:
            raise Refused(f"LUN {lun} is already in use.", pair.target)
        pair.lun = lun or _free(pair, taken)
        made.append(pair)
    for pair in made:
        array.connections.append(pair)
        array.record("connection.create", pair.volume.full_name, **{_kind(pair): pair.target}, lun=pair.lun)
    return made


def pairs(array: "Array", volume_names: list[str], host_names: list[str], group_names: list[str]) -> list[Connection]:
    """The connections that names ask for, none of which may be there already."""
    found = []
    for volume_name in volume_names:
        volume = volumes.named(array, volume_name, live=True)
        candidates = [Connection(volume, 0, host=hosts.named(array, name)) for name in host_names]
        candidates += [Connection(volume, 0, group=hosts.group_named(array, name)) for name in group_names]
        for candidate in candidates:
            if _there(array, candidate):
                raise Refused("Connection already exists.", volume.full_name)
        found += candidates
    return found


def _there(array: "Array", wanted: Connection) -> bool:
    """The volume reaches one of the hosts already, or this very group."""
    if any(one.volume is wanted.volume and one.group is wanted.group for one in array.connections if one.group):
        return True
    receivers = _receivers(array, wanted)
    return any(one.volume is wanted.volume for host in receivers for one in of_host(array, host))


def _kind(connection: Connection) -> str:
    return "host" if connection.host is not None else "host_group"


def _taken(array: "Array", wanted: Connection) -> set[int]:
    """LUNs that are not free for every host that would get this one."""
    taken = {one.lun for host in _receivers(array, wanted) for one in of_host(array, host)}
    return taken | {one.lun for one in array.connections if wanted.group is not None and one.group is wanted.group}


def _free(wanted: Connection, taken: set[int]) -> int:
    upward: Iterable[int] = range(1, LARGEST + 1)
    order = upward if wanted.host is not None else chain(range(254, 0, -1), range(255, LARGEST + 1))
    for lun in order:
        if lun not in taken:
            return lun
    raise Refused("LUN limit reached.", wanted.target)


def delete(array: "Array", volume_names: list[str], host_names: list[str], group_names: list[str]) -> None:
    """Take connections away, all or none of them."""
    gone = []
    for volume_name in volume_names:
        volume = volumes.named(array, volume_name)
        for kind, names in (("host", host_names), ("group", group_names)):
            for name in names:
                wanted = hosts.named(array, name) if kind == "host" else hosts.group_named(array, name)
                found = [one for one in array.connections if one.volume is volume and getattr(one, kind) is wanted]
                if not found:
                    raise Refused("Connection does not exist.", volume.full_name)
                gone += found
    for connection in gone:
        array.drop_connection(connection)
