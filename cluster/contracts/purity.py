"""What is asked of purity, and what it answers: pure models, and a typed reference for each activity."""

import operator

from pydantic import Field

from cluster.contracts.reference import Activity
from cluster.nouns import Value
from cluster.paths import Chap
from cluster.plan import Finding, Wish
from cluster.transports import HostField, Transport


class HostWish(Value):
    """A host object: its initiators, those of the cluster's transport alone, and the array whose paths it prefers."""

    name: str
    iqn: str = Field(default="", exclude_if=operator.not_)
    wwns: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    nqn: str = Field(default="", exclude_if=operator.not_)
    preferred: str

    @property
    def kind(self) -> HostField:
        """The field of an array's host object that holds them."""
        return "wwns" if self.wwns else "nqns" if self.nqn else "iqns"

    @property
    def initiators(self) -> tuple[str, ...]:
        """By what the array knows the host."""
        return self.wwns or tuple(filter(None, (self.nqn or self.iqn,)))


class AccessWish(Wish):
    """A host group on one array and the volume it sees at that LUN."""

    array: str
    group: str
    volume: str
    lun: int
    hosts: tuple[HostWish, ...]
    chap: Chap | None = None


class AccessFinding(Finding):
    """How many hosts see the volume through this array, and at which LUN."""

    hosts: int
    lun: int


class ArrayPair(Value):
    """An array and the one it must replicate with. `portals` are those to use: addresses or networks, or all."""

    array: str
    peer: str
    portals: tuple[str, ...] = ()
    transport: Transport = Field(default="iscsi", exclude_if=lambda given: given == "iscsi")


class PodWish(Wish):
    """A pod with a volume on an array. `groups`: the host group per array that may see the volume.

    `beside` are the pod's other volumes that are the inventory's as well, by their full names.

    `prefers` is the array that shall go on alone, if people have a wish.
    """

    array: str
    pod: str
    volume: str
    size: int
    groups: dict[str, str]
    prefers: str | None = None
    default_protection: bool = True
    beside: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    transport: Transport = Field(default="iscsi", exclude_if=lambda given: given == "iscsi")


class StretchWish(Wish):
    """A pod on `array` that shall also be on `to`."""

    pod: str
    array: str
    to: str


class PodAt(Value):
    """A stretched pod and the arrays whose views are compared."""

    pod: str
    volume: str
    arrays: tuple[str, str]
    prefers: str | None = None


class ArrayFinding(Finding):
    """What an array is and where nodes reach it.

    Its portals, of iSCSI under `target_iqn` or of NVMe/TCP under `nqn`; or its Fibre Channel ports by WWN.
    """

    version: str
    target_iqn: str = ""
    portals: tuple[str, ...] = ()
    wwns: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)  # with the names of the ports
    nqn: str = Field(default="", exclude_if=operator.not_)


class PodFinding(Finding):
    """`wwid` is the volume's name on every host; None while the volume is only planned."""

    wwid: str | None = None


class StretchFinding(Finding):
    """The status of each array's copy, in the words of Purity."""

    status: dict[str, str] = Field(default_factory=dict)


ensure_access = Activity("purity.ensure_access", AccessWish, AccessFinding)
preflight = Activity("purity.preflight", ArrayPair, ArrayFinding)
ensure_pod = Activity("purity.ensure_pod", PodWish, PodFinding)
ensure_stretched = Activity("purity.ensure_stretched", StretchWish, StretchFinding)
pod_state = Activity("purity.pod_state", PodAt, StretchFinding)
