"""A node's paths to the pod's volume, which is known by its WWID: arrays number LUNs each for itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from activities.errors import NotFound, Unreachable
from activities.hosts import nvme
from activities.parsing.multipath import Map, parse_maps
from cluster.contracts.hosts import OPTIMIZED
from cluster.transports import Transport
from cluster.volumes import is_namespace, wwid_of

if TYPE_CHECKING:
    from activities.clients.purity import Arrays
    from activities.clients.ssh import Hosts as SshHosts


def volume_wwid(arrays: "Arrays", names: Sequence[str], volume: str, transport: Transport = "iscsi") -> str:
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
        return wwid_of(str(found["serial"]), transport)
    raise Unreachable("no array is known")


async def all_maps(ssh: "SshHosts", node: str, *, limit: float | None = None) -> Sequence[Map]:
    """Every multipath device of the node that has paths as an array's have."""
    return parse_maps(await ssh.read(node, "multipath", "-ll", limit=limit))


async def map_of(ssh: "SshHosts", node: str, wwid: str, *, limit: float | None = None) -> Map | None:
    """The node's device of that WWID with its paths; None where it has none, or multipath has it blacklisted.

    A namespace whose paths the kernel puts together is one as well.
    """
    if is_namespace(wwid) and await nvme.native(ssh, node):
        return await nvme.map_of(ssh, node, wwid, limit=limit)
    return await mapped(ssh, node, wwid, limit=limit)


async def mapped(ssh: "SshHosts", node: str, wwid: str, *, limit: float | None = None) -> Map | None:
    """The node's multipath device of that WWID; None where multipath knows none, or has it blacklisted."""
    answer = await ssh.run(node, "multipath", "-ll", wwid, limit=limit)
    if not answer.ok and not answer.stdout.strip() and not answer.stderr.strip():
        return None  # a blacklisted WWID is an error to multipath, without a word
    return next((found for found in parse_maps(answer.or_rejected().stdout) if found.wwid == wwid), None)


async def usable_paths(ssh: "SshHosts", node: str, wwid: str, lun: int, *, limit: float) -> int:
    """The node's usable optimized paths to the volume at that LUN; none where it does not know it."""
    found = await map_of(ssh, node, wwid, limit=limit)
    return found.usable(OPTIMIZED, lun) if found else 0
