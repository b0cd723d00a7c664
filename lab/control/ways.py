"""Faults of a node's way to the arrays that nobody notices before it matters."""

from typing import TYPE_CHECKING

from lab.control.parts import Boots, Part
from lab.physics import nvme
from lab.physics.initiator import LOGIN

if TYPE_CHECKING:
    from lab.physics.world import Host
    from lab.world import World

_CONF = "/etc/multipath/conf.d/queues.conf"
_QUEUES = "defaults {\n    no_path_retry queue\n}\n"
_SMALL = 1500


def queues(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A file of multipath's that makes I/O wait for ever."""
    host = world.nodes[where[0]]

    def take() -> None:
        host.files[_CONF] = _QUEUES
        host.settings = host.multipath_files()

    def give() -> None:
        host.files.pop(_CONF, None)
        host.settings = host.multipath_files()

    return [Part(f"multipath of {host.name} queues", gone=lambda: _CONF in host.files, take=take, give=give)]


def by_hand(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """The unit that logs in, or connects, at boot does not boot along."""
    host: Host = world.nodes[where[0]]
    unit = nvme.UNIT if nvme.used(world) else LOGIN
    return [
        Part(
            f"logins of {host.name} at boot",
            gone=lambda: unit in host.disabled,
            take=lambda: host.disabled.add(unit),
            give=lambda: host.disabled.discard(unit),
        )
    ]


def small_packets(world: "World", where: tuple[str, ...], _: Boots) -> list[Part]:
    """A switch on the way to a portal takes no large packets."""
    portal = world.arrays[where[0]].portals[int(where[1])]

    def give() -> None:
        world.fabric_mtu.pop(portal, None)

    return [
        Part(
            f"large packets to {portal}",
            gone=lambda: portal in world.fabric_mtu,
            take=lambda: world.fabric_mtu.update({portal: _SMALL}),
            give=give,
        )
    ]
