"""A node's paths to the volumes where multipathd joins them, judged as the proof of a deployment judges them."""

from collections.abc import Sequence

from activities.hosts import fibre, seen
from activities.parsing.multipath import Map
from cluster.contracts.hosts import ArrayPaths, PathsWish
from cluster.doctor.arrays import ArrayTold, wwids
from cluster.doctor.check import Unread
from cluster.doctor.storage import Joined
from cluster.fabric import Fabric
from cluster.inventory import Inventory
from cluster.plan import Mode
from cluster.sessions import Session

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
    local = inventory.site_of(node).array
    wish = PathsWish(
        mode=Mode.PLAN,
        node=node,
        wwid=None,
        arrays=tuple(
            ArrayPaths(
                array=one.name,
                iqn=one.iqn,
                portals=one.portals,
                lun=ANY,
                optimized=one.name == local,
                wwns=one.wwns,
            )
            for one in sorted(arrays, key=lambda one: one.name != local)
        ),
        wwns=inventory.node(node).wwns,
    )
    known = wwids(arrays)
    looks = {wwid: _look(next((one for one in maps if one.wwid == wwid), None), ways) for wwid in known}
    wrong = {wwid: look.wrong(wish.model_copy(update={"wwid": wwid})) for wwid, look in looks.items()}
    usable = [tuple(map(look.usable, wish.arrays)) for look in looks.values()]
    near, far = usable[0] if usable else (0, 0)
    return Joined(near=near, far=far, wrong={wwid: said for wwid, said in wrong.items() if said})


def _look(found: Map | None, ways: tuple[Session, ...] | Fabric) -> seen.Seen | fibre.Seen:
    return fibre.Seen(found, ways) if isinstance(ways, Fabric) else seen.Seen(found, ways)
