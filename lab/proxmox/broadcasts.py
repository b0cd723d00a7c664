"""What each node has heard of the others: they tell of their guests, storages and themselves, again and again.

A node that has fallen silent is believed for five minutes, whatever silenced it, and then nothing is known of it
(reference: proxmox-api §5.1). Broadcasts are so frequent that the twin takes what a node that is heard would tell now.
Who is away is known from the membership, so that for the seconds until it has settled the last word counts, too.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.proxmox.guest_rows import broadcast

if TYPE_CHECKING:
    from lab.proxmox.guest import Guest
    from lab.proxmox.models import Cluster

# Lab seconds for which a broadcast counts (source: pve-cluster, status.c).
KEPT = 300.0


@dataclass
class Heard:
    """A node's last words as another one has them."""

    when: float
    guests: dict[int, dict[str, Any]] = field(default_factory=dict)
    storages: dict[str, dict[str, Any]] = field(default_factory=dict)


class Broadcasts:
    """Who has heard what; it is kept in memory, so that a node that boots knows nothing of the silent ones."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        nodes = cluster.world.nodes
        self._last: dict[str, dict[str, Heard]] = {node: {} for node in nodes}
        self._in_touch: dict[str, set[str]] = {node: set(nodes) for node in nodes}  # as of the last settled membership
        cluster.world.membership.on_settled(self._settled)

    def hears(self, listener: str, node: str) -> bool:
        """Whether a node's broadcasts arrive at another one now."""
        world = self._cluster.world
        return listener == node or (world.nodes[node].powered and node in world.membership.members(listener))

    def loses_power(self, node: str) -> None:
        """A node is about to lose its power: what it has told is all that the others will have."""
        for listener in self._cluster.world.nodes:
            if listener != node and self.hears(listener, node):
                self._keep(listener, node)
        self._last[node].clear()
        self._in_touch[node].clear()

    def _settled(self, _: frozenset[str]) -> None:
        """Memberships have changed: those who are out of sight now have spoken their last words."""
        world = self._cluster.world
        if world.cluster is not self._cluster:
            return
        for listener in (name for name, host in world.nodes.items() if host.powered):
            heard = {node for node in world.nodes if self.hears(listener, node)}
            for node in heard:
                self._last[listener].pop(node, None)
            for node in self._in_touch[listener] - heard - self._last[listener].keys():
                self._keep(listener, node)
            self._in_touch[listener] = heard

    def _keep(self, listener: str, node: str) -> None:
        cluster = self._cluster
        self._last[listener][node] = Heard(
            cluster.world.clock.now(),
            {guest.vmid: broadcast(cluster, guest, node) for guest in cluster.guests.values() if guest.node == node},
            {name: cluster.storage_status(node, name) for name in cluster.storages},
        )

    def of_guest(self, listener: str, guest: "Guest", place: str) -> dict[str, Any] | None:
        """What a node knows of a guest whose file lies there; None when that is nothing."""
        if self.hears(listener, place):
            return broadcast(self._cluster, guest, place)
        heard = self._recent(listener, place)
        return heard.guests.get(guest.vmid) if heard else None

    def of_storage(self, listener: str, node: str, storage: str) -> dict[str, Any] | None:
        """What a node knows of a storage on another one; None when that is nothing."""
        if self.hears(listener, node):
            return self._cluster.storage_status(node, storage)
        heard = self._recent(listener, node)
        return heard.storages.get(storage) if heard else None

    def knows(self, listener: str, node: str) -> bool:
        """Whether anything is known of a node itself."""
        return self.hears(listener, node) or self._recent(listener, node) is not None

    def _recent(self, listener: str, node: str) -> Heard | None:
        heard = self._last[listener].get(node)
        return heard if heard is not None and self._cluster.world.clock.now() - heard.when < KEPT else None
