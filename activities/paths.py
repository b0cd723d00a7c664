"""A node's paths to the pod's volume, which is known by its WWID: arrays number LUNs each for itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from activities.errors import NotFound, Unreachable
from activities.parsing.multipath import parse_maps

if TYPE_CHECKING:
    from activities.clients.purity import Arrays
    from activities.clients.ssh import Hosts as SshHosts

# The NAA prefix of every FlashArray volume, before its serial number (reference: flasharray-rest §6.3).
VENDOR = "3624a9370"
OPTIMIZED = 50  # multipath's priority of the paths that ALUA calls optimized


def wwid_of(serial: str) -> str:
    """What hosts call the volume of that serial number."""
    return f"{VENDOR}{serial.lower()}"


def volume_wwid(arrays: "Arrays", names: Sequence[str], volume: str) -> str:
    """The volume's WWID, from the first of these arrays that answers: both have the same one."""
    for number, name in enumerate(names, start=1):
        try:
            found = arrays[name].volume(volume)
        except Unreachable:
            if number == len(names):
                raise
            continue
        if found is None or not found.get("serial"):
            raise NotFound(f"{name}: there is no volume {volume}; compare pod.name and pod.volumes with the array")
        return wwid_of(str(found["serial"]))
    raise Unreachable("no array is known")


async def usable_paths(ssh: "SshHosts", node: str, wwid: str, lun: int, *, limit: float) -> int:
    """The node's usable optimized paths to the volume at that LUN; none where multipath does not know it."""
    maps = parse_maps(await ssh.read(node, "multipath", "-ll", wwid, limit=limit))
    return next((found.usable(OPTIMIZED, lun) for found in maps if found.wwid == wwid), 0)
