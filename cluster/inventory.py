"""What there is and what is wished for: the inventory file as frozen models.

The models say what a field may hold; `cluster.crosscheck` says what the fields may not say together.
Nothing here reads a file or resolves a secret: a secret is only ever a reference (``env:NAME``, ``file:PATH``).
"""

import hashlib
import operator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from cluster.addresses import Address, Endpoint
from cluster.approval import ApprovalPolicy
from cluster.around import EventSource, Hook, Notify, Watch
from cluster.nouns import (
    ClusterName,
    DnsName,
    Fingerprints,
    GroupName,
    Iqn,
    Lun,
    NodeName,
    Noun,
    Nqn,
    OwnName,
    Port,
    PurityName,
    SecretRef,
    StorageId,
    Vmid,
    Wwn,
)
from cluster.paths import PathPolicy
from cluster.portals import PortalRange
from cluster.transports import Transport
from cluster.units import Duration, Size

# What a management controller takes for an answer, at most.
ANSWERS_WITHIN = timedelta(seconds=3)
# The name that a certificate is made for, where that is not the address.
ServerName = Annotated[Address | None, Field(exclude_if=operator.not_)]


class Bmc(Noun):
    """A node's management controller. `address` may carry a port; `ca` is the PEM file of its signer.

    `protocol` is for those without Redfish: `cluster.controllers` says what is then not to be said.
    `fingerprint` pins its certificate instead (`cluster.trust`). `system` is the node among the machines of a
    controller that manages several (a chassis), by its Redfish ``Id``. `answers_within` is for slow controllers.
    """

    address: Endpoint
    protocol: Literal["redfish", "ipmi"] = Field(default="redfish", exclude_if="redfish".__eq__)
    user: str
    password: SecretRef
    ca: str | None = None
    fingerprint: Fingerprints = ()
    server_name: ServerName = None
    system: str = Field(default="", max_length=255, exclude_if=operator.not_)
    answers_within: Annotated[Duration, Field(gt=timedelta(), le=timedelta(minutes=1))] = Field(
        default=ANSWERS_WITHIN, exclude_if=lambda given: given == ANSWERS_WITHIN
    )


class Node(Noun):
    """One Proxmox VE node. `address` is the one its API and sshd answer on; `fingerprint` is of its API.

    `links` are its own addresses on corosync's links 0 and 1, where they are not to be taken as they come.
    The arrays know it by `iqn`, by the WWPNs of its HBAs or by its NQN, as the inventory's `transport` says.
    """

    name: NodeName
    address: Address
    iqn: Iqn | None = Field(default=None, exclude_if=operator.not_)
    wwns: tuple[Wwn, ...] = Field(default=(), exclude_if=operator.not_)
    nqn: Nqn | None = Field(default=None, exclude_if=operator.not_)
    bmc: Bmc | None = None
    fingerprint: Fingerprints = ()
    server_name: ServerName = None
    links: tuple[Address, ...] = Field(default=(), max_length=2, exclude_if=operator.not_)


class Site(Noun):
    """One room that can be lost as a whole: its nodes and the array beside them."""

    name: OwnName
    array: PurityName
    nodes: tuple[Node, ...] = Field(min_length=1)


class Array(Noun):
    """One FlashArray. `address` may carry a port; `ca` is a PEM file that signs its certificate, or it is pinned.

    `portals` are the iSCSI or NVMe/TCP ports that the nodes use: addresses or networks, all where nothing is said.
    """

    name: PurityName
    address: Endpoint
    api_token: SecretRef
    host_group: PurityName
    ca: str | None = None
    fingerprint: Fingerprints = ()
    server_name: ServerName = None
    portals: tuple[PortalRange, ...] = Field(default=(), exclude_if=operator.not_)


class Witness(Noun):
    """The host at the third place that runs corosync-qnetd."""

    name: DnsName = "witness"
    address: Address


class ThirdPlace(Noun):
    """A third place with nodes of its own instead of a quorum device (`cluster.quorum`).

    They are members of the cluster with a vote each. They have no array, no path to the pod and run none of its guests.
    """

    name: OwnName
    nodes: tuple[Node, ...] = Field(min_length=1)


class Volume(Noun):
    """A volume of the pod. `luns` holds the wished LUN per array: each array numbers for itself; none with NVMe/TCP.

    It gets the array's default protection (SafeMode snapshots) unless `default_protection` is false.
    """

    name: PurityName
    size: Size
    luns: dict[str, Lun] = Field(default_factory=dict, exclude_if=operator.not_)
    default_protection: bool = Field(default=True, exclude_if=bool)


class Pod(Noun):
    """A stretched pod; made on `first`, stretched to the other array.

    `failover_preference` is the array that shall go on when the two lose each other (`cluster.alignment`).
    """

    name: PurityName
    first: PurityName
    volumes: tuple[Volume, ...] = Field(min_length=1)
    failover_preference: PurityName | None = Field(default=None, exclude_if=operator.not_)

    @property
    def volume(self) -> Volume:
        """The only volume; ValueError where there are several, which are asked for one by one (`Inventory.disks`)."""
        (volume,) = self.volumes
        return volume

    def full(self, volume: Volume) -> str:
        """What both arrays call a volume of it: ``pod::volume``."""
        return f"{self.name}::{volume.name}"


class Storage(Noun):
    """Shared thick LVM on one volume; `volume` is its name on the arrays, ``pod::volume``, where there are several."""

    id: StorageId
    vg: GroupName
    volume: str = Field(default="", max_length=255, exclude_if=operator.not_)


class Guest(Noun):
    """A test guest, cloned in full from `template` and placed on `node`; its disks are on `storage`, else the first."""

    vmid: Vmid
    name: DnsName
    template: Vmid
    node: str
    cores: int = Field(default=1, ge=1)
    memory: Size = 2**30
    storage: StorageId | None = Field(default=None, exclude_if=operator.not_)


class HaPolicy(Noun):
    """What HA is told about every guest. `failback` off: guests come home when people say so (design §6)."""

    max_restart: int = Field(default=1, ge=0)
    max_relocate: int = Field(default=1, ge=0)
    failback: bool = False


class Api(Noun):
    """The cluster's API on every node: `token_id` is ``user@realm!name``, `token` refers to its secret.

    Each of the `fingerprint` is good for each node; a node that has one of its own is held to that.
    """

    token_id: str = Field(pattern=r"^[^@\s]+@[^!\s]+![A-Za-z][A-Za-z0-9._-]+$")
    token: SecretRef
    port: Port = 8006
    ca: str | None = None
    fingerprint: Fingerprints = ()
    server_name: ServerName = None


class Ssh(Noun):
    """How the hosts are reached. A host whose key is not in `known_hosts` is not spoken to."""

    key: SecretRef
    known_hosts: str
    user: str = "root"
    port: Port = 22


class Limits(Noun):
    """What the preflight accepts."""

    # Array to array: 11 ms is the vendor's hard limit, 10 ms leaves some air (reference: flasharray-rest §6.2).
    array_rtt: Duration = timedelta(milliseconds=10)
    # Node to node: Proxmox asks for less than 5 ms between nodes (reference: proxmox-api §10).
    corosync_rtt: Duration = timedelta(milliseconds=5)
    # The quorum device link is TCP with an 8 s heartbeat; 10 ms keeps quorum changes quick (article).
    witness_rtt: Duration = timedelta(milliseconds=10)
    # HA compares wall clocks and calls 2 s a drift; fencing has about 50 s of margin (reference: incidents, facts 3).
    clock_offset: Duration = timedelta(seconds=1)
    # How long a first look waits for every vantage point: more than a slow one needs, less than a decision can wait.
    look: Duration = timedelta(seconds=3)


class Timeouts(Noun):
    """How long a step may take before it fails. Wall time on a real cluster, lab time makes no difference."""

    stretch: Duration = timedelta(hours=6)  # a volume with data is copied in full
    clone: Duration = timedelta(hours=1)
    ha: Duration = timedelta(minutes=5)  # a few rounds of 10 s and a guest's start
    step: Duration = timedelta(minutes=10)
    # Long enough for a lost connection to come back, short enough that a wrong address is told soon.
    preflight: Duration = timedelta(seconds=20)


class FailbackPolicy(Noun):
    """How guests come home: after how long a quarantine, in which order, how many at a time."""

    # A returned node may wait 121 s for its own agent lock (reference: pve-ha §§3, 11); a guest moved there earlier
    # would run without a watchdog.
    soak: Duration = Field(default=timedelta(minutes=5), ge=timedelta(seconds=121))
    first: tuple[Vmid, ...] = ()
    together: int = Field(default=2, ge=1, le=8)


def _without_default(schema: dict[str, Any]) -> None:
    """In the file the field is left out, and never empty."""
    schema.pop("default", None)


# Absent where several are spelt out. Typed as if it were there: all that asks for it is about one disk alone.
_ONE: Any = Field(default=None, exclude_if=lambda given: given is None, json_schema_extra=_without_default)


class Inventory(Noun):
    """One stretched cluster, as it is addressed and as it is wished."""

    name: ClusterName
    transport: Transport = Field(default="iscsi", exclude_if=lambda given: given == "iscsi")
    sites: tuple[Site, ...] = Field(min_length=2, max_length=2)
    arrays: tuple[Array, ...] = Field(min_length=2, max_length=2)
    witness: Witness | None = Field(default=None, exclude_if=operator.not_)
    third: ThirdPlace | None = Field(default=None, exclude_if=operator.not_)
    api: Api
    ssh: Ssh
    # One of each is spelt `pod` and `storage`, several are spelt `pods` and `storages`: of each pair one is there
    # (`cluster.crosscheck`), and what asks for the other one fails at once.
    pod: Pod = _ONE
    storage: Storage = _ONE
    pods: tuple[Pod, ...] = Field(default=(), exclude_if=operator.not_)
    storages: tuple[Storage, ...] = Field(default=(), exclude_if=operator.not_)
    paths: PathPolicy = Field(default=PathPolicy(), exclude_if=PathPolicy().__eq__)
    guests: tuple[Guest, ...] = ()
    ha: HaPolicy = HaPolicy()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    hooks: tuple[Hook, ...] = ()
    watch: Watch = Watch()
    events: tuple[EventSource, ...] = ()
    notify: tuple[Notify, ...] = ()
    approvals: ApprovalPolicy = ApprovalPolicy()
    failback: FailbackPolicy = FailbackPolicy()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All members of the cluster, first site first, in the order of the file; those of a third place come last."""
        return (*self.site_nodes, *(self.third.nodes if self.third else ()))

    @property
    def places(self) -> "tuple[Site | ThirdPlace, ...]":
        """All that has nodes: both sites, and the third place where it has some."""
        return (*self.sites, *((self.third,) if self.third else ()))

    @property
    def site_nodes(self) -> tuple[Node, ...]:
        """The nodes of both sites: those that have paths to the pod and run its guests."""
        return tuple(node for site in self.sites for node in site.nodes)

    @property
    def decider(self) -> str:
        """Who decides between the sites, by name: the witness, or the third place whose nodes vote instead."""
        return self.witness.name if self.witness else self.third.name if self.third else "witness"

    @property
    def device(self) -> str:
        """Where the quorum device is: the witness's address; empty where a third place has nodes instead."""
        return self.witness.address if self.witness else ""

    @property
    def outside(self) -> str:
        """The address of what stands at the third place: the witness, or the first node there."""
        return self.device or (self.third.nodes[0].address if self.third else "")

    @property
    def votes(self) -> int:
        """Expected votes: one a node, and one of the quorum device where there is one."""
        return len(self.nodes) + (self.witness is not None)

    @property
    def quorum(self) -> int:
        """Votes needed to act: more than half."""
        return self.votes // 2 + 1

    @property
    def all_pods(self) -> tuple[Pod, ...]:
        """Every stretched pod, however they are spelt."""
        return self.pods or (() if self.pod is None else (self.pod,))

    @property
    def all_storages(self) -> tuple[Storage, ...]:
        """Every storage, however they are spelt."""
        return self.storages or (() if self.storage is None else (self.storage,))

    @property
    def disks(self) -> "tuple[Inventory, ...]":
        """The same cluster once for each volume: with its pod, its storage and the guests on it, and no other.

        What is about one volume is asked of these, one after the other; of one volume it is the inventory itself.
        """
        volumes = [(pod, volume) for pod in self.all_pods for volume in pod.volumes]
        if len(volumes) == 1 and self.pod is not None and self.storage is not None:
            return (self,)
        return tuple(self._narrowed(pod, volume) for pod, volume in volumes)

    def _narrowed(self, pod: Pod, volume: Volume) -> "Inventory":
        storage = self.carries(pod, volume)
        first = self.all_storages[0].id
        return self.model_copy(
            update={
                "pod": pod.model_copy(update={"volumes": (volume,)}),
                "storage": storage,
                "pods": (),
                "storages": (),
                "guests": tuple(guest for guest in self.guests if (guest.storage or first) == storage.id),
            }
        )

    def carries(self, pod: Pod, volume: Volume) -> Storage:
        """The storage on that volume; KeyError when there is none."""
        if len(self.all_storages) == 1 and not self.all_storages[0].volume:
            return self.all_storages[0]
        return {storage.volume: storage for storage in self.all_storages}[pod.full(volume)]

    @property
    def stretched(self) -> "tuple[Inventory, ...]":
        """The same cluster once for each pod, narrowed to that pod and the first of its volumes."""
        found = {disk.pod.name: disk for disk in reversed(self.disks)}
        return tuple(found[pod.name] for pod in self.all_pods)

    @property
    def groups(self) -> str:
        """The volume groups, as LVM's commands take several: with a space between."""
        return " ".join(storage.vg for storage in self.all_storages)

    @property
    def volume_name(self) -> str:
        """The only volume's full name on both arrays: ``pod::volume``."""
        return self.pod.full(self.pod.volume)

    def storage_of(self, guest: Guest) -> str:
        """The id of the storage that the guest's disks are on."""
        return guest.storage or self.all_storages[0].id

    @property
    def digest(self) -> str:
        """Of everything in it, twelve letters: two that are equal have the same."""
        # in version 0.1 the speed of time was its last field, 1.0 outside of rehearsals: it still counts as that, or
        # each run that has noted its digest would find that the worker goes by another inventory
        whole = f'{self.model_dump_json()[:-1]},"speed":1.0}}'
        return hashlib.sha256(whole.encode()).hexdigest()[:12]

    def lun(self, array: str) -> int:
        """The volume's wished LUN on that array; 0 with NVMe/TCP, where the arrays number namespaces themselves."""
        return 0 if self.transport == "nvme-tcp" else self.pod.volume.luns[array]

    def array(self, name: str) -> Array:
        """The array of that name; KeyError when there is none."""
        return {array.name: array for array in self.arrays}[name]

    def peer(self, name: str) -> Array:
        """The other array."""
        return next(array for array in self.arrays if array.name != name)

    def node(self, name: str) -> Node:
        """The node of that name; KeyError when there is none."""
        return {node.name: node for node in self.nodes}[name]

    def site(self, name: str) -> Site:
        """The site of that name; KeyError when there is none."""
        return {site.name: site for site in self.sites}[name]

    def other_site(self, name: str) -> Site:
        """The site that is left when this one is lost."""
        return next(site for site in self.sites if site.name != name)

    def site_of(self, node: str) -> Site:
        """The site a node stands in; KeyError when there is none."""
        return {n.name: site for site in self.sites for n in site.nodes}[node]

    def place_of(self, node: str) -> str:
        """The name of the site, or of the third place, that a node stands in; KeyError when there is none."""
        third = {one.name: self.third.name for one in self.third.nodes} if self.third else {}
        return third.get(node) or self.site_of(node).name
