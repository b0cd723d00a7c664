"""The cluster resource manager of each node: one of them is master and decides what the LRMs shall do.

Rounds and transitions follow the reference pve-ha, sections 1, 6 and 7, for a healthy cluster.
Fencing and recovery are not in here yet.
"""

from typing import TYPE_CHECKING

from lab.proxmox.ha_daemon import Daemon
from lab.proxmox.ha_state import MOVING, SUCCESS, WRONG_NODE, Manager, Service, requested

if TYPE_CHECKING:
    from lab.ha import Ha

MASTER_ROUND = 10.0
SLAVE_ROUND = 5.0
IDLE_ROUNDS = 90  # fifteen minutes without a configured service: the master gives up


class Crm(Daemon):
    """The cluster resource manager of a node: one of them is master and decides."""

    first_state = "wait_for_quorum"

    def __init__(self, ha: "Ha", node: str) -> None:
        super().__init__(ha, node)
        self._idle_rounds = 0

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
            services = self.ha.manager.services if self.ha.manager else {}
            self.ha.manager = Manager(self.node, int(self.now), services=services)
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
        members = self.ha.cluster.world.votes(self.node).members
        manager.nodes = {name: "online" if name in members else "unknown" for name in self.ha.crms}
        self._follow_configuration(manager)
        self._take_commands(manager)
        changing = True
        while changing:
            changing = sum(self._turn(manager, sid) for sid in sorted(manager.services)) > 0
        manager.timestamp = int(self.now)
        self._idle_rounds = 0 if self.ha.resources else self._idle_rounds + 1
        if self._idle_rounds > IDLE_ROUNDS:
            self.ha.locks.release("ha_manager_lock", self.node)
            self.state = "slave"

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
        if before == "request_start":
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
