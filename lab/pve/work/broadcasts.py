"""What each node has heard of the others: they tell of their guests, storages and themselves, again and again.

A node that has fallen silent is believed for five minutes, whatever silenced it, and then nothing is known of it
(reference: proxmox-api §5.1). Broadcasts are so frequent that the twin takes what a node that is heard would tell now.
Whose words no longer arrive has spoken the last one, seconds before anybody notices. The cluster's lists of tasks and
its log are such words, too; those are kept as long as the listener runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.pve.views.guests import broadcast

if TYPE_CHECKING:
    from lab.pve.models import Cluster
    from lab.pve.work.guest import Guest
    from lab.pve.work.tasks import Task

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
        cluster.world.membership.on_settled(lambda _: self._look())
        cluster.world.links.on_change(self._look)

    def hears(self, listener: str, node: str) -> bool:
        """Whether a node's broadcasts arrive at another one now."""
        world = self._cluster.world
        if listener == node:
            return True
        arrives = world.nodes[node].powered and world.membership.reaches(listener, node)
        return arrives and node in world.membership.members(listener)

    def loses_power(self, node: str) -> None:
        """A node is about to lose its power: what it has told is all that the others will have."""
        for listener in self._cluster.world.nodes:
            if listener != node and self.hears(listener, node):
                self._keep(listener, node)
        self._last[node].clear()
        self._in_touch[node].clear()

    def _look(self) -> None:
        """Links or memberships have changed: those who are out of sight now have spoken their last words."""
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
        cluster = self._cluster.read_by(node)
        self._last[listener][node] = Heard(
            cluster.world.clock.now(),
            {guest.vmid: broadcast(cluster, guest, node) for guest in cluster.guests.values() if guest.node == node},
            {name: cluster.storage_status(node, name) for name in cluster.storages},
        )

    def of_guest(self, listener: str, guest: "Guest", place: str) -> dict[str, Any] | None:
        """What a node knows of a guest whose file lies there; None when that is nothing."""
        if self.hears(listener, place):
            there = self._cluster.read_by(place)
            return there.world.once(("guest", place, guest.vmid), lambda: broadcast(there, guest, place))
        heard = self._recent(listener, place)
        return heard.guests.get(guest.vmid) if heard else None

    def of_storage(self, listener: str, node: str, storage: str) -> dict[str, Any] | None:
        """What a node knows of a storage on another one; None when that is nothing."""
        if self.hears(listener, node):
            there = self._cluster.read_by(node)
            if storage not in there.storages:
                return None
            return there.world.once(("storage", node, storage), lambda: there.storage_status(node, storage))
        heard = self._recent(listener, node)
        return heard.storages.get(storage) if heard else None

    def knows(self, listener: str, node: str) -> bool:
        """Whether anything is known of a node itself."""
        return self.hears(listener, node) or self._recent(listener, node) is not None

    def tasks(self, listener: str) -> "Iterator[tuple[Task, float]]":
        """The tasks that a node knows of, each with the moment as of which it knows it."""
        world = self._cluster.world
        now = world.clock.now()
        as_of = {node: now for node in world.nodes if self.hears(listener, node)}
        as_of |= {node: heard.when for node, heard in self._last[listener].items()}
        for task in self._cluster.tasks.all:
            if task.node in as_of and task.starttime <= as_of[task.node]:
                yield task, as_of[task.node]

    def _recent(self, listener: str, node: str) -> Heard | None:
        heard = self._last[listener].get(node)
        return heard if heard is not None and self._cluster.world.clock.now() - heard.when < KEPT else None
