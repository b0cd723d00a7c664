"""Votes: who is quorate after which loss, for each size of the sites and each kind of third place. Pure.

Each node has one vote, and a partition acts with more than half of all. A quorum device with the algorithm ffsplit has
one vote more and gives it to a partition of at least half of the nodes. Nodes at a third place have a vote each.
Sources: votequorum(5), corosync-qdevice(8), pvecm (`PVE::CLI::pvecm`, qdevice setup).
"""

from dataclasses import dataclass


def quorum_of(votes: int) -> int:
    """Votes that are needed to act: more than half."""
    return votes // 2 + 1


@dataclass(frozen=True)
class Sizes:
    """How many nodes each site has, and the third place; without nodes there it has a quorum device (ffsplit)."""

    sites: tuple[int, int]
    third: int = 0

    @property
    def nodes(self) -> int:
        """All members of the cluster."""
        return sum(self.sites) + self.third

    @property
    def votes(self) -> int:
        """All votes: the quorum device has one."""
        return self.nodes + (not self.third)

    @property
    def quorum(self) -> int:
        """Votes that are needed to act."""
        return quorum_of(self.votes)

    def without_site(self, lost: int) -> int:
        """Votes that are left when a site (0 or 1) is lost as a whole; ffsplit votes for no minority of the nodes."""
        left = self.sites[1 - lost]
        return left + (self.third or int(2 * left >= self.nodes))

    def without_third(self) -> int:
        """Votes that are left when the third place is lost as a whole."""
        return sum(self.sites)

    def fatal(self) -> tuple[int, ...]:
        """The sites (0, 1), and the third place (2), whose loss leaves no quorum."""
        left = (self.without_site(0), self.without_site(1), self.without_third())
        return tuple(place for place, votes in enumerate(left) if votes < self.quorum)


def least_third(sites: tuple[int, int]) -> int:
    """With how many nodes at a third place at least the loss of any one place leaves a quorum."""
    return max(1, abs(sites[0] - sites[1]) + 1)
