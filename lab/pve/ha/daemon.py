"""What a CRM and an LRM have in common: rounds, their view of the quorum, and how they try for a lock."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.physics.world import World
    from lab.pve.ha.stack import Ha

# A protected lock is tried for six times, a second apart, and at most for about five seconds (reference: pve-ha §1).
TRIES, BETWEEN_TRIES, LONGEST = 6, 1.0, 4.0
# All rounds are five or ten seconds long.
GRID = 5.0
# A loop that sleeps in whole seconds loses a little of each: ten seconds start to start are never quite ten.
STRETCH = 1.01
# How often a daemon of a node without power looks whether it may start again, lab seconds.
DEAD_ROUND = 1.0


class Daemon:
    """A loop on one node: rounds counted from start to start, none while the node has no power."""

    kind = ""
    first_state = ""

    def __init__(self, ha: "Ha", node: str) -> None:
        self.ha = ha
        self.node = node
        self.state = self.first_state
        self.ended = False  # its process has ended in an orderly way
        self.stalled = False  # its process is there and does nothing

    @property
    def world(self) -> "World":
        """The physics."""
        return self.ha.cluster.world

    @property
    def now(self) -> float:
        """Lab time: what takes so long as a round is the same by every clock."""
        return self.world.clock.now()

    @property
    def wall(self) -> float:
        """The node's own clock."""
        return self.world.time_at(self.world.nodes[self.node])

    @property
    def powered(self) -> bool:
        """The node runs."""
        return self.world.nodes[self.node].powered

    @property
    def quorate(self) -> bool:
        """The node's view of the quorum."""
        return self.world.votes(self.node).quorate

    async def run(self, phase: float) -> None:
        """Rounds until the cluster is stopped, laid on a grid of the round's length that begins at `phase`."""
        await self._sleep_to_grid(phase, GRID)
        while True:
            if not self.powered:
                self.died()
                await self.ha.cluster.sleep(DEAD_ROUND)
                continue
            await self._sleep_to_grid(phase, GRID if self.ended or self.stalled else await self.round())

    async def _sleep_to_grid(self, phase: float, length: float) -> None:
        """Until the next full round."""
        length *= STRETCH
        since = (self.now - phase) % length
        if self.now < phase:
            since = max(0.0, length - (phase - self.now))
        await self.ha.cluster.sleep(length - since if since < length - 0.001 else 2 * length - since)

    def died(self) -> None:
        """Processes and what they kept in memory are gone with the power; a round that was under way may come last."""
        self.state = self.first_state
        self.forget()

    def forget(self) -> None:
        """What a daemon kept in memory is gone: the next one is a new process."""
        self.ended = self.stalled = False

    async def round(self) -> float:
        """One round; returns the length of rounds from now on."""
        raise NotImplementedError

    async def protected(self, lock: str) -> bool:
        """Try for a lock that is watched over: success feeds this daemon's watchdog."""
        began = self.now
        for number in range(TRIES):
            while self.powered and self.world.membership.stalled(self.node):
                await self.ha.cluster.sleep(0.2)  # the write hangs until the membership is settled
            if not self.powered:
                return False
            if self.ha.locks.attempt(lock, self.kind, self.node):
                self.ha.watchdogs[self.node].refresh(self.kind)
                return True
            if number == TRIES - 1 or self.now - began > LONGEST:
                break
            await self.ha.cluster.sleep(BETWEEN_TRIES)
        return False
