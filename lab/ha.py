"""The HA stack of a cluster: one CRM and one LRM per node, in rounds of lab time.

Here is what the daemons share: resources, the command queue, the manager's status and the locks.
The daemons are `lab.proxmox.crm` and `lab.proxmox.lrm`; how the status reads is in `lab.proxmox.ha_status`.
Watchdogs, maintenance and arm and disarm are not in here yet.
"""

import base64
import time
from typing import TYPE_CHECKING, Any

from lab.proxmox.crm import Crm
from lab.proxmox.ha_state import Locks, Manager, requested
from lab.proxmox.ha_status import status_current
from lab.proxmox.lrm import Lrm

if TYPE_CHECKING:
    from lab.proxmox.models import Cluster


class Ha:
    """The cluster's HA: configuration, shared status and the daemons of all nodes."""

    def __init__(self, cluster: "Cluster") -> None:
        self.cluster = cluster
        self.resources: dict[str, dict[str, Any]] = {}  # only what is set in resources.cfg
        self.rules: dict[str, dict[str, Any]] = {}
        self.commands: list[tuple[str, str, str]] = []  # (command, sid, argument), emptied by the master
        self.manager: Manager | None = None
        self.locks = Locks()
        nodes = list(cluster.world.nodes)
        # Any slave could be first; in the twin it is the first node, so that runs repeat.
        self.first_master = nodes[0]
        self.crms = {node: Crm(self, node) for node in nodes}
        self.lrms = {node: Lrm(self, node) for node in nodes}
        self._since: dict[str, float] = {}  # sid -> wall second since which a transition is under way

    def start(self) -> None:
        """Start the daemons of all nodes."""
        for node in self.crms:
            self.cluster.spawn(self.crms[node].run())
            self.cluster.spawn(self.lrms[node].run())

    def status_current(self, node: str) -> list[dict[str, Any]]:
        """``/cluster/ha/status/current`` as that node answers it; `ha-manager status` prints the same entries."""
        return status_current(self, node)

    def manages(self, vmid: int) -> bool:
        """True when HA acts on the guest's behalf."""
        resource = self.resources.get(f"vm:{vmid}")
        return resource is not None and requested(resource) != "ignored"

    def crm_state(self, sid: str) -> str | None:
        """The manager's state of a service; None before it knows the service."""
        service = self.manager.services.get(sid) if self.manager else None
        return service.state if service else None

    def active_services(self, node: str) -> list[str]:
        """The services that need that node's LRM."""
        quiet = ("stopped", "freeze", "error", "request_start")
        services = self.manager.services.items() if self.manager else ()
        return [sid for sid, s in services if node in (s.node, s.target) and s.state not in quiet]

    def joined(self, nodes: list[str]) -> None:
        """Nodes are up again; if one of them is the lowest-numbered, every lock's age counts anew from now."""
        if next(iter(self.crms)) in nodes:
            self.locks.age_anew(self.cluster.world.clock.now())

    def begins(self, sid: str) -> None:
        """Note that a transition was asked for: until it is through, the cluster counts as working."""
        self._since.setdefault(sid, time.monotonic())

    def ends(self, sid: str) -> None:
        """Note that the service has arrived."""
        if (since := self._since.pop(sid, None)) is not None:
            self.cluster.world.busy.append((since, time.monotonic(), f"ha {sid}"))

    def update_resource(self, sid: str, changes: dict[str, Any], delete: tuple[str, ...] = ()) -> None:
        """Change what resources.cfg says; what changes nothing is not noted."""
        resource = self.resources[sid]
        before = dict(resource)
        resource.update(changes)
        for name in delete:
            resource.pop(name, None)
        if resource != before:
            detail = changes | dict.fromkeys(delete)
            self.cluster.world.record("pve", "ha.resource.update", sid, **detail)

    def guest_node(self, sid: str) -> str:
        """Where the guest's configuration lies."""
        guest = self.cluster.guests.get(int(sid.partition(":")[2]))
        return guest.node if guest else ""

    def uid(self) -> str:
        """A new identifier for an order."""
        return base64.b64encode(self.cluster.world.random.randbytes(16)).decode().rstrip("=")
