"""The loop that a CRM and an LRM have in common."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.ha import Ha

# How long a daemon of a node without power waits before it looks again, lab seconds.
DEAD_ROUND = 5.0


class Daemon:
    """A loop on one node: rounds counted from start to start, none while the node has no power."""

    first_state = ""

    def __init__(self, ha: "Ha", node: str) -> None:
        self.ha = ha
        self.node = node
        self.state = self.first_state

    @property
    def now(self) -> float:
        """Lab time."""
        return self.ha.cluster.world.clock.now()

    @property
    def quorate(self) -> bool:
        """The node's view of the quorum."""
        return self.ha.cluster.world.votes(self.node).quorate

    async def run(self) -> None:
        """Rounds until the cluster is stopped."""
        while True:
            began, pause = self.now, DEAD_ROUND
            if self.ha.cluster.world.nodes[self.node].powered:
                pause = await self.round()
            else:
                self.state = self.first_state
                self.forget()
            await self.ha.cluster.sleep(began + pause - self.now)

    def forget(self) -> None:
        """What a daemon kept in memory is gone with the power."""

    async def round(self) -> float:
        """One round; returns how long after its start the next one begins."""
        raise NotImplementedError
