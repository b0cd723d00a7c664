"""watchdog-mux and softdog of each node: who opened a watchdog and falls silent for a minute is reset.

Once a client has been silent for more than 60 s nothing helps any more: the device is not fed again and resets the
node 10 s later (reference: pve-ha §§1 and 4; the client's time is read from the node's own clock).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.physics.power import reset

if TYPE_CHECKING:
    from lab.physics.world import Host, World

CLIENT_TIMEOUT = 60.0
DEVICE_TIMEOUT = 10.0
# watchdog-mux looks every second; where nothing can be due, looking less often comes to the same.
SHORTEST, LONGEST = 1.0, 10.0


@dataclass
class Watchdog:
    """One node's. A client is a daemon: ``lrm`` or ``crm``."""

    world: "World"
    node: str
    clients: dict[str, float] = field(default_factory=dict)  # client -> the node's clock at its last refresh
    expired: bool = False
    _looking: bool = False

    @property
    def _host(self) -> "Host":
        return self.world.nodes[self.node]

    def refresh(self, client: str) -> None:
        """Open, or say that one is alive."""
        self.clients[client] = self.world.time_at(self._host)
        if not self._looking:
            self._looking = True
            self.world.after(SHORTEST, self._look)

    def close(self, client: str) -> None:
        """Give it up in an orderly way: the node is not reset because of it."""
        self.clients.pop(client, None)

    def lost_power(self) -> None:
        """Clients and expiry are gone with the machine."""
        self.clients.clear()
        self.expired = False

    def _look(self) -> None:
        now = self.world.time_at(self._host)
        late = [client for client, last in self.clients.items() if now - last > CLIENT_TIMEOUT]
        if late and not self.expired:
            self.expired = True
            self.world.record(self.node, "watchdog.expired", self.node, clients=",".join(late))
            up_since = self._host.up_since
            self.world.after(DEVICE_TIMEOUT, lambda: self._fire(up_since))
        self._looking = bool(self.clients)
        if self._looking:
            due = CLIENT_TIMEOUT - (now - min(self.clients.values()))
            self.world.after(min(max(SHORTEST, due), LONGEST), self._look)

    def _fire(self, up_since: float) -> None:
        """The device resets the machine, unless that has been off since then, or the device fails."""
        if not self._host.powered or self._host.up_since != up_since:
            return
        if self._host.softdog_fails:
            self.world.record(self.node, "watchdog.failed", self.node)
            return
        reset(self.world, self.node)
