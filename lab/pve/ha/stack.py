"""The HA stack of a cluster: one CRM and one LRM per node, in rounds of lab time.

Here is what the daemons share: HA's files below /etc/pve as each node sees them, locks and watchdogs.
The daemons are `lab.pve.ha.crm` and `lab.pve.ha.lrm`; what the master decides is in `lab.pve.ha.manager`.
"""

import base64
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from lab.physics.watchdog import Watchdog
from lab.pve.etc.cfslocks import CfsLocks
from lab.pve.ha.crm import Crm
from lab.pve.ha.lrm import Lrm
from lab.pve.ha.manager import Mail
from lab.pve.ha.state import HaFiles, LrmStatus, Manager, RoundFailed, requested
from lab.pve.views.ha import status_current

if TYPE_CHECKING:
    from lab.pve.models import Cluster

Announce = Callable[[str, Mail, Manager | None], Awaitable[None]]
# Seconds from the start of the cluster to the first round of each daemon. In a real cluster these are chance, and they
# shift what happens by up to a round of ten seconds; so each is drawn, from the world's seed.
PHASES = (4.0, 14.1)
# A master's log is as long as a person reads.
LOG_LINES = 1000


class Ha:
    """The cluster's HA. `files` is what the quorate partition has; a node that is cut off keeps an older copy."""

    def __init__(self, cluster: "Cluster") -> None:
        self.cluster = cluster
        world = cluster.world
        nodes = list(world.nodes)
        self.files = HaFiles(lrms={node: LrmStatus() for node in nodes})
        self.locks = CfsLocks(world)
        self.watchdogs = {node: Watchdog(world, node) for node in nodes}
        # Any slave could be first; in the twin it is the first node, so that runs repeat.
        self.first_master = nodes[0]
        self.crms = {node: Crm(self, node) for node in nodes}
        self.lrms = {node: Lrm(self, node) for node in nodes}
        self.phases = dict.fromkeys(nodes, (PHASES, PHASES))
        self.announce: Announce = _nobody
        self._since: dict[str, float] = {}  # sid -> wall second since which a transition is under way

    def start(self) -> None:
        """Start the daemons of all nodes."""
        now, draw = self.cluster.world.clock.now(), self.cluster.world.random.uniform
        for node, (crm, lrm) in self.phases.items():
            self.cluster.spawn(self.crms[node].run(now + draw(*crm)))
            self.cluster.spawn(self.lrms[node].run(now + draw(*lrm)))

    # --- what a node sees ----------------------------------------------------------------------------------------

    def seen_by(self, node: str) -> HaFiles:
        """HA's files as a node has them."""
        return self.cluster.pmxcfs.ha(node)

    @property
    def manager(self) -> Manager | None:
        """The file manager_status as the quorate partition has it."""
        return self.files.manager

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The file resources.cfg: only what is set in it."""
        return self.files.resources

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        """The file rules.cfg."""
        return self.files.rules

    @property
    def commands(self) -> list[tuple[str, str, str]]:
        """The command queue, emptied by the master."""
        return self.files.commands

    def status_current(self, node: str) -> list[dict[str, Any]]:
        """``/cluster/ha/status/current`` as that node answers it; `ha-manager status` prints the same entries."""
        return status_current(self, node)

    def manages(self, vmid: int) -> bool:
        """True when HA acts on the guest's behalf, be it a virtual machine or a container."""
        return any(_is_managed(self.files, f"{kind}:{vmid}") for kind in ("vm", "ct"))

    def is_managed(self, sid: str, node: str) -> bool:
        """The same of one service, by the files as a node has them."""
        return _is_managed(self.seen_by(node), sid)

    def crm_state(self, sid: str) -> str | None:
        """The manager's state of a service; None before it knows the service."""
        service = self.manager.services.get(sid) if self.manager else None
        return service.state if service else None

    def guest_node(self, sid: str) -> str:
        """Where the guest's configuration lies."""
        guest = self.cluster.guests.get(int(sid.partition(":")[2]))
        return guest.node if guest else ""

    def unmanaged_guests(self) -> dict[str, int]:
        """Node -> running guests that HA does not know: they count when the load is compared."""
        found: dict[str, int] = {}
        for guest in self.cluster.guests.values():
            if guest.running and not self.manages(guest.vmid):
                found[guest.node] = found.get(guest.node, 0) + 1
        return found

    # --- what happens to nodes -----------------------------------------------------------------------------------

    def node_died(self, node: str) -> None:
        """Daemons, watchdog and what both remember are gone."""
        self.crms[node].died()
        self.lrms[node].died()
        self.cluster.world.nodes[node].stopped.discard("pve-ha-crm")  # a boot starts what is enabled
        self.watchdogs[node].lost_power()
        self.locks.forget(node)

    # --- changes -------------------------------------------------------------------------------------------------

    def steal(self, sid: str, source: str, target: str, removable: tuple[str, ...]) -> None:
        """Give a fenced node's guest to another one: its file is moved, and a lock of its old life removed.

        A guest whose migration had ended when its node died, and of which no report was written any more, has its file
        elsewhere already. HA does not look for it there: the file it wants to read is missing, and the round ends
        (source: Manager.pm, next_state_recovery; Resources/PVEVM.pm, remove_locks).
        """
        guest = self.cluster.guests.get(int(sid.partition(":")[2]))
        if guest is None:
            return
        if guest.node != source:
            raise RoundFailed(f"Configuration file '{guest.file(source)}' does not exist")
        if guest.lock in removable:
            guest.lock = None
        guest.moved_away(target)

    def update_resource(self, sid: str, changes: dict[str, Any], delete: tuple[str, ...] = ()) -> None:
        """Change what resources.cfg says; what changes nothing is not noted."""
        resource = self.resources.get(sid)
        if resource is None:
            return
        before = dict(resource)
        resource.update(changes)
        for name in delete:
            resource.pop(name, None)
        if resource != before:
            detail = changes | dict.fromkeys(delete)
            self.cluster.world.record("pve", "ha.resource.update", sid, **detail)

    def begins(self, sid: str) -> None:
        """Note that a transition was asked for: until it is through, the cluster counts as working."""
        self._since.setdefault(sid, time.monotonic())

    def ends(self, sid: str) -> None:
        """Note that the service has arrived."""
        if (since := self._since.pop(sid, None)) is not None:
            self.cluster.world.busy.append((since, time.monotonic(), f"ha {sid}"))

    def log(self, node: str, line: str) -> None:
        """A line of the master's log; it is in the node's journal and nowhere in the API."""
        journal = self.cluster.world.nodes[node].journal.setdefault("pve-ha-crm", [])
        journal.append(line)
        del journal[:-LOG_LINES]

    def uid(self) -> str:
        """A new identifier for an order."""
        return base64.b64encode(self.cluster.world.random.randbytes(16)).decode().rstrip("=")


def _is_managed(files: HaFiles, sid: str) -> bool:
    """Configured and not ignored, neither by itself nor with all others (source: HA/Config.pm)."""
    disarm = files.manager.disarm if files.manager else None
    resource = files.resources.get(sid)
    return resource is not None and requested(resource) != "ignored" and (disarm or {}).get("mode") != "ignore"


async def _nobody(node: str, mail: Mail, before: Manager | None) -> None:
    """Nobody is told while no notifications are configured."""
