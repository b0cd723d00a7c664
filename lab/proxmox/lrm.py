"""The local resource manager of each node: it carries out what the master ordered, and reports.

States, modes and exit codes follow the reference pve-ha, sections 1, 4, 6, 9 and 11.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.proxmox.cfslocks import agent
from lab.proxmox.ha_daemon import Daemon
from lab.proxmox.ha_state import AGAIN, LrmStatus, Service
from lab.proxmox.ha_worker import carry_out

if TYPE_CHECKING:
    from lab.ha import Ha

ACTIVE_ROUND = 10.0
IDLE_ROUND = 5.0
WORKER_WINDOW = 8.0  # an active LRM waits so long for its workers before it writes its status
IDLE_ROUNDS = 60  # ten minutes without a service: the LRM gives up lock and watchdog
MAX_WORKERS = 4  # datacenter.cfg's default


class Lrm(Daemon):
    """A node's LRM. `state` and `mode` are what it knows itself; the others read its file."""

    kind = "lrm"
    first_state = "wait_for_agent_lock"

    def __init__(self, ha: "Ha", node: str) -> None:
        super().__init__(ha, node)
        self.mode = "active"
        self.results: dict[str, dict[str, Any]] = {}
        self.tries: dict[str, int] = {}  # failed starts in a row, by sid
        self.shutting_down = False
        self.leaving = False  # the node goes down and its services are moved away first
        self._queue: dict[str, Service] = {}  # orders that wait for a free worker, by sid
        self._under_way: dict[str, str] = {}  # sid -> the order's uid
        self._idle_rounds = 0
        self._holds = False  # lock and watchdog

    def forget(self) -> None:
        """A new process knows nothing of the last one's orders."""
        self.mode = "active"
        for memory in (self.results, self.tries, self._queue, self._under_way):
            memory.clear()
        self._idle_rounds = 0
        self._holds = self.shutting_down = self.leaving = False

    async def round(self) -> float:
        """Wait idle, or hold the agent lock and work through the orders."""
        self._read_mode()
        began = self.now
        if self.state == "active":
            await self._stay_active()
        elif self.state == "maintenance":
            await self._stay_in_maintenance()
        elif self._wants_lock() and await self.protected(agent(self.node)):
            self.state, self._holds, self._idle_rounds = "active", True, 0
        if not self.powered:
            return IDLE_ROUND
        if self.state in ("active", "maintenance") and self._holds:
            await self._work(began)
        if self.powered:
            self._write_status()
        return ACTIVE_ROUND if self.state == "active" else IDLE_ROUND

    def _wants_lock(self) -> bool:
        """There is work to do, and nobody is about to fence this node."""
        work = (self._holds or self._needed()) and self.mode != "disarm"
        return work and self.quorate and not self._to_be_fenced()

    # --- states --------------------------------------------------------------------------------------------------

    async def _stay_active(self) -> None:
        if self._to_be_fenced() or not await self.protected(agent(self.node)):
            self.state = "lost_agent_lock"
        elif self.mode == "maintenance":
            self.state = "maintenance"
        elif self.mode == "disarm":
            self.give_up()
        elif not self.shutting_down:
            self._idle_rounds = 0 if self._needed() or self._busy else self._idle_rounds + 1
            if self._idle_rounds > IDLE_ROUNDS:
                self.give_up()

    async def _stay_in_maintenance(self) -> None:
        """Hold the lock until the last service has left; back to the beginning when it is over."""
        needed = self._needed() or self._busy
        if (needed or self._holds) and not await self.protected(agent(self.node)):
            self.state = "lost_agent_lock" if self._holds else "maintenance"
        elif needed and not self._holds:
            self._holds = True
        elif self.mode != "maintenance":
            self.state = "active" if self._holds else "wait_for_agent_lock"
        elif not needed and self._holds:
            self.ha.locks.release(agent(self.node), self.kind, self.node)
            self.ha.watchdogs[self.node].close(self.kind)
            self._holds = False

    def give_up(self) -> None:
        """Lock and watchdog are no longer needed: nothing runs here that could be lost."""
        self.ha.locks.release(agent(self.node), self.kind, self.node)
        self.ha.watchdogs[self.node].close(self.kind)
        self.state, self._holds = "wait_for_agent_lock", False

    def _read_mode(self) -> None:
        """What the master asks of this node: maintenance, or to disarm."""
        manager = self.ha.seen_by(self.node).manager
        if manager is None or self.shutting_down or not self.quorate:
            return
        if self.leaving:
            self.mode = "maintenance"
        elif manager.disarm is not None and self._may_disarm(manager.disarm["mode"]):
            self.mode = "disarm"
        elif manager.requests.get(self.node, {}).get("maintenance"):
            self.mode = "maintenance"
            if self.state == "wait_for_agent_lock":
                self.state = "maintenance"
        else:
            self.mode = "active"

    def _may_disarm(self, mode: str) -> bool:
        mine = [service for service in self._services().values() if service.node == self.node]
        frozen = all(service.state in ("freeze", "error", "stopped") for service in mine)
        return not self._busy and (frozen if mode == "freeze" else True)

    def _services(self) -> dict[str, Service]:
        manager = self.ha.seen_by(self.node).manager
        return manager.services if manager else {}

    def _needed(self) -> bool:
        """A service that needs this LRM is assigned here, or is on its way."""
        quiet = ("stopped", "freeze", "error", "request_start")
        return any(self.node in (s.node, s.target) and s.state not in quiet for s in self._services().values())

    def _to_be_fenced(self) -> bool:
        return any(s.node == self.node and s.state == "fence" for s in self._services().values())

    @property
    def _busy(self) -> bool:
        return bool(self._under_way or self._queue)

    # --- work ----------------------------------------------------------------------------------------------------

    async def _work(self, began: float) -> None:
        """Take the orders, and wait for the workers, at most for the window; slower ones report in a later round."""
        if not self.world.membership.writable(self.node):
            return  # an order that is not known to be the last one is not begun
        services = self._services()
        known = {service.uid for service in services.values()}
        self.results = {uid: result for uid, result in self.results.items() if uid in known}
        if not self.shutting_down:
            self._queue.clear()
            for sid, service in sorted(services.items()):
                ordered = service.state not in ("recovery", "freeze", "fence", "request_start")
                if service.node == self.node and ordered and not self._taken(sid, service):
                    self._queue.setdefault(sid, replace(service))
        while self.powered:
            self._begin_workers()
            if not self._busy or self.now - began >= WORKER_WINDOW:
                return
            await self.ha.cluster.sleep(1.0)

    def _taken(self, sid: str, service: Service) -> bool:
        """Nothing to queue: the order has been carried out, or a worker of this service runs, be it of an older order.

        Source: LRM.pm, queue_resource_command. A newer order is queued in the first round after that worker's end.
        """
        return service.uid in self.results or sid in self._under_way

    def _begin_workers(self) -> None:
        """Orders wait for a free place, and an order to stop, when the node goes down, for its service's worker."""
        limit = int(self.ha.cluster.options.get("max_workers", MAX_WORKERS))
        for sid in list(self._queue):
            if len(self._under_way) >= limit:
                return
            if sid in self._under_way:
                continue
            service = self._queue.pop(sid)
            self._under_way[sid] = service.uid
            self.ha.cluster.spawn(self._carry_out(sid, service))

    async def _carry_out(self, sid: str, service: Service) -> None:
        up_since = self.world.nodes[self.node].up_since
        code = await carry_out(self, sid, service)
        if not self.powered or self.world.nodes[self.node].up_since != up_since:
            return  # the worker died with its node
        self._under_way.pop(sid, None)
        if code != AGAIN and service.uid:
            self.results[service.uid] = {"sid": sid, "state": service.state, "exit_code": code}

    def _write_status(self) -> None:
        if self.world.membership.writable(self.node):
            self.ha.files.lrms[self.node] = LrmStatus(self.state, self.mode, int(self.wall), dict(self.results))

    # --- shutting down -------------------------------------------------------------------------------------------

    def shut_down(self, mode: str) -> None:
        """The node goes down: ``shutdown``, ``restart`` (freeze) or ``maintenance`` (move away first)."""
        self.mode = mode
        self.leaving, self.shutting_down = mode == "maintenance", mode != "maintenance"
        if self.leaving:
            return
        self._queue = {
            sid: Service(self.node, "request_stop", "")
            for sid, service in self._services().items()
            if service.node == self.node and service.state in ("started", "stopped", "request_stop")
        }

    @property
    def done(self) -> bool:
        """Nothing is left to stop, to freeze or to move."""
        if self._busy or self.state == "lost_agent_lock":
            return False
        if self.mode == "shutdown":
            return True
        return not self._needed() and not (self.leaving and self._mine())

    def _mine(self) -> bool:
        return any(service.node == self.node and service.state != "error" for service in self._services().values())
