"""The cluster resource manager of each node: one of them is master and decides what the LRMs shall do.

Rounds and transitions follow the reference pve-ha, sections 1 and 3 to 9.
Maintenance, rules and notifications are not in here yet.
"""

from typing import TYPE_CHECKING

from lab.proxmox.ha_daemon import Daemon
from lab.proxmox.ha_state import MOVING, SUCCESS, WRONG_NODE, Manager, Service, requested

if TYPE_CHECKING:
    from lab.ha import Ha

MASTER_ROUND = 10.0
SLAVE_ROUND = 5.0
FENCE_DELAY = 60.0  # since the current master last saw the node; a new master remembers nothing
IDLE_ROUNDS = 90  # fifteen minutes without a configured service: the master gives up


# States from which a service is given up when its node is lost; a stopped one only while it is to stay stopped.
FENCED_FROM = ("started", "stopped", "request_stop", *MOVING)
# Configuration locks that recovery takes away; any other one stays and makes the start fail (reference: pve-ha §9).
REMOVED_LOCKS = (
    "backup", "mounted", "migrate", "clone", "rollback", "snapshot", "snapshot-delete", "suspending", "suspended",
)  # fmt: skip


class Crm(Daemon):
    """The cluster resource manager of a node: one of them is master and decides."""

    first_state = "wait_for_quorum"

    def __init__(self, ha: "Ha", node: str) -> None:
        super().__init__(ha, node)
        self._idle_rounds = 0
        self._last_online: dict[str, float] = {}

    async def round(self) -> float:
        """Wait for quorum, try to become master, or manage."""
        if not self.quorate:
            self.state = "wait_for_quorum"
            return SLAVE_ROUND
        if self.state != "master":
            self.state = "master" if self._may_lead() and self._lock() else "slave"
            if self.state == "slave":
                return SLAVE_ROUND
            self._idle_rounds = 0
            before = self.ha.manager or Manager(self.node, int(self.now))
            self.ha.manager = Manager(self.node, int(self.now), nodes=before.nodes, services=before.services)
            self._last_online.clear()
        elif not self._lock():
            self.state = "wait_for_quorum"
            return SLAVE_ROUND
        self._manage()
        return MASTER_ROUND if self.state == "master" else SLAVE_ROUND

    def _lock(self) -> bool:
        return self.ha.locks.take("ha_manager_lock", self.node, self.now)

    def _may_lead(self) -> bool:
        """Nobody leads while nothing is configured; the very first time it is the first node's turn."""
        ha = self.ha
        first_is_up = ha.cluster.world.nodes[ha.first_master].powered
        return bool(ha.resources) and (ha.manager is not None or self.node == ha.first_master or not first_is_up)

    def _manage(self) -> None:
        """One pass: nodes, configuration, commands, then the services until nothing changes any more."""
        manager = self.ha.manager
        if manager is None:
            return
        self._look_at_nodes(manager)
        self._follow_configuration(manager)
        self._take_commands(manager)
        changing = True
        while changing:
            changed = sum(self._turn(manager, sid) for sid in sorted(manager.services))
            changing = changed + self._fence(manager) > 0
        manager.timestamp = int(self.now)
        self._idle_rounds = 0 if self.ha.resources else self._idle_rounds + 1
        if self._idle_rounds > IDLE_ROUNDS:
            self.ha.locks.release("ha_manager_lock", self.node)
            self.state = "slave"

    def _look_at_nodes(self, manager: Manager) -> None:
        """A fenced node stays so until its lock is had, even if it is back."""
        members = self.ha.cluster.world.votes(self.node).members
        for name in self.ha.crms:
            self._last_online.setdefault(name, self.now)
            state = manager.nodes.get(name, "online" if name in members else "unknown")
            if name in members:
                self._last_online[name] = self.now
                state = state if state == "fence" else "online"
            elif state == "online":
                state = "unknown"
            manager.nodes[name] = state

    def _lost(self, manager: Manager, node: str) -> bool:
        """Away for longer than the fence delay, or given up already."""
        if manager.nodes.get(node) == "fence":
            return True
        return manager.nodes.get(node) == "unknown" and self.now - self._last_online[node] >= FENCE_DELAY

    def _fence(self, manager: Manager) -> int:
        """Try the agent locks of nodes that must be fenced; with a lock had, the node's services are recovered."""
        recovered, had = 0, dict[str, bool]()
        for sid in sorted(manager.services):
            service = manager.services[sid]
            if service.state != "fence":
                continue
            if service.node not in had:
                had[service.node] = self.ha.locks.fence(f"ha_agent_{service.node}_lock", self.node, self.now)
                manager.nodes[service.node] = "unknown" if had[service.node] else "fence"
            if had[service.node]:
                self._change(service, "recovery")
                recovered += 1
        return recovered

    def _recover(self, manager: Manager, sid: str, service: Service, wanted: str) -> None:
        """Move the guest's file to the online node with the fewest services; without one, try again each round."""
        online = [name for name, state in manager.nodes.items() if state == "online"]
        guest = self.ha.cluster.guests.get(int(sid.partition(":")[2]))
        if not online or guest is None:
            return
        load = {
            name: sum(s.node == name and s.state != "stopped" for s in manager.services.values()) for name in online
        }
        target = min(online, key=lambda name: (load[name], name))
        if guest.lock in REMOVED_LOCKS:
            guest.lock = None
        source, guest.node, guest.lost_at = guest.node, target, None
        self.ha.cluster.world.record(self.node, "ha.recover", sid, source=source, to=target)
        self._change(service, "started" if wanted == "started" else "request_stop", node=target)

    def _follow_configuration(self, manager: Manager) -> None:
        for sid, resource in self.ha.resources.items():
            if sid not in manager.services and requested(resource) != "ignored":
                state = "request_start" if requested(resource) == "started" else "request_stop"
                manager.services[sid] = Service(self.ha.guest_node(sid), state, self.ha.uid())
        for sid in list(manager.services):
            if requested(self.ha.resources.get(sid, {"state": "ignored"})) == "ignored":
                del manager.services[sid]
                self.ha.ends(sid)

    def _take_commands(self, manager: Manager) -> None:
        """Empty the queue. What is refused here leaves no trace in the API, only in this daemon's log."""
        queue, self.ha.commands = self.ha.commands, []
        for command, sid, argument in queue:
            service = manager.services.get(sid)
            accepted = service is not None and (command == "stop" or manager.nodes.get(argument) == "online")
            if service is None or not accepted:
                self.ha.ends(sid)
            else:
                service.command = (command, argument)
                if command == "stop":
                    self.ha.update_resource(sid, {"state": "stopped"})

    def _turn(self, manager: Manager, sid: str) -> bool:
        """Let one service take one step; true when its state changed."""
        service = manager.services[sid]
        before = service.state
        wanted = requested(self.ha.resources[sid])
        result = self.ha.lrms[service.node].results.get(service.uid) if service.node in self.ha.lrms else None
        code = None if result is None else int(result["exit_code"])
        if before in FENCED_FROM and self._lost(manager, service.node) and (before != "stopped" or wanted == "stopped"):
            manager.nodes[service.node] = "fence"
            self._change(service, "fence")
        elif before == "recovery":
            self._recover(manager, sid, service, wanted)
        elif before == "request_start":
            self._change(service, "started")
        elif before == "started":
            self._turn_started(manager, sid, service, wanted, code)
        elif before == "request_stop" and code is not None:
            self._change(service, "stopped" if code == SUCCESS else "error")
            self.ha.ends(sid)
        elif before == "stopped" and wanted == "started":
            self._change(service, "request_start")
        elif before in MOVING and code is not None:
            arrived = service.target if code == SUCCESS and service.target else service.node
            self._change(service, "error" if code == WRONG_NODE else "started", node=arrived)
        elif before == "error" and wanted == "disabled":
            service.failed_nodes = []
            self._change(service, "stopped")
        return service.state != before

    def _turn_started(self, manager: Manager, sid: str, service: Service, wanted: str, code: int | None) -> None:
        if wanted != "started":
            service.timeout = int(service.command[1]) if service.command and service.command[0] == "stop" else None
            service.command = None
            self._change(service, "request_stop")
        elif service.command is not None:
            (kind, target), service.command = service.command, None
            if kind in MOVING and target != service.node:
                self._change(service, kind, target=target)
            else:
                self.ha.ends(sid)
        elif code == SUCCESS:
            # a new order each time, so that the LRM looks after the guest again and restarts one that went down
            service.running, service.failed_nodes, service.uid = True, [], self.ha.uid()
            self.ha.ends(sid)
        elif code is not None:
            self._start_failed(manager, sid, service)

    def _start_failed(self, manager: Manager, sid: str, service: Service) -> None:
        """The LRM gave up: move the service to a node where it has not failed, within its policy."""
        service.failed_nodes.append(service.node)
        left = int(self.ha.resources[sid].get("max_relocate", 1)) - len(service.failed_nodes)
        candidates = [name for name, state in manager.nodes.items() if state == "online"]
        untried = [name for name in candidates if name not in service.failed_nodes]
        if left < 0 or not untried:
            self._change(service, "error")
            self.ha.ends(sid)
            return
        load = {name: sum(s.node == name for s in manager.services.values()) for name in untried}
        self._change(service, "migrate", target=min(untried, key=lambda name: (load[name], name)))

    def _change(self, service: Service, state: str, *, node: str | None = None, target: str | None = None) -> None:
        service.state, service.uid, service.running = state, self.ha.uid(), False
        service.node, service.target = node or service.node, target
