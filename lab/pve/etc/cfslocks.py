"""The lock directories below /etc/pve/priv/lock, as the HA daemons use them (reference: pve-ha §3).

A lock's age is kept by each node's file system on its own, by its own clock, and counts anew where it has just started:
so a joiner with the lowest number makes every lock wait for another two minutes.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.physics.world import World

LIFETIME = 120.0  # seconds by the deciding node's clock; only what is strictly older is removed
MANAGER = "ha_manager_lock"


def agent(node: str) -> str:
    """The lock of a node's LRM."""
    return f"ha_agent_{node}_lock"


class CfsLocks:
    """The directories there are, and what each process and each node's file system remember of them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.held: dict[str, str] = {}  # lock -> who made the directory last
        self._touched: dict[str, dict[str, float]] = {}  # node -> lock -> its clock at the last touch it saw
        self._got: dict[tuple[str, str], float] = {}  # (process, lock) -> its clock when it got or refreshed it

    def attempt(self, lock: str, process: str, node: str) -> bool:
        """One try of a daemon (``crm`` or ``lrm``) of a node. Without quorum nothing can be written, so it fails.

        Who had the lock less than two minutes ago just touches it and does not look whose it is.
        """
        world = self._world
        if not world.membership.writable(node):
            return False
        key, now = (f"{process}:{node}", lock), world.time_at(world.nodes[node])
        fresh = now - self._got.get(key, float("-inf")) < LIFETIME
        if lock not in self.held:
            self.held[lock] = key[0]
        elif not fresh:
            self._ask_to_unlock(lock, node)
            return False
        self._got[key] = now
        self._touch(lock, node)
        return True

    def release(self, lock: str, process: str, node: str) -> None:
        """Give it back: the directory is removed at once."""
        self._got.pop((f"{process}:{node}", lock), None)
        if self._world.membership.writable(node):
            self.held.pop(lock, None)

    def forget(self, node: str) -> None:
        """The processes of a node are gone, and what they remembered."""
        self._got = {key: when for key, when in self._got.items() if not key[0].endswith(f":{node}")}

    def joined(self, node: str) -> None:
        """A node's file system has started, or taken over a fresher database: for it all locks are new."""
        now = self._world.time_at(self._world.nodes[node])
        self._touched[node] = dict.fromkeys(self.held, now)

    def age(self, lock: str, node: str) -> float:
        """Seconds since the last touch, as a node's file system counts them."""
        now = self._world.time_at(self._world.nodes[node])
        return now - self._touched.setdefault(node, {}).setdefault(lock, now)

    def _touch(self, lock: str, node: str) -> None:
        for name in self._world.membership.members(node):
            self._touched.setdefault(name, {})[lock] = self._world.time_at(self._world.nodes[name])

    def _ask_to_unlock(self, lock: str, node: str) -> None:
        """The lowest-numbered member decides; the one who asked gets the lock at its next attempt."""
        nodes = self._world.nodes
        decider = min(self._world.membership.members(node), key=lambda name: nodes[name].node_id)
        if self.age(lock, decider) > LIFETIME:
            self.held.pop(lock, None)
