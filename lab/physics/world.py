"""The physics under the twin: power, links, disks, votes and time.

Every API of the twin answers from this one model, so that no two of them can contradict each other.
What stands on it (arrays, the PVE cluster) is put there by `lab.world`; what each of them *says* is their own affair.
"""

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cluster.inventory import Inventory
from lab.physics import fabric, nvme
from lab.physics.clock import Clock
from lab.physics.disks import Disk, LocalMap, ScsiPath, VolumeGroup, letters
from lab.physics.faults import Faults
from lab.physics.initiator import PREPARED, NodeRecord, Way
from lab.physics.links import THIRD, Links
from lab.physics.membership import Membership, Votes
from lab.physics.nvme import Fabric
from lab.physics.systems import Lun, NodeCluster, StorageArray

Known = TypeVar("Known")

# Lab seconds one API call or host command takes to answer: a management API's usual 20 to 80 ms.
LATENCY = (0.020, 0.080)

# What Debian and Proxmox VE bring along on a node that was prepared for this design.
NODE_PACKAGES = ("corosync", "corosync-qdevice", "lvm2", "multipath-tools", "open-iscsi", "pve-manager")
WITNESS_PACKAGES = ("corosync-qnetd",)
# For how long every host has been up when the world begins, seconds: the article's node had so much.
UP_BEFORE = 866201


@dataclass
class Host:
    """A machine: one of the nodes, or the witness."""

    name: str
    address: str
    site: str
    node_id: int = 0
    iqn: str = ""
    nvme: Fabric = field(default_factory=Fabric)
    hbas: tuple[str, ...] = ()  # the WWPNs of its HBA ports, where it reaches the arrays over Fibre Channel
    powered: bool = True
    starting: bool = False  # it has been reset: it has power, and nothing on it runs yet
    packages: set[str] = field(default_factory=set)
    versions: dict[str, str] = field(default_factory=dict)  # of packages, where they differ from the usual ones
    rings: tuple[str, ...] = ()  # addresses on corosync's rings, where they differ from the usual ones
    ifaces: tuple[str, ...] = ()  # iSCSI interfaces that are bound to network cards; none is the default one
    records: dict[Way, NodeRecord] = field(default_factory=dict)  # of open-iscsi
    sessions: dict[Way, int] = field(default_factory=dict)  # with their numbers
    scanned: dict[tuple[Way, int], ScsiPath] = field(default_factory=dict)  # block devices, by way and LUN
    wwids: set[str] = field(default_factory=set)  # what multipath was told to map (find_multipaths strict), on disk
    mapped: set[str] = field(default_factory=set)  # WWIDs that are mapped although that list does not have them
    unmapped: bool = False  # it has booted without multipathd, and nobody has made maps since
    files: dict[str, str] = field(default_factory=dict)  # what was written below /etc, by path
    settings: str = ""  # what multipathd has read of them
    mtu: int = 9000  # of the card that leads to the arrays
    disabled: set[str] = field(default_factory=lambda: {"iscsid"})  # units that do not boot along: as Debian has it
    aliases: dict[str, str] = field(default_factory=dict)  # WWID -> alias in multipath.conf
    friendly_names: bool = False  # user_friendly_names: maps are called mpatha, mpathb, ... on each node for itself
    bindings: list[str] = field(default_factory=list)  # WWIDs in the order in which they got such a name
    local_maps: list[LocalMap] = field(default_factory=list)
    local_groups: dict[str, VolumeGroup] = field(default_factory=dict)  # device path -> group on a disk of its own
    units: set[str] = field(default_factory=set)  # transient systemd units that run now
    journal: dict[str, list[str]] = field(default_factory=dict)  # unit -> its lines
    up_since: float = 0.0  # lab time at which it was up; another one is another boot
    processes: "set[asyncio.Future[Any]]" = field(
        default_factory=set
    )  # what runs here on request and dies with its power
    full_disk: bool = False  # no file below /etc can be written to its end
    certificates: bool = False  # the quorum device's certificate store is initialised
    clock_offset: float = 0.0  # seconds this host's clock was ahead of lab time at `clock_since`
    clock_drift: float = 0.0  # seconds it gains in a lab second
    clock_since: float = 0.0
    bmc_powered: bool = True  # its management controller answers; only a site without any power takes that away
    softdog_fails: bool = False  # its watchdog does not reset it, whatever happens
    stopped: set[str] = field(default_factory=set)  # systemd units that do not run
    hidden_groups: set[str] = field(default_factory=set)  # volume groups that LVM's filter here does not let through
    root_keys: set[str] = field(default_factory=set)  # hosts whose root may log in here
    debian: bool = True  # it has dpkg; another distribution has none
    booted: bool = True  # systemd has begun it; a plain container has only what it was made for
    release: int = 13  # of that Debian

    def initiator(self, way: Way) -> str:
        """By what the arrays know who comes that way."""
        return way.iface if self.hbas else self.nvme.nqn or self.iqn

    def map_name(self, wwid: str) -> str:
        """What the node calls the multipath device of a WWID, below /dev/mapper."""
        if wwid in self.aliases or not self.friendly_names:
            return self.aliases.get(wwid, wwid)
        for one in (*(local.wwid for local in self.local_maps), wwid):
            if one not in self.bindings:
                self.bindings.append(one)
        return f"mpath{letters(self.bindings.index(wwid))}"

    def multipath_files(self) -> str:
        """The configuration of multipath as it is written now, all files in their order."""
        names = sorted(name for name in self.files if re.fullmatch(r"/etc/multipath/conf\.d/[^/]+\.conf", name))
        return "\n".join(self.files.get(name, "") for name in ("/etc/multipath.conf", *names))

    def ring_address(self, ring: int) -> str:
        """The address on a corosync ring. Ring 1 is a network of its own: ten more in the third number."""
        if ring < len(self.rings):
            return self.rings[ring]
        parts = self.address.split(".")
        return ".".join([*parts[:2], str(int(parts[2]) + 10 * ring), *parts[3:]])


@dataclass
class Corosync:
    """corosync.conf, as all nodes have it."""

    config_version: int = 7
    token_coefficient: int = 125
    qdevice: bool = False  # configured; `membership.set_up_device` starts it
    qnetd: bool = True  # the witness's daemon runs
    ring: int = 0x16  # the first ring's sequence

    def token(self, nodes: int) -> float:
        """Seconds without the token after which a node counts as failed (reference: proxmox-api §10)."""
        return 3.0 + max(0, nodes - 2) * self.token_coefficient / 1000

    def forms_after(self, nodes: int) -> float:
        """Seconds from a node's loss to the new membership: token, then consensus of 1.2 tokens."""
        return 2.2 * self.token(nodes)

    def consensus(self, nodes: int) -> float:
        """Seconds that totem waits for everybody to agree about a new ring: 1.2 tokens."""
        return 1.2 * self.token(nodes)

    def joins_after(self, nodes: int) -> float:
        """Seconds until a node that starts, or comes back into sight, is a member (3.2 s and 4.7 s measured)."""
        return 0.7 + 0.7 * self.token(nodes)


@dataclass(frozen=True)
class Change:
    """One change of the world, in the order it happened."""

    number: int
    time: float
    where: str
    what: str
    target: str
    detail: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The change as one JSON line."""
        return json.dumps(self.__dict__, sort_keys=True)


class World:
    """Everything that is, built from an inventory in the state *before* the deployment.

    Bare arrays that are connected to each other, a bare cluster of prepared nodes, a witness with qnetd.
    """

    arrays: Mapping[str, StorageArray]
    cluster: NodeCluster

    # From power to running daemons; the article saw its nodes join about 20 s after they were powered on.
    BOOTS_IN = 17.0

    def __init__(self, inventory: Inventory, *, clock: Clock | None = None, seed: int = 1) -> None:
        self.inventory = inventory
        self.clock = clock or Clock()
        self.random = random.Random(seed)
        self.faults = Faults()
        self.changes: list[Change] = []
        self.busy: list[tuple[float, float, str]] = []  # wall seconds (monotonic) in which a device worked
        self.rtt_ms: dict[frozenset[str], float] = {}  # round trips between places that differ from the usual
        self.fabric_mtu: dict[str, int] = {}  # portals to which fewer bytes come through in one piece than to others
        self.neighbours: dict[str, int] = {}  # other clusters that the witness serves: name -> number of nodes
        self.fingerprints: dict[str, str] = {}  # of the certificates that nodes show, where they are served
        self.background: set[asyncio.Task[Any]] = set()  # what goes on without a caller
        self._still: dict[tuple[object, ...], Any] | None = None
        self.reset()

    def reset(self) -> None:
        """Back to the beginning: bare arrays, bare cluster, all power on, no faults."""
        inventory = self.inventory
        self.faults.clear()
        self.changes.clear()
        self.busy.clear()
        self.rtt_ms.clear()
        self.neighbours.clear()
        self.fabric_mtu.clear()
        for task in list(self.background):
            task.cancel()
        self.background.clear()
        up_since = self.clock.now() - UP_BEFORE
        self.nodes = {
            node.name: Host(
                name=node.name,
                address=node.address,
                site=THIRD if node not in inventory.site_nodes else inventory.place_of(node.name),
                node_id=number,
                iqn=node.iqn or "",
                rings=node.links,
                nvme=Fabric(nqn=(node.nqn or "") if inventory.transport == "nvme-tcp" else ""),
                hbas=node.wwns if inventory.transport == "fc" else (),
                up_since=up_since,
                packages=set(NODE_PACKAGES),
                files=dict(PREPARED),
                root_keys={other.name for other in inventory.nodes},
            )
            for number, node in enumerate(inventory.nodes, start=1)
        }
        for host in self.nodes.values() if nvme.used(self) else ():
            host.packages.add(nvme.PACKAGE)
            host.files |= nvme.PREPARED
        self.witness = Host(
            name=inventory.decider,
            address=inventory.device,
            site=THIRD,
            powered=inventory.witness is not None,  # where a third place has nodes there is none
            up_since=up_since,
            packages=set(WITNESS_PACKAGES),
            root_keys={node.name for node in inventory.nodes},
        )
        self.disks: dict[str, Disk] = {}
        self.links = Links(self)
        self.corosync = Corosync()
        self.membership = Membership(self)
        self.links.on_change(lambda: nvme.look(self))
        self.furnish()
        if inventory.transport == "fc":
            self.links.on_change(lambda: fabric.log_in_all(self))
            fabric.log_in_all(self)

    async def end(self) -> None:
        """Nothing that goes on without a caller goes on any longer, once this has returned."""
        going_on = list(self.background)
        for task in going_on:
            task.cancel()
        await asyncio.gather(*going_on, return_exceptions=True)

    def furnish(self) -> None:
        """Put arrays and a cluster into it: `lab.world` does."""
        raise NotImplementedError

    # --- what happened -------------------------------------------------------------------------------------------

    def record(self, where: str, what: str, target: str, **detail: Any) -> None:
        """Write one change of the world into its log. Reads are never recorded."""
        self.changes.append(Change(len(self.changes) + 1, self.clock.now(), where, what, target, detail))

    @contextmanager
    def working(self, label: str) -> Iterator[None]:
        """The time a device spends on something: calls, tasks, transitions. `make bench` reads it."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.busy.append((start, time.monotonic(), label))

    async def latency(self) -> None:
        """Let one call's usual time pass."""
        await self.clock.sleep(self.random.uniform(*LATENCY))

    def after(self, lab_seconds: float, then: Callable[[], None]) -> "asyncio.Task[None]":
        """Do something later, in this world: a reset forgets it. The task can be cancelled."""

        async def wait() -> None:
            await self.clock.sleep(lab_seconds)
            then()

        task = asyncio.get_running_loop().create_task(wait())
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing happens meanwhile: what is asked for again and again is worked out once."""
        self._still = {}
        try:
            yield
        finally:
            self._still = None

    def once(self, key: tuple[object, ...], work: Callable[[], Known]) -> Known:
        """What that work comes to; done once while the world stands still, and each time otherwise."""
        if self._still is None:
            return work()
        if key not in self._still:
            self._still[key] = work()
        found: Known = self._still[key]
        return found

    def uptime(self, host: Host) -> int:
        """Seconds since a host was booted; whoever tells an uptime tells this one."""
        return int(self.clock.now() - host.up_since)

    def time_at(self, host: Host) -> float:
        """What a host's own clock shows, seconds since the epoch: lab time with its offset and drift."""
        now = self.clock.now()
        return now + host.clock_offset + host.clock_drift * (now - host.clock_since)

    # --- places and links ----------------------------------------------------------------------------------------

    def site_of_array(self, array: str) -> str:
        """The site an array stands in."""
        return next(site.name for site in self.inventory.sites if site.array == array)

    def round_trip(self, a: str, b: str) -> float:
        """Milliseconds between two places (site names, ``third``); set `rtt_ms` to change it."""
        if a == b:
            return 0.2
        return self.rtt_ms.get(frozenset((a, b)), 4.0 if "third" in (a, b) else 1.1)

    # --- disks and paths -----------------------------------------------------------------------------------------

    def disk(self, serial: str, size: int) -> Disk:
        """The disk of that serial, made empty when it is first spoken of; it grows with its volume."""
        disk = self.disks.setdefault(serial, Disk(serial, size))
        disk.size = size
        return disk

    def reaches_portal(self, node: str, array: str, portal: str) -> bool:
        """Whether a node's storage network reaches a port of an array that answers."""
        one = self.arrays[array]
        return one.portal_up(portal) and self.links.storage(node, array, portal)

    def carries(self, node: str, way: Way) -> bool:
        """Whether what a node sends that way arrives: its own card has a link, and the port is reached."""
        return fabric.linked(self, self.nodes[node], way.iface) and self.reaches_portal(node, way.array, way.portal)

    def swallows(self, node: str, array: str, portal: str) -> bool:
        """Whether what a node sends to a portal is lost on the way: nobody says that it did not arrive."""
        return not self.links.storage(node, array, portal)

    def scan(self, node: str, way: Way) -> bool:
        """Make block devices for the LUNs that an array offers over one way; True when there were new ones."""
        host = self.nodes[node]
        found = {(way, lun.number): self._path(way, lun) for lun in self.luns(host, way)}
        new = bool(found.keys() - host.scanned.keys())
        host.scanned |= found
        return new

    def luns(self, host: Host, way: Way) -> Sequence[Lun]:
        """What an array offers a host over a way; of NVMe's, the kernel refuses a second subsystem what it has."""
        if nvme.used(self) and not nvme.joins(self, host, way.array):
            return ()
        return self.arrays[way.array].luns_of(host.initiator(way))

    def _path(self, way: Way, lun: Lun) -> ScsiPath:
        return ScsiPath(way.array, way.portal, lun.number, lun.serial, lun.optimized, way.iface)

    def paths(self, node: str) -> list[ScsiPath]:
        """The paths that carry: the node has a block device, and the array is reached and answers for the LUN."""
        return self.once(("paths", node), lambda: self._paths(node))

    def _paths(self, node: str) -> list[ScsiPath]:
        host = self.nodes[node]
        if nvme.used(self):  # an array tells of new namespaces
            for way in host.sessions:
                if self.carries(node, way):
                    self.scan(node, way)
        known = {(way.array, host.initiator(way)) for way in host.sessions}
        luns = {(name, who): self.arrays[name].luns_of(who) for name, who in known if self.arrays[name].up}
        return [
            self._path(way, lun)
            for way in host.sessions
            if self.carries(node, way)
            for lun in luns[way.array, host.initiator(way)]
            if (way, lun.number) in host.scanned
        ]

    def failed_paths(self, node: str) -> list[ScsiPath]:
        """The paths whose block device is still there, and behind which nobody answers."""
        host = self.nodes[node]
        well = {(path.way, path.lun) for path in self.paths(node)}
        return [path for key, path in host.scanned.items() if key not in well and key[0] in host.sessions]

    def sees(self, node: str, serial: str) -> bool:
        """Whether at least one path of a node to a disk carries."""
        host = self.nodes[node]
        known = {(way.array, host.initiator(way)) for way in host.sessions}
        served = {
            (name, who, lun.number)
            for name, who in known
            if self.arrays[name].up
            for lun in self.arrays[name].luns_of(who)
            if lun.serial == serial
        }
        return any(
            (way.array, host.initiator(way), number) in served and self.carries(node, way) and way in host.sessions
            for way, number in host.scanned
        )

    def visible_disks(self, node: str) -> list[Disk]:
        """The disks a node reaches over at least one path, in the order of their serials."""
        return [self.disks[serial] for serial in sorted({path.serial for path in self.paths(node)})]

    def called(self, disk: Disk) -> str:
        """The disk's WWID as hosts spell it."""
        return disk.nguid if nvme.used(self) else disk.wwid

    def mapped(self, host: Host, disk: Disk) -> bool:
        """Whether the host's paths to a disk are one device after a boot: by the kernel, or by multipath's list."""
        if nvme.used(self) and host.nvme.native:
            return True
        return self.called(disk) in host.wwids and not host.unmapped

    def volume_group(self, node: str, name: str) -> VolumeGroup | None:
        """The volume group as that node sees it; None when no disk it reaches carries it."""
        return self.once(("group", node, name), lambda: self._volume_group(node, name))

    def _volume_group(self, node: str, name: str) -> VolumeGroup | None:
        if name in self.nodes[node].hidden_groups:
            return None
        carriers = (disk for disk in self.disks.values() if disk.vg is not None and disk.vg.name == name)
        return next((disk.vg for disk in carriers if self.sees(node, disk.serial)), None)

    # --- votes ---------------------------------------------------------------------------------------------------

    def votes(self, node: str) -> Votes:
        """The votes as a node counts them."""
        return self.membership.votes(node)
