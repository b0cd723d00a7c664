"""What the HA daemons share below /etc/pve: services as the manager knows them, locks and requested states."""

from dataclasses import dataclass, field
from typing import Any

LOCK_LIFETIME = 120.0  # lab seconds; a lock that is strictly older may be taken by another owner

# States in which a service is on its way to `target`.
MOVING = ("migrate", "relocate")

# Exit codes of the LRM's workers.
SUCCESS, ERROR, AGAIN, WRONG_NODE = 0, 1, 2, 3


@dataclass
class Service:
    """What the manager keeps about one service; `uid` changes with every order to an LRM."""

    node: str
    state: str
    uid: str
    target: str | None = None
    running: bool = False
    timeout: int | None = None
    failed_nodes: list[str] = field(default_factory=list)
    command: tuple[str, str] | None = None  # ("migrate", node), waiting for the service's next turn

    def entry(self) -> dict[str, Any]:
        """The service as manager_status holds it: optional fields only when they apply."""
        optional = {
            "target": self.target,
            "running": int(self.running) or None,
            "timeout": self.timeout,
            "failed_nodes": self.failed_nodes or None,
        }
        known = {"node": self.node, "state": self.state, "uid": self.uid}
        return known | {name: value for name, value in optional.items() if value is not None}


@dataclass
class Manager:
    """The file manager_status, written by the master at the end of each round."""

    master: str
    timestamp: int
    nodes: dict[str, str] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)


class Locks:
    """The lock directories below /etc/pve/priv/lock: owner and age."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, float]] = {}
        self._asked: set[str] = set()  # locks that an unlock request has freed: the next attempt gets them

    def take(self, name: str, owner: str, now: float) -> bool:
        """Take or refresh; false while someone else's lock is not older than its lifetime."""
        holder, since = self._held.get(name, (owner, now))
        if holder != owner and now - since <= LOCK_LIFETIME:
            return False
        self._held[name] = (owner, now)
        return True

    def fence(self, name: str, master: str, now: float) -> bool:
        """The master takes a lost node's lock: the first attempt on an expired one frees it, the next one gets it."""
        holder, since = self._held.get(name, (master, now))
        if holder != master and now - since <= LOCK_LIFETIME:
            return False
        if holder != master and name not in self._asked:
            self._asked.add(name)
            return False
        self._asked.discard(name)
        self._held[name] = (master, now)
        return True

    def age_anew(self, now: float) -> None:
        """A joiner that is the lowest-numbered node decides about locks, and has seen each for no time at all."""
        self._held = {name: (owner, now) for name, (owner, _) in self._held.items()}

    def release(self, name: str, owner: str) -> None:
        """Give it back, if it is one's own."""
        if self._held.get(name, ("", 0.0))[0] == owner:
            del self._held[name]


def requested(resource: dict[str, Any]) -> str:
    """The requested state of a resource; `enabled` is an old word for started."""
    state = str(resource.get("state", "started"))
    return "started" if state == "enabled" else state
