"""What is asked of hosts, and what it answers: pure models, and a typed reference for each activity."""

import operator
from datetime import timedelta

from pydantic import Field

from cluster.contracts.reference import Activity
from cluster.nouns import Value
from cluster.paths import Chap, Means
from cluster.plan import Finding, Wish

# multipath's priorities of what the arrays advertise through ALUA (reference: flasharray-rest §6.3).
OPTIMIZED, NON_OPTIMIZED = 50, 10


class GroupWish(Wish):
    """A volume group on the multipath device; `nodes` are asked, the first one acts. `wwid` is None while planned.

    `awaiting` are nodes whose paths are only planned so far: what is on the volume they see afterwards.
    """

    vg: str
    wwid: str | None
    nodes: tuple[str, ...]
    awaiting: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)


class GroupFinding(Finding):
    """How many nodes see the group."""

    nodes: int = 0


class RoundTrip(Value):
    """An address to be reached within `limit`; `what` says which limit of the inventory it is."""

    what: str
    address: str
    limit: timedelta


class Portals(Value):
    """The portals of one array that a node must reach, as `iscsiadm` spells them."""

    array: str
    portals: tuple[str, ...]
    wwns: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)  # FC ports by WWN, with their names
    nqn: str = Field(default="", exclude_if=operator.not_)  # of its NVMe subsystem


class NodeCheck(Value):
    """What a node must have. `iqn` is the initiator name that the inventory states, `wwns` its WWPNs, `nqn` its NQN.

    Without `storage` it has no way to the arrays: a node of a third place, that has a vote and nothing else. Without
    a quorum `device` it needs none of its packages.
    `mtu` in bytes is what must reach every portal in one piece; None asks for what the node's own interface has.
    """

    node: str
    iqn: str
    round_trips: tuple[RoundTrip, ...]
    arrays: tuple[Portals, ...] = Field(default=(), exclude_if=operator.not_)
    multipath: Means = "check"
    mtu: int | None = None
    storage: bool = Field(default=True, exclude_if=bool)
    device: bool = Field(default=True, exclude_if=bool)
    wwns: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    nqn: str = Field(default="", exclude_if=operator.not_)


class HostNames(Value):
    """Hosts whose clocks are compared, and the largest allowed difference."""

    hosts: tuple[str, ...]
    limit: timedelta


class HostName(Value):
    """One host."""

    host: str


class ArrayPaths(Value):
    """The paths a node shall have through one array.

    Over Fibre Channel `wwns` are its ports, with their names; over NVMe/TCP `nqn` is its subsystem.
    """

    array: str
    iqn: str
    portals: tuple[str, ...]
    lun: int
    optimized: bool
    wwns: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)
    nqn: str = Field(default="", exclude_if=operator.not_)

    @property
    def priority(self) -> int:
        """The priority multipath shows for them."""
        return OPTIMIZED if self.optimized else NON_OPTIMIZED

    @property
    def shown(self) -> str:
        """For people: ``X90R3-SiteA (LUN 253)``; the number is left off where any will do."""
        return f"{self.array} (LUN {self.lun})" if self.lun else self.array


class PathsWish(Wish):
    """A node's paths to one volume; `wwid` is None while the volume is only planned.

    With `wwns`, the WWPNs of its HBAs, they are those of Fibre Channel.
    `beside` are the WWIDs of the cluster's other volumes, which the same settings are for.
    `lasting` asks as well whether they would be there again after a reboot. `chap` refers to its secret. In an
    `emergency` sessions come first: only what keeps the volume from being mapped stands in their way.
    """

    node: str
    wwid: str | None
    arrays: tuple[ArrayPaths, ...]
    beside: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    lasting: bool = False
    emergency: bool = False
    chap: Chap | None = None
    multipath: Means = "check"
    tuning: Means = "check"
    wwns: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)

    @property
    def nvme(self) -> bool:
        """The paths are NVMe/TCP's."""
        return any(one.nqn for one in self.arrays)


class PathsFinding(Finding):
    """Usable paths by kind."""

    node: str
    optimized: int = 0
    non_optimized: int = 0


class DeviceWish(Wish):
    """The device at `witness` as the seventh vote of `nodes`; the first node acts.

    No `witness`: there is to be no device, a third place among the nodes votes instead.
    """

    witness: str
    nodes: tuple[str, ...]
    expected: int
    quorum: int


class VotesFinding(Finding):
    """The votes that all nodes agree on."""

    expected: int
    total: int
    quorum: int
    device: bool


ensure_volume_group = Activity("hosts.ensure_volume_group", GroupWish, GroupFinding)
preflight = Activity("hosts.preflight", NodeCheck, Finding)
witness_preflight = Activity("hosts.witness_preflight", HostName, Finding)
clocks = Activity("hosts.clocks", HostNames, Finding)
ensure_paths = Activity("hosts.ensure_paths", PathsWish, PathsFinding)
paths = Activity("hosts.paths", PathsWish, PathsFinding)
votes = Activity("hosts.votes", DeviceWish, VotesFinding)
ensure_quorum_device = Activity("hosts.ensure_quorum_device", DeviceWish, VotesFinding)
