"""What there is and what is wished for: the inventory file as frozen models.

The models say what a field may hold; `cluster.crosscheck` says what the fields may not say together.
Nothing here reads a file or resolves a secret: a secret is only ever a reference (``env:NAME``, ``file:PATH``).
"""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cluster.units import Duration, Size

# Purity: 1 to 63 letters, digits and dashes, first and last alphanumeric (reference: flasharray-rest §7).
_PURITY_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PVE_ID = re.compile(r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]")
_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.[^\s:]+(?::\S+)?")


def _secret_reference(value: object) -> str:
    """The value never appears in the message: it may be the secret itself."""
    if not isinstance(value, str) or not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+", value):
        raise ValueError("a secret must not stand here in clear: refer to it as env:NAME or file:PATH")
    return value


def _purity_name(value: str) -> str:
    if not _PURITY_NAME.fullmatch(value):
        raise ValueError("a Purity name has 1 to 63 letters, digits or dashes and starts and ends with no dash")
    return value


def _pve_id(value: str) -> str:
    if not _PVE_ID.fullmatch(value):
        raise ValueError("a Proxmox id starts with a letter and goes on with letters, digits, '.', '-' or '_'")
    return value


def _iqn(value: str) -> str:
    if not _IQN.fullmatch(value):
        raise ValueError("an initiator name looks like iqn.1993-08.org.debian:01:a1b2c3d4")
    return value.lower()


SecretRef = Annotated[str, BeforeValidator(_secret_reference)]
PurityName = Annotated[str, AfterValidator(_purity_name)]
PveId = Annotated[str, AfterValidator(_pve_id)]
Iqn = Annotated[str, AfterValidator(_iqn)]
Port = Annotated[int, Field(ge=1, le=65535)]
Lun = Annotated[int, Field(ge=1, le=4095)]
Vmid = Annotated[int, Field(ge=100, le=999_999_999)]


class Noun(BaseModel):
    """A part of the inventory: frozen, and a field that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Bmc(Noun):
    """A node's management controller (Redfish). `ca` is a PEM file that signs its certificate."""

    address: str
    user: str
    password: SecretRef
    ca: str | None = None


class Node(Noun):
    """One Proxmox VE node. `address` is the one its API and sshd answer on."""

    name: PveId
    address: str
    iqn: Iqn
    bmc: Bmc | None = None


class Site(Noun):
    """One room that can be lost as a whole: its nodes and the array beside them."""

    name: PveId
    array: PurityName
    nodes: tuple[Node, ...] = Field(min_length=1)


class Array(Noun):
    """One FlashArray. `address` may carry a port; `ca` is a PEM file that signs its certificate."""

    name: PurityName
    address: str
    api_token: SecretRef
    host_group: PurityName
    ca: str | None = None


class Witness(Noun):
    """The host at the third place that runs corosync-qnetd."""

    name: PveId = "witness"
    address: str


class Volume(Noun):
    """A volume of the pod. `luns` holds the wished LUN per array: each array numbers for itself."""

    name: PurityName
    size: Size
    luns: dict[str, Lun]


class Pod(Noun):
    """The stretched pod; made on `first`, stretched to the other array."""

    name: PurityName
    first: PurityName
    volumes: tuple[Volume, ...] = Field(min_length=1, max_length=1)

    @property
    def volume(self) -> Volume:
        """The one volume that carries the volume group."""
        return self.volumes[0]


class Storage(Noun):
    """Shared thick LVM on the pod's volume."""

    id: PveId
    vg: PveId


class Guest(Noun):
    """A test guest, cloned in full from `template` and placed on `node`."""

    vmid: Vmid
    name: PveId
    template: Vmid
    node: str
    cores: int = Field(default=1, ge=1)
    memory: Size = 2**30


class HaPolicy(Noun):
    """What HA is told about every guest. `failback` off: guests come home when people say so (design §6)."""

    max_restart: int = Field(default=1, ge=0)
    max_relocate: int = Field(default=1, ge=0)
    failback: bool = False


class Api(Noun):
    """The cluster's API on every node: `token_id` is ``user@realm!name``, `token` refers to its secret."""

    token_id: str = Field(pattern=r"^[^@\s]+@[^!\s]+![A-Za-z][A-Za-z0-9._-]+$")
    token: SecretRef
    port: Port = 8006
    ca: str | None = None


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


class Timeouts(Noun):
    """How long a step may take before it fails. Wall time on a real cluster, lab time makes no difference."""

    stretch: Duration = timedelta(hours=6)  # a volume with data is copied in full
    clone: Duration = timedelta(hours=1)
    ha: Duration = timedelta(minutes=5)  # a few rounds of 10 s and a guest's start
    step: Duration = timedelta(minutes=10)


class Hook(Noun):
    """Something of the house's own around a step: a program, or a webhook that gets a JSON document.

    `before` or `after` is the title of the step; ``*`` stands for anything. What may be run or called at all is the
    worker's setting (QUORATE_HOOKS), so that nobody runs a program by changing this file. There is no shell.
    """

    name: PveId
    runbook: str | None = None  # every runbook when not given
    before: str | None = None
    after: str | None = None
    command: tuple[str, ...] | None = None
    webhook: str | None = Field(default=None, pattern=r"^https?://[^\s/]+")
    headers: dict[str, SecretRef] = {}
    timeout: Duration = Field(default=timedelta(seconds=30), gt=timedelta(), le=timedelta(minutes=10))
    on_failure: Literal["warn", "park"] = "warn"

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.before is None) == (self.after is None):
            raise ValueError("a hook stands either before or after a step: give one of the two")
        if (self.command is None) == (self.webhook is None):
            raise ValueError("a hook is either a command or a webhook: give one of the two")
        if self.command is not None and not (self.command and self.command[0].startswith("/")):
            raise ValueError('a command is a list that begins with an absolute path: ["/usr/local/bin/silence", "2h"]')
        return self


class Inventory(Noun):
    """One stretched cluster, as it is addressed and as it is wished."""

    name: PveId
    sites: tuple[Site, ...] = Field(min_length=2, max_length=2)
    arrays: tuple[Array, ...] = Field(min_length=2, max_length=2)
    witness: Witness
    api: Api
    ssh: Ssh
    pod: Pod
    storage: Storage
    guests: tuple[Guest, ...] = ()
    ha: HaPolicy = HaPolicy()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    hooks: tuple[Hook, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, first site first, in the order of the file."""
        return tuple(node for site in self.sites for node in site.nodes)

    @property
    def votes(self) -> int:
        """Expected votes: one a node and one of the quorum device."""
        return len(self.nodes) + 1

    @property
    def quorum(self) -> int:
        """Votes needed to act: more than half."""
        return self.votes // 2 + 1

    @property
    def volume_name(self) -> str:
        """The volume's full name on both arrays: ``pod::volume``."""
        return f"{self.pod.name}::{self.pod.volume.name}"

    def array(self, name: str) -> Array:
        """The array of that name; KeyError when there is none."""
        return {array.name: array for array in self.arrays}[name]

    def peer(self, name: str) -> Array:
        """The other array."""
        return next(array for array in self.arrays if array.name != name)

    def node(self, name: str) -> Node:
        """The node of that name; KeyError when there is none."""
        return {node.name: node for node in self.nodes}[name]

    def site_of(self, node: str) -> Site:
        """The site a node stands in; KeyError when there is none."""
        return {n.name: site for site in self.sites for n in site.nodes}[node]
