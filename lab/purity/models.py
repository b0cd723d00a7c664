"""One FlashArray: what it is, what it holds, and what it serves to hosts.

The rules of each kind of object live beside it (`pods`, `volumes`, `hosts`, `connections`, `links`); an array is
where they meet. Two arrays share nothing but the link between them and the pods that are stretched over it.
"""

import copy
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from lab.physics.systems import Lun
from lab.purity.errors import Refused
from lab.purity.rules import alerts, connections, links, pods, sessions, volumes
from lab.purity.rules.apiclients import ApiClient
from lab.purity.rules.connections import Connection
from lab.purity.rules.hosts import Group, Host
from lab.purity.rules.links import Link
from lab.purity.rules.names import same
from lab.purity.rules.pods import Pod
from lab.purity.rules.sessions import Session
from lab.purity.rules.volumes import Volume

if TYPE_CHECKING:
    from lab.physics.world import World

# 2.44 is what Purity 6.9 is sure to serve; 2.12 and 2.18 never were (reference: flasharray-rest §1).
VERSIONS = (*(f"1.{minor}" for minor in range(20)), *(f"2.{minor}" for minor in range(45) if minor not in (12, 18)))
PURITY = "6.9.3"
MODEL = "FA-X90R3"
CONTROLLERS = ("CT0", "CT1")
PORTS = ("CT0.ETH4", "CT0.ETH5", "CT1.ETH4", "CT1.ETH5")
FC_PORTS = ("CT0.FC0", "CT0.FC1", "CT1.FC0", "CT1.FC1")
# A destroyed pod or volume can be recovered for a day (reference: flasharray-rest §7).
ERADICATION_DELAY = 86_400.0


@dataclass(frozen=True)
class Identity:
    """What an array got in the factory. `next_serial` makes the seed's volume the first one of array 0.

    `wwn` is how the WWNs of its Fibre Channel ports begin.
    """

    id: str
    iqn: str
    network: str
    next_serial: int
    wwn: str


IDENTITIES = (
    Identity(
        "730d1874-06c1-4775-9b1e-5a3c7d90e2f4",
        "iqn.2010-06.com.purestorage:flasharray.5a8c19e07d2b4f63",
        "10.22.1",
        0x00A7AA92,
        "52:4A:93:70:D1:87:4C",
    ),
    Identity(
        "8c41f0aa-7b52-4e19-8d77-112233445566",
        "iqn.2010-06.com.purestorage:flasharray.13f7c2b96e04d8a5",
        "10.22.2",
        0x0003C1F0,
        "52:4A:93:78:C4:1F:0A",
    ),
)


# Linux joins the paths of one subsystem alone, so the twin's arrays show theirs as one: no public page found says how
# a Purity does it.
SUBSYSTEM = "nqn.2010-06.com.purestorage:flasharray.5a8c19e07d2b4f63"


class Array:
    """One array of the world. Tests and drills set `powered`, `tokens`, `manual_eradication` and `link.status`."""

    def __init__(self, world: "World", name: str, number: int) -> None:
        identity = IDENTITIES[number]
        self.world = world
        self.name = name
        self.number = number
        self.made = world.clock.now()
        self.id = identity.id
        self.network = identity.network
        self.target_iqn = identity.iqn
        nvme = world.inventory.transport == "nvme-tcp"
        self.nqn = SUBSYSTEM if nvme else ""
        self.portals = tuple(f"{identity.network}.{last}:{4420 if nvme else 3260}" for last in range(1, 5))
        self.port_names: tuple[str, ...] = PORTS  # one for each portal
        self.transport = world.inventory.transport
        if self.transport == "fc":  # ports are known by their WWNs, and stand where portals do
            self.port_names = FC_PORTS
            self.portals = tuple(f"{identity.wwn}:{controller}{port}" for controller in (0, 1) for port in (0, 1))
        self.versions, self.purity = VERSIONS, PURITY
        self.serials: dict[str, str] = {}  # of volumes that were made elsewhere, by their full names
        self.tokens: dict[str, str] = {}
        self.sessions: list[Session] = []
        self.api_clients: list[ApiClient] = []
        self.powered = True
        self.lost_controllers: dict[str, float] = {}  # controller -> lab time since which it is gone
        self.flummoxed = False  # what answers at the mediator's name is not its mediator
        self.connection_key = links.new_key()
        self.manual_eradication = "all-enabled"
        self.settings: dict[str, Any] = {
            "banner": "",
            "idle_timeout": 1_800_000,  # ms; 30 minutes is the default
            "ntp_servers": ["10.21.0.10"],
            "scsi_timeout": 60_000,
            "time_zone": "UTC",
            "console_lock_enabled": False,
        }
        self.pods: list[Pod] = []
        self.volumes: list[Volume] = []  # those outside of pods
        self.hosts: list[Host] = []
        self.groups: list[Group] = []
        self.connections: list[Connection] = []
        self.alerts: list[alerts.Alert] = []
        self.authors: dict[int, str] = {}  # change number -> the user whose call made it
        self._link: Link | None = Link(creator=name)
        self._next_serial = identity.next_serial
        world.links.on_change(lambda: alerts.look(self))

    def shared(self) -> list[object]:
        """Logins, which a read may change."""
        return [self.sessions, self.tokens]

    # The arrays are made one after the other, so each finds its peer only when it is asked.

    @property
    def fleet(self) -> dict[str, "Array"]:
        """Both arrays, by name."""
        return arrays_of(self.world)

    @property
    def peer(self) -> "Array":
        """The other array."""
        return next(array for array in self.fleet.values() if array.name != self.name)

    @property
    def link(self) -> Link | None:
        """The connection between both arrays; one object, kept by the first of them."""
        return next(iter(self.fleet.values()))._link

    @link.setter
    def link(self, link: Link | None) -> None:
        next(iter(self.fleet.values()))._link = link

    @property
    def management_address(self) -> str:
        """Where its REST API answers, without the port."""
        return self.world.inventory.array(self.name).address.partition(":")[0]

    @property
    def up(self) -> bool:
        """It has power, and a controller that works."""
        return self.powered and len(self.lost_controllers) < len(CONTROLLERS)

    def controller_of(self, portal: str) -> str:
        """The one that has the port."""
        return self.port_names[self.portals.index(portal)].partition(".")[0]

    def portal_up(self, portal: str) -> bool:
        """Whether a port answers: a lost controller's ports are dark, as the other one has its own."""
        return self.up and self.controller_of(portal) not in self.lost_controllers

    def lose_controller(self, name: str) -> None:
        """One controller fails; with both gone the array is."""
        self._set_controller(name, lost=True)

    def restore_controller(self, name: str) -> None:
        """It is ready again."""
        self._set_controller(name, lost=False)

    def _set_controller(self, name: str, *, lost: bool) -> None:
        if name not in CONTROLLERS:
            raise KeyError(f"{self.name} has no controller {name}: there are {', '.join(CONTROLLERS)}")
        if lost == (name in self.lost_controllers):
            return
        if lost:
            self.lost_controllers[name] = self.now()
        else:
            del self.lost_controllers[name]
        self.record("controller.lost" if lost else "controller.ready", name)
        self.world.links.changed()

    def now(self) -> float:
        """Lab seconds since the epoch."""
        return self.world.clock.now()

    def record(self, what: str, target: str, **detail: Any) -> None:
        """Write a change into the world's log."""
        self.world.record(self.name, what, target, **detail)

    def expire_sessions(self) -> None:
        """Every client has to log in again."""
        sessions.expire(self)

    def known_array(self, name: str, *, sync: bool = False) -> "Array":
        """The array itself or the one it is connected to, by name or id; with `sync`, connected synchronously."""
        linked = self.link is not None and (not sync or self.link.type == links.SYNC)
        for array in (self, self.peer) if linked else (self,):
            if same(array.name, name) or same(array.id, name):
                return array
        raise Refused("Target array could not be found.", name)

    # --- volumes ---

    def all_volumes(self) -> list[Volume]:
        """Those outside of pods, then those of each pod."""
        return [*self.volumes, *(volume for pod in self.pods for volume in pod.volumes)]

    def add_volume(self, name: str, pod: Pod | None, size: int, **fields: Any) -> Volume:
        """A new volume with the next serial of this array."""
        # 16 digits of the id of the array where it was made, 8 of a counter: the same on both arrays of a pod.
        own = f"{self.id.replace('-', '')[:16]}{self._next_serial:08x}".upper()
        self._next_serial += 1
        serial = self.serials.get(f"{pod.name}::{name}" if pod else name, own)
        volume = Volume(str(uuid.uuid4()), name, serial, size, self.now(), pod, **fields)
        (pod.volumes if pod else self.volumes).append(volume)
        self.world.disk(serial, size)
        self.record("volume.create", volume.full_name, serial=serial, provisioned=size)
        return volume

    def copy_volume(self, source: Volume, name: str, pod: Pod | None) -> Volume:
        """A new volume with everything that is written on another one."""
        volume = self.add_volume(name, pod, source.provisioned, source=source)
        disk = replace(copy.deepcopy(self.world.disks[source.serial]), serial=volume.serial, size=volume.provisioned)
        for lv in disk.vg.lvs.values() if disk.vg else ():
            lv.active_on.clear()  # the hosts know nothing of the copy
            lv.open_on.clear()
        self.world.disks[volume.serial] = disk
        return volume

    def written(self, of: Iterable[Volume]) -> int:
        """Bytes that hosts have put to use on volumes: their logical volumes."""
        groups = (self.world.disks[volume.serial].vg for volume in of)
        return sum(lv.size for group in groups if group is not None for lv in group.lvs.values())

    # --- connections ---

    def connections_of(self, volume: Volume) -> list[Connection]:
        """A volume's connections on all arrays that have it."""
        return [one for array in self.fleet.values() for one in array.connections if one.volume is volume]

    def drop_connection(self, connection: Connection) -> None:
        """Take one away."""
        self.connections.remove(connection)
        kind = "host" if connection.host is not None else "host_group"
        self.record("connection.delete", connection.volume.full_name, **{kind: connection.target}, lun=connection.lun)

    def serves(self, volume: Volume) -> bool:
        """Whether hosts get answers for it here: while the pod is online on this array, or suspended for a moment."""
        if not self.up or volume.destroyed:
            return False
        mirror = volume.pod.mirror if volume.pod else None
        return mirror is None or mirror.serves(self.name)

    def luns_of(self, initiator: str) -> list[Lun]:
        """The LUNs that the host with that initiator gets on this array, in their order.

        A preference chooses between the two copies of a pod: what lies on this array alone is optimized here always.
        """
        host = next((host for host in self.hosts if host.known_by(initiator)), None)
        if host is None:
            return []
        served = [one for one in connections.of_host(self, host) if self.serves(one.volume)]
        preferred = host.optimized_on(self.name)
        return [
            Lun(one.number(host), one.volume.serial, optimized=preferred or one.volume.pod is None)
            for one in sorted(served, key=lambda one: one.lun)
        ]

    def credentials(self, iqn: str) -> tuple[str, str] | None:
        """What the host with that initiator must log in with (CHAP); None where no user is set for it."""
        host = next((host for host in self.hosts if any(same(one, iqn) for one in host.iqns)), None)
        if host is None or not host.chap["host_user"]:
            return None
        return host.chap["host_user"], host.secret

    # --- the end of what was destroyed ---

    def time_remaining(self, destroyed_at: float | None) -> int | None:
        """Milliseconds until a destroyed object is gone."""
        if destroyed_at is None:
            return None
        return max(0, round((destroyed_at + ERADICATION_DELAY - self.now()) * 1000))

    def sweep(self) -> None:
        """Eradicate what was destroyed longer ago than the delay."""
        for pod in [pod for pod in self.pods if self.time_remaining(pod.destroyed_at) == 0]:
            pods.forget(self, pod)
        for volume in list(self._overdue()):
            volumes.forget(self, volume)

    def _overdue(self) -> Iterator[Volume]:
        return (volume for volume in self.all_volumes() if self.time_remaining(volume.destroyed_at) == 0)


def arrays_of(world: "World") -> dict[str, Array]:
    """The arrays of that world, by name."""
    return cast("dict[str, Array]", world.arrays)
