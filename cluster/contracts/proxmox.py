"""What is asked of proxmox, and what it answers: pure models, and a typed reference for each activity."""

import operator
from datetime import timedelta

from pydantic import Field

from cluster.contracts.reference import Activity
from cluster.inventory import HaPolicy
from cluster.nouns import Value
from cluster.plan import Finding, Wish
from cluster.privileges import Missing

# The step that asks for them.
RIGHTS = "The token has the rights that this needs"


class ClusterCheck(Value):
    """What the cluster must be and what the token must be allowed: path to privileges.

    `prefers` is the array that shall go on after a cut, with its site, where people have a wish; `sites` are those of
    the nodes, `links` their addresses on corosync's links, where people state them.
    """

    name: str
    nodes: tuple[str, ...]
    privileges: dict[str, tuple[str, ...]]
    prefers: tuple[str, str] | None = None
    sites: dict[str, str] = Field(default_factory=dict)
    links: dict[str, tuple[str, ...]] = Field(default_factory=dict, exclude_if=operator.not_)


class StorageWish(Wish):
    """Shared LVM as a storage of the whole cluster; with `only_there` restricted to `nodes`: others have no path.

    `awaiting` are nodes whose paths are only planned so far: the storage is active there afterwards.
    """

    storage: str
    vg: str
    nodes: tuple[str, ...]
    only_there: bool = Field(default=False, exclude_if=operator.not_)
    awaiting: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)


class HaWish(Wish):
    """Guests that HA shall keep started, and the LRMs that must be well. Only `mode=apply` registers.

    `kept_to` are the nodes that may run them, by a strict rule; none is needed where all nodes have paths.
    """

    guests: tuple[int, ...]
    nodes: tuple[str, ...]
    policy: HaPolicy
    within: timedelta
    resting: bool = False  # nodes in maintenance are well, too
    kept_to: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)


class StorageFinding(Finding):
    """On how many nodes the storage is active."""

    active: int = 0


class HaFinding(Finding):
    """What ``/cluster/ha/status/current`` says."""

    armed: bool = False
    lrms: int = 0
    started: tuple[str, ...] = ()


class GuestWish(Wish):
    """A full clone of `template` on the shared storage, running on `node`. `memory` in bytes."""

    vmid: int
    name: str
    template: int
    node: str
    storage: str
    cores: int
    memory: int


class GuestFinding(Finding):
    """Where the guest runs."""

    node: str = ""


class RightsWish(Value):
    """The runbook whose rights are asked for, by its name; those of all without one.

    A runbook of your own is taken to look like a watch. `must`: a missing right is an error.
    """

    runbook: str | None = None
    must: bool = False


class RightsFinding(Finding):
    """Every privilege that is missing, where, and which runbooks need it.

    `certificates`: those that end soon or have ended, each with what to do; `apart`: why quorum and storage may end at
    different sites (`cluster.alignment`). Both are asked for the watch alone, once a day.
    """

    missing: tuple[Missing, ...] = ()
    certificates: tuple[str, ...] = ()
    apart: str = ""


preflight = Activity("proxmox.preflight", ClusterCheck, Finding)
ensure_storage = Activity("proxmox.ensure_storage", StorageWish, StorageFinding)
ensure_ha = Activity("proxmox.ensure_ha", HaWish, HaFinding)
ha_state = Activity("proxmox.ha_state", HaWish, HaFinding)
storage_state = Activity("proxmox.storage_state", StorageWish, StorageFinding)
ensure_guest = Activity("proxmox.ensure_guest", GuestWish, GuestFinding)
guest_state = Activity("proxmox.guest_state", GuestWish, GuestFinding)
rights = Activity("proxmox.rights", RightsWish, RightsFinding)
