"""/etc/pve as each node has it: one database, which only a quorate partition can change.

A node that is cut off goes on reading what it had. When it comes back to the others it takes over theirs, and when a
partition becomes quorate that knows nothing of what others wrote since, its older database is what counts from then on.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.proxmox.ha_state import HaFiles

if TYPE_CHECKING:
    from lab.proxmox.models import Cluster


@dataclass
class Copy:
    """What a node had when it was cut off."""

    taken: float
    ha: HaFiles
    places: dict[int, str]  # guest -> the node under which its file lies


class Pmxcfs:
    """Who has the newest database, and the older copies of the others."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._newest: set[str] = set(cluster.world.nodes)
        self._copies: dict[str, Copy] = {}
        cluster.world.membership.on_settled(self._settled)

    def ha(self, node: str) -> HaFiles:
        """HA's files as a node has them."""
        copy = self._copies.get(node)
        return copy.ha if copy else self._cluster.ha.files

    def place(self, vmid: int, node: str) -> str:
        """Under which node a guest's file lies, as that node has it."""
        copy = self._copies.get(node)
        return copy.places.get(vmid, "") if copy else self._cluster.guests[vmid].node

    def cut_off(self, node: str) -> None:
        """From now on a node learns no more of what is written."""
        if node in self._copies:
            return
        places = {vmid: guest.node for vmid, guest in self._cluster.guests.items()}
        self._copies[node] = Copy(self._cluster.world.clock.now(), self._cluster.ha.files.copy(), places)

    def _settled(self, nodes: frozenset[str]) -> None:
        world = self._cluster.world
        if world.cluster is not self._cluster:
            return
        for name in sorted(nodes):
            if not world.nodes[name].powered:
                continue
            if not world.votes(name).quorate:
                self.cut_off(name)
                continue
            partition = world.membership.members(name)
            if not partition & self._newest:
                self._revert(partition)
            self._newest = set(partition)
            for member in partition:
                world.nodes[member].silent_since = None
                if self._copies.pop(member, None) is not None:
                    self._cluster.ha.locks.joined(member)
        for name in world.nodes.keys() - self._newest:
            self._cluster.fell_silent(name)

    def _revert(self, partition: frozenset[str]) -> None:
        """The newest copy that anyone here has is the database now."""
        copies = [self._copies[name] for name in sorted(partition) if name in self._copies]
        if not copies:
            return
        copy = max(copies, key=lambda one: one.taken)
        self._cluster.ha.files = copy.ha.copy()
        for vmid, node in copy.places.items():
            if (guest := self._cluster.guests.get(vmid)) is not None and guest.node != node:
                guest.moved_away(guest.node, node)
        self._cluster.world.record("pve", "pmxcfs.revert", "/etc/pve", nodes=",".join(sorted(partition)))
