"""/etc/pve as each node has it: one database, which only a quorate partition can change.

What one node writes all members of its membership have, quorate or not. A node that is cut off from whoever may write
goes on reading what it had. Where nodes meet, the database of the highest version counts, as it has been written
longest; a partition that becomes quorate alone goes on from the best that it has.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.pve.etc.files import Files
from lab.pve.ha.state import HaFiles

if TYPE_CHECKING:
    from lab.pve.models import Cluster


@dataclass
class Copy:
    """What a node had when it was cut off."""

    version: float
    ha: HaFiles
    files: Files


class Pmxcfs:
    """Who has the database that counts now, and the copies of the others.

    The version is the time for which it could be written, in lab seconds: every round of HA writes into it. Nobody can
    write while the membership changes, so the nodes of one ring part with one version, however late each notices.
    """

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._holders: set[str] = set(cluster.world.nodes)
        self._copies: dict[str, Copy] = {}
        self._latest: tuple[tuple[float, int], Copy] | None = None
        self._version = 0.0
        self._written_since: float | None = cluster.world.clock.now()
        cluster.world.membership.on_formed(self._formed)
        cluster.world.membership.on_settled(self._settled)
        cluster.world.links.on_change(self._changed)

    def ha(self, node: str) -> HaFiles:
        """HA's files as a node has them."""
        copy = self._copies.get(node)
        return copy.ha if copy else self._cluster.ha.files

    def place(self, vmid: int, node: str) -> str:
        """Under which node a guest's file lies, as that node has it; blank where it knows of none."""
        copy, guest = self._copies.get(node), self._cluster.guests.get(vmid)
        if copy is not None:
            guest = copy.files.guests.get(vmid)
        return guest.node if guest else ""

    def files(self, node: str) -> Files | None:
        """All other files as a node has them; None while it has those that count."""
        copy = self._copies.get(node)
        return copy.files if copy else None

    def cut_off(self, node: str) -> None:
        """From now on a node learns no more of what is written."""
        if node in self._copies:
            return
        self._count()
        world = self._cluster.world
        moment = (world.clock.now(), len(world.changes))
        if self._latest is None or self._latest[0] != moment:
            self._latest = (moment, Copy(self._version, self._cluster.ha.files.copy(), Files.now(self._cluster)))
        self._copies[node] = self._latest[1]  # nodes that are cut off by one blow share it: nobody writes into it

    def _formed(self, ring: frozenset[str]) -> None:
        """Whoever is in a new ring, or was left behind by it, has what was written until then, and no more for now."""
        world = self._cluster.world
        if world.cluster is self._cluster:
            left = {name for name, host in world.nodes.items() if host.powered and world.membership.ring(name) & ring}
            for name in sorted(ring | left):
                self.cut_off(name)

    def _count(self) -> None:
        now = self._cluster.world.clock.now()
        if self._written_since is not None:
            self._version += now - self._written_since
            self._written_since = now

    def _changed(self) -> None:
        """Links, or the power of nodes: while a membership is under way, nothing is written."""
        if self._cluster.world.cluster is self._cluster:
            self._count_on()

    def _count_on(self) -> None:
        self._count()
        world = self._cluster.world
        writable = any(world.membership.writable(name) for name in world.nodes)
        self._written_since = world.clock.now() if writable else None

    def _settled(self, nodes: frozenset[str]) -> None:
        """A membership or its votes have changed."""
        world = self._cluster.world
        if world.cluster is not self._cluster:
            return
        self._count()
        for name in sorted(nodes):
            if world.nodes[name].powered:
                ring = self._ring(name)
                if any(world.membership.writable(member) for member in ring):
                    self._meet(ring)
                else:
                    for member in sorted(ring):
                        self.cut_off(member)
                    self._share(ring)
        self._count_on()

    def _ring(self, node: str) -> frozenset[str]:
        """The members of a node's membership that are in it, whether each has announced it yet or not."""
        membership = self._cluster.world.membership
        ring = membership.ring(node)
        return frozenset(name for name in ring if membership.ring(name) == ring)

    def _meet(self, partition: frozenset[str]) -> None:
        """The nodes of a quorate partition take over the best database that one of them has."""
        copies = {name: self._copies[name] for name in sorted(partition) if name in self._copies}
        best = max(copies, key=lambda name: copies[name].version, default=None)
        here = bool(partition & self._holders)
        if best is not None and (not here or copies[best].version > self._version):
            self._revert(copies[best], partition)
        self._holders = set(partition)
        for member in sorted(partition):
            copy = self._copies.pop(member, None)
            if copy is not None and copy.version < self._version:
                self._cluster.ha.locks.joined(member)

    def _share(self, ring: frozenset[str]) -> None:
        """Without quorum nobody writes, but who comes to a ring takes over the freshest database in it all the same."""
        best = max((self._copies[name] for name in sorted(ring)), key=lambda copy: copy.version)
        for member in sorted(ring):
            if self._copies[member].version < best.version:
                self._copies[member] = best
                self._cluster.ha.locks.joined(member)

    def _revert(self, copy: Copy, partition: frozenset[str]) -> None:
        """Another database counts from now on; those who have the former one keep it for themselves."""
        for name in self._holders - partition:
            self.cut_off(name)
        self._cluster.ha.files = copy.ha.copy()
        self._version = copy.version
        copy.files.come_back(self._cluster)
        self._cluster.world.record("pve", "pmxcfs.revert", "/etc/pve", nodes=",".join(sorted(partition)))
