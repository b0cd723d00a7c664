"""The local resource manager of each node: it carries out what the master ordered, and reports.

States, modes and what is done in each follow the reference pve-ha, sections 1, 4, 6, 9 and 11, and LRM.pm.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.pve.etc.cfslocks import agent
from lab.pve.ha.daemon import Daemon
from lab.pve.ha.state import AGAIN, SUCCESS, LrmStatus, Manager, Service, active_services
from lab.pve.ha.worker import carry_out

if TYPE_CHECKING:
    from lab.pve.ha.stack import Ha

ACTIVE_ROUND = 10.0
IDLE_ROUND = 5.0
WORKER_WINDOW = 8.0  # an LRM waits so long for its workers before it writes its status
IDLE_ROUNDS = 60  # ten minutes without a service: the LRM gives up lock and watchdog
MAX_WORKERS = 4  # datacenter.cfg's default
GIVES_UP_AFTER = 90.0  # an LRM that is to restart and has lost its lock ends after so long all the same


class Lrm(Daemon):
    """A node's LRM. `state` and `mode` are what it knows itself; the others read its file."""

    kind = "lrm"
    first_state = "wait_for_agent_lock"

    def __init__(self, ha: "Ha", node: str) -> None:
        super().__init__(ha, node)
        self.results: dict[str, dict[str, Any]] = {}
        self.tries: dict[str, int] = {}  # failed starts in a row, by sid
        self._queue: dict[str, Service] = {}  # orders that wait for a free worker, by sid
        self._under_way: dict[str, str] = {}  # sid -> the order's uid
        self.forget()

    def forget(self) -> None:
        """A new process knows nothing of the last one's orders."""
        super().forget()
        self.mode = "active"
        for memory in (self.results, self.tries, self._queue, self._under_way):
            memory.clear()
        self._idle_rounds = self._stop_errors = 0
        self._ends = False  # it was asked to end, as the node goes down
        self._wrote = False  # its file; before that, it does nothing
        self._lost_since = 0.0

    async def round(self) -> float:
        """Change the state if there is reason to, then do that state's work."""
        self._wrote = self._wrote or self._write_status()
        if not self._wrote:
            self.ended = self._ends
            return IDLE_ROUND
        self._read_mode()
        before = self.state
        await getattr(self, f"_from_{before}")()
        if not self.powered:
            return IDLE_ROUND
        if self.state == "lost_agent_lock" != before:
            self._lost_since = self.now
        work = {"active": self._active, "maintenance": self._maintenance, "lost_agent_lock": self._without_lock}
        if self.state in work:
            await work[self.state]()
        elif self._ends:
            self.ended = True
        else:
            self._write_status()
        return ACTIVE_ROUND if self.state == "active" else IDLE_ROUND

    # --- what the master says ------------------------------------------------------------------------------------

    def _read_mode(self) -> None:
        """What the master asks of this node: a request for maintenance comes before one to disarm."""
        manager = self._manager
        if self._ends or manager is None:
            return
        if manager.requests.get(self.node, {}).get("maintenance"):
            self.mode = "maintenance"
        elif manager.disarm is not None:
            self.mode = "disarm"
        elif self.mode in ("maintenance", "disarm"):
            self.mode = "active"

    @property
    def _manager(self) -> Manager | None:
        return self.ha.seen_by(self.node).manager

    def _services(self) -> dict[str, Service]:
        return self._manager.services if self._manager else {}

    def _needed(self) -> int:
        """How many services need this LRM: assigned here, or on their way."""
        return active_services(self._services(), self.node)

    def _to_be_fenced(self) -> bool:
        manager = self._manager
        fenced = any(one.node == self.node and one.state == "fence" for one in self._services().values())
        return fenced or (manager is not None and manager.nodes.get(self.node) == "fence")

    @property
    def _busy(self) -> bool:
        return bool(self._under_way or self._queue)

    # --- states --------------------------------------------------------------------------------------------------

    async def _lock(self) -> bool:
        return await self.protected(agent(self.node))

    async def _from_wait_for_agent_lock(self) -> None:
        wanted = self.mode != "disarm" and not self._to_be_fenced() and self._needed() and self.quorate
        if wanted and await self._lock():
            self.state = "active"

    async def _from_lost_agent_lock(self) -> None:
        if not self._to_be_fenced() and self.quorate and await self._lock():
            self.state = "active"

    async def _from_active(self) -> None:
        if self._to_be_fenced() or not await self._lock():
            self.state = "lost_agent_lock"
        elif self.mode == "maintenance":
            self.state = "maintenance"
        elif self.mode == "disarm" and not await self._workers():
            self._go_idle()
        elif any(service.node == self.node for service in self._services().values()) or await self._workers():
            self._idle_rounds = 0  # whatever is configured here counts, be it stopped, frozen or in error
        else:
            self._idle_rounds += 1
            if self._idle_rounds > IDLE_ROUNDS:
                self._go_idle()
                self._idle_rounds = 0

    async def _from_maintenance(self) -> None:
        """Hold the lock until the last service has left; active again, with lock and watchdog, when it is over."""
        if self._to_be_fenced():
            self.state = "lost_agent_lock"
        elif self.mode == "disarm" and not self._needed() and not await self._workers():
            self._go_idle()
        elif self._needed() or await self._workers():
            if not await self._lock():
                self.state = "lost_agent_lock"
        elif self.mode != "maintenance":
            self.state = "active" if await self._lock() else "lost_agent_lock"

    def _go_idle(self) -> None:
        self._close_watchdog()
        self._release()
        self.state = "wait_for_agent_lock"

    def _release(self) -> None:
        self.ha.locks.release(agent(self.node), self.kind, self.node)

    def _close_watchdog(self) -> None:
        """Nothing runs here that could be lost."""
        self.ha.watchdogs[self.node].close(self.kind)

    # --- work ----------------------------------------------------------------------------------------------------

    async def _active(self) -> None:
        if not self._ends:
            await self._manage()
        elif not await self._workers():
            if self.mode != "restart":
                self.ended = True  # with a stop that has failed, lock and watchdog stay
            elif not self._needed():
                self.ended = True
            if self.ended and (self.mode == "restart" or not self._stop_errors):
                self._close_watchdog()
                self._release()
        self._write_status()

    async def _maintenance(self) -> None:
        if not self._needed() and not await self._workers():
            self._close_watchdog()
            self.ended = self._ends
            self._release()
        if not self.ended:
            await self._manage()
        self._write_status()

    async def _without_lock(self) -> None:
        """Nothing is done and nothing written; the watchdog triggers soon."""
        if not self._ends:
            return
        if not self._needed():
            self._close_watchdog()
            self.ended = True
        elif self.mode == "restart" and self.now - self._lost_since > GIVES_UP_AFTER:
            self.ended = True

    async def _manage(self) -> None:
        """Take the orders, and wait for the workers; slower ones report in a later round."""
        if not self.world.membership.writable(self.node):
            return  # an order that is not known to be the last one is not begun
        services = self._services()
        for sid in self.tries.keys() - services.keys():
            del self.tries[sid]
        for sid, service in sorted(services.items()):
            ordered = service.state not in ("recovery", "freeze", "request_start")
            if service.node == self.node and ordered and not self._taken(sid, service):
                self._queue[sid] = replace(service)
        await self._workers()

    def _taken(self, sid: str, service: Service) -> bool:
        """Nothing to queue: the order has been carried out, or a worker of this service runs, be it of an older order.

        What is stopped is looked at in each round, as nobody reads that result (source: LRM.pm,
        queue_resource_command). A newer order is queued in the first round after that worker's end.
        """
        return (service.state != "stopped" and service.uid in self.results) or sid in self._under_way

    async def _workers(self) -> bool:
        """Begin what is queued as places become free, and wait within the window; true while some are left."""
        began = self.now
        while self.powered:
            self._begin_workers()
            if not self._under_way or self.now - began > WORKER_WINDOW:
                break
            await self.ha.cluster.sleep(1.0)
        return self._busy

    def _begin_workers(self) -> None:
        """Orders wait for a free place, and an order to stop, when the node goes down, for its service's worker."""
        limit = int(self.ha.cluster.options.get("max_workers", MAX_WORKERS))
        for sid in sorted(self._queue):
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
        if not service.uid:
            self._stop_errors += code != SUCCESS
        elif code != AGAIN:
            known = {one.uid for one in self._services().values()}
            self.results[service.uid] = {"sid": sid, "state": service.state, "exit_code": code}
            self.results = {uid: result for uid, result in self.results.items() if uid in known}

    def _write_status(self) -> bool:
        if not self.world.membership.writable(self.node):
            return False
        self.ha.files.lrms[self.node] = LrmStatus(self.state, self.mode, int(self.wall), dict(self.results))
        return True

    # --- shutting down -------------------------------------------------------------------------------------------

    def shut_down(self, policy: str, *, reboot: bool) -> None:
        """The node goes down: what is done with its services is the policy's to say, unless it is in maintenance."""
        if self._ends:
            return
        if policy != "migrate":
            for sid, service in self._services().items():
                if service.node == self.node and sid not in self._under_way:
                    self._queue[sid] = Service(self.node, "request_stop", "")
        freezes = {"freeze": True, "failover": False}.get(policy, reboot)
        if self.mode != "maintenance":
            self.mode = "maintenance" if policy == "migrate" else "restart" if freezes else "shutdown"
        self._ends = True
        self._write_status()
