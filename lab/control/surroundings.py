"""What stands around the cluster that the inventory describes, and what has been changed beside it: parts of faults.

Other clusters on the same witness, multipath maps under other names or of other disks, another volume at a LUN that one
knows from elsewhere, a right that somebody took back, a backup that runs just now. None of it is broken by itself.
"""

from typing import TYPE_CHECKING, Any

from lab.control.parts import Boots, Part, turned
from lab.control.places import Unfit
from lab.physics.disks import LOCAL_MAPS
from lab.purity import responses
from lab.purity.errors import Refused
from lab.purity.queries import Query
from lab.pve.responses import backups

if TYPE_CHECKING:
    from lab.physics.world import Host
    from lab.world import World

# A neighbour has as many nodes as this unless it is said: enough that its ids are also ours.
NEIGHBOUR_NODES = 4

_BESIDE_SIZE = 2 * 2**40


def right(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A privilege of the engine's token, wherever it has it; what it had at each path comes back there."""
    cluster, token = world.cluster, world.inventory.api.token_id
    paths = cluster.access.acl.holding("token", token, where[0])

    def give() -> None:
        for path in paths:
            cluster.access.acl.add("token", token, where[0], path)

    return [
        Part(
            f"{where[0]} of {token}",
            gone=lambda: not cluster.access.acl.holding("token", token, where[0]),
            take=lambda: cluster.drop_privilege(token, where[0]),
            give=give,
        )
    ]


def backup(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A job's time has come, once; one that is off does not run."""

    def run() -> None:
        backups.run(world.cluster, where[0])

    return [Part(f"backup job {where[0]}", gone=lambda: False, take=run, give=lambda: None)]


def neighbour(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """Another cluster's nodes as clients of the witness."""
    name, nodes = where[0], int(float(where[1])) if len(where) > 1 else NEIGHBOUR_NODES
    if name == world.inventory.name:
        raise Unfit(f"'{name}' is the name of this cluster: the witness would take both for one")
    before = world.neighbours.get(name)

    def take() -> None:
        world.neighbours[name] = nodes

    def give() -> None:
        world.neighbours.pop(name, None)
        if before is not None:
            world.neighbours[name] = before

    return [Part(f"cluster {name}", gone=lambda: False, take=take, give=give)]


def friendly_names(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """Multipath's own short names, on one node or on all."""
    return [_friendly(world.nodes[name]) for name in (where or tuple(world.nodes))]


def _friendly(host: "Host") -> Part:
    return turned(f"WWIDs as names on {host.name}", host, "friendly_names", off=True)


def alias(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """An alias of the pod's volume in every node's multipath.conf, the same on all."""
    name = where[0]
    parts = []
    for host in world.nodes.values():
        before = dict(host.aliases)

        def take(host: "Host" = host) -> None:
            name_volume(world, host, name)

        def give(host: "Host" = host, before: dict[str, str] = before) -> None:
            host.aliases = before

        parts.append(Part(f"alias {name} on {host.name}", gone=lambda: False, take=take, give=give))
    return parts


def name_volume(world: "World", host: "Host", name: str) -> None:
    """An alias of the pod's volume in a node's multipath.conf."""
    host.aliases |= {world.disks[serial].wwid: name for serial in _serials(world)}


def _serials(world: "World") -> list[str]:
    """The serials of the pod's volumes."""
    disk = world.inventory.disks[0]  # an alias is of one volume
    first = world.arrays[disk.pod.first]
    found = [volume.serial for volume in first.all_volumes() if volume.full_name == disk.volume_name]
    if not found:
        raise Unfit(f"there is no volume {disk.volume_name} yet: build the cluster first")
    return [serial for serial in found if serial in world.disks]


def local_map(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A disk that multipath has claimed though it has one path."""
    host, found = world.nodes[where[0]], LOCAL_MAPS[where[1]]
    return [
        Part(
            f"{found.wwid} on {host.name}",
            gone=lambda: found in host.local_maps,
            take=lambda: host.local_maps.append(found),
            give=lambda: host.local_maps.remove(found),
        )
    ]


def volume_beside(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A volume of one array, in no pod, that the nodes see at a LUN of that array's own counting."""
    array, number = where[0], int(float(where[1]))
    name = f"beside-{number}"

    def there() -> bool:
        return any(one.full_name == name for one in world.arrays[array].all_volumes())

    return [
        Part(
            f"{name} of {array}",
            gone=there,
            take=lambda: present(world, array, name, number),
            give=lambda: _withdraw(world, array, name),
        )
    ]


def present(world: "World", array: str, name: str, lun: int, *, size: int = _BESIDE_SIZE) -> None:
    """Make a volume, connect it to the array's host group at a LUN, and let every node find and map it."""
    group = world.inventory.array(array).host_group
    try:
        _call(world, array, responses.post_volumes, {"provisioned": size}, names=name)
        sides = {"host_group_names": group, "volume_names": name}
        _call(world, array, responses.post_connections, {"lun": lun}, **sides)
    except Refused as error:
        raise Unfit(f"{array} refuses a volume at LUN {lun}: {error}; is the cluster built?") from None
    serial = next(one.serial for one in world.arrays[array].all_volumes() if one.full_name == name)
    for host in world.nodes.values():
        for way in host.sessions:
            if way.array == array:
                world.scan(host.name, way)
        host.wwids.add(world.disk(serial, size).wwid)


def _withdraw(world: "World", array: str, name: str) -> None:
    serial = next(one.serial for one in world.arrays[array].all_volumes() if one.full_name == name)
    group = world.inventory.array(array).host_group
    _call(world, array, responses.delete_connections, host_group_names=group, volume_names=name)
    _call(world, array, responses.patch_volumes, {"destroyed": True}, names=name)
    _call(world, array, responses.delete_volumes, names=name)
    for host in world.nodes.values():
        host.scanned = {key: path for key, path in host.scanned.items() if path.serial != serial}
        host.wwids.discard(world.disks[serial].wwid)


def _call(world: "World", array: str, write: responses.Write, body: dict[str, Any] | None = None, **query: str) -> None:
    write(responses.Call(world.arrays[array], Query(query), body or {}))
