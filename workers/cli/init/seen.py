"""What was read of a cluster and of its arrays, as far as an inventory holds it."""

from dataclasses import dataclass, field

from cluster.transports import Transport


@dataclass(frozen=True)
class Member:
    """A node of the cluster: the address of its API, and those of its corosync links."""

    name: str
    address: str
    links: tuple[str, ...] = ()
    number: int = 0  # its id in corosync; 0 where nobody tells it


@dataclass(frozen=True)
class HaGuest:
    """A virtual machine that HA keeps running. `memory` is in bytes, `storages` is where its disks are."""

    vmid: int
    name: str
    node: str
    cores: int
    memory: int
    storages: frozenset[str]


@dataclass(frozen=True)
class SeenCluster:
    """What Proxmox VE tells. `storages` is the volume group of each shared LVM storage; `notes` what it kept back."""

    name: str
    nodes: tuple[Member, ...]
    witness: str | None
    storages: dict[str, str]
    guests: tuple[HaGuest, ...]
    templates: tuple[int, ...]
    ha: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def addresses(self) -> dict[str, str]:
        """Of each node."""
        return {node.name: node.address for node in self.nodes}


@dataclass(frozen=True)
class SeenVolume:
    """A volume of a pod, without the pod's name; `size` is in bytes."""

    name: str
    size: int
    serial: str = ""


@dataclass(frozen=True)
class SeenHost:
    """A host of an array: its initiators, the array that it prefers, and the host group that it is in."""

    iqns: tuple[str, ...]
    preferred: str | None
    wwns: tuple[str, ...] = ()
    nqns: tuple[str, ...] = ()
    group: str = ""

    def known_by(self, transport: Transport) -> tuple[str, ...]:
        """Its initiators of that transport."""
        return {"iscsi": self.iqns, "fc": self.wwns, "nvme-tcp": self.nqns}[transport]


@dataclass(frozen=True)
class SeenArray:
    """What an array tells. `pods`: the arrays that each is stretched to; `connections`: volume, host group and LUN.

    The LUN is 0 over NVMe. `prefers`: the arrays that each pod prefers. `taken` has every LUN in use, for whomever.
    """

    name: str
    address: str
    hosts: dict[str, SeenHost] = field(default_factory=dict)
    pods: dict[str, frozenset[str]] = field(default_factory=dict)
    volumes: dict[str, tuple[SeenVolume, ...]] = field(default_factory=dict)
    connections: frozenset[tuple[str, str, int]] = frozenset()
    prefers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    taken: frozenset[int] = frozenset()
