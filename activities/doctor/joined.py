"""A node's paths to the volumes where multipathd joins them, judged as the proof of a deployment judges them."""

from collections.abc import Sequence

from activities.hosts import fibre, seen
from activities.parsing.multipath import Map
from cluster.contracts.hosts import PathsWish
from cluster.contracts.purity import ArrayFinding
from cluster.doctor.arrays import ArrayTold, wwids
from cluster.doctor.check import Unread
from cluster.doctor.storage import Joined
from cluster.fabric import Fabric
from cluster.inventory import Inventory
from cluster.plan import Mode
from cluster.sessions import Session
from cluster.wishes import Wishes

# Each array numbers LUNs for itself, and the doctor knows a volume's map by its WWID: any number will do.
ANY = 0


def joined(
    inventory: Inventory,
    node: str,
    arrays: Sequence[ArrayTold],
    maps: Sequence[Map] | Unread,
    ways: tuple[Session, ...] | Fabric | Unread,
) -> Joined | Unread | None:
    """What the node has of every volume through its sessions or HBAs; None where an array has not told its side."""
    if isinstance(maps, Unread):
        return maps
    if isinstance(ways, Unread):
        return ways
    if len(arrays) < len(inventory.arrays):
        return None
    wish = _wish(inventory, node, arrays)
    there = {one.wwid: one for one in maps}
    looks = {wwid: _look(there.get(wwid), ways) for wwid in wwids(arrays)}
    wrong = {wwid: look.wrong(wish.model_copy(update={"wwid": wwid})) for wwid, look in looks.items()}
    first = next(iter(looks.values()), None)
    near, far = map(first.usable, wish.arrays) if first else (0, 0)
    return Joined(near=near, far=far, wrong={wwid: said for wwid, said in wrong.items() if said})


def _wish(inventory: Inventory, node: str, arrays: Sequence[ArrayTold]) -> PathsWish:
    """What a deployment would want of the node, for a volume of any number."""
    found = {
        one.name: ArrayFinding(
            finding=one.name, version=one.purity, target_iqn=one.iqn, portals=one.portals, wwns=one.wwns
        )
        for one in arrays
    }
    wish = Wishes(inventory.disks[0], Mode.PLAN).paths(node, found, None)
    return wish.model_copy(update={"arrays": tuple(one.model_copy(update={"lun": ANY}) for one in wish.arrays)})


def _look(found: Map | None, ways: tuple[Session, ...] | Fabric) -> seen.Seen | fibre.Seen:
    return fibre.Seen(found, ways) if isinstance(ways, Fabric) else seen.Seen(found, ways)
