"""The local resource manager of each node: it carries out what the master ordered, and reports.

Rounds and exit codes follow the reference pve-ha, sections 1, 6 and 9, for a healthy cluster.
"""

from typing import TYPE_CHECKING, Any

from lab.proxmox import workers
from lab.proxmox.access import ROOT
from lab.proxmox.ha_daemon import Daemon
from lab.proxmox.ha_state import AGAIN, ERROR, MOVING, SUCCESS, WRONG_NODE, Service
from lab.proxmox.tasks import Task, Work

if TYPE_CHECKING:
    from lab.ha import Ha

ACTIVE_ROUND = 10.0
IDLE_ROUND = 5.0
WORKER_WINDOW = 8.0  # an active LRM waits so long for its workers before it writes its status
IDLE_ROUNDS = 60  # ten minutes without a service: the LRM gives up lock and watchdog


class Lrm(Daemon):
    """The local resource manager of a node: it does what the master's status orders."""

    first_state = "wait_for_agent_lock"

    def __init__(self, ha: "Ha", node: str) -> None:
        super().__init__(ha, node)
        self.mode = "active"
        self.timestamp = int(self.now)
        self.results: dict[str, dict[str, Any]] = {}  # by the order's uid, as lrm_status shows them
        self._under_way: set[str] = set()
        self._tries: dict[str, int] = {}  # failed starts in a row, by sid
        self._idle_rounds = 0

    async def round(self) -> float:
        """Wait idle, or hold the agent lock and work through the orders."""
        needed = bool(self.ha.active_services(self.node))
        if self.state == "active" and not (self.quorate and self._lock()):
            self.state = "lost_agent_lock"
        elif self.state != "active" and needed and self.quorate and self._lock():
            self.state, self._idle_rounds = "active", 0
        if self.state == "active":
            await self._work()
            self._rest_when_idle(needed)
        if self.quorate:
            self.timestamp = int(self.now)
        return ACTIVE_ROUND if self.state == "active" else IDLE_ROUND

    def forget(self) -> None:
        """Results and tries were in memory."""
        self.results.clear()
        self._under_way.clear()
        self._tries.clear()

    def _lock(self) -> bool:
        return self.ha.locks.take(f"ha_agent_{self.node}_lock", self.node, self.now)

    def _rest_when_idle(self, needed: bool) -> None:
        self._idle_rounds = 0 if needed else self._idle_rounds + 1
        if self._idle_rounds > IDLE_ROUNDS:
            self.ha.locks.release(f"ha_agent_{self.node}_lock", self.node)
            self.state = "wait_for_agent_lock"

    async def _work(self) -> None:
        """Start what is ordered and wait for it, at most for the window; slower workers report in a later round."""
        ends = self.now + WORKER_WINDOW
        services = dict(self.ha.manager.services) if self.ha.manager else {}
        current = {service.uid for service in services.values()}
        self.results = {uid: result for uid, result in self.results.items() if uid in current}
        for sid, service in services.items():
            order = service.state in ("started", "request_stop", *MOVING)
            new = service.uid not in self.results and service.uid not in self._under_way
            if service.node == self.node and order and new:
                self._under_way.add(service.uid)
                self.ha.cluster.spawn(self._carry_out(sid, service.uid, service.state, service))
        while self._under_way and self.now < ends:
            await self.ha.cluster.sleep(1.0)

    async def _carry_out(self, sid: str, uid: str, state: str, service: Service) -> None:
        try:
            code = await self._act(sid, state, service)
        finally:
            self._under_way.discard(uid)
        if code != AGAIN:
            self.results[uid] = {"sid": sid, "state": state, "exit_code": code}

    async def _act(self, sid: str, state: str, service: Service) -> int:
        vmid = int(sid.partition(":")[2])
        guest = self.ha.cluster.guests.get(vmid)
        if guest is None or guest.node != self.node:
            return WRONG_NODE
        if state == "started":
            return await self._start(sid, vmid)
        if state == "request_stop":
            graceful = service.timeout != 0
            stopped = guest.running and await self._run(
                "qmshutdown" if graceful else "qmstop",
                vmid,
                lambda task: workers.stop(task, guest, graceful=graceful),
            )
            return SUCCESS if stopped or not guest.running else ERROR
        target = service.target or self.node
        if state == "relocate" and guest.running:
            await self._run("qmshutdown", vmid, lambda task: workers.stop(task, guest, graceful=True))
        moved = await self._run("qmigrate", vmid, lambda task: workers.migrate(task, guest, target))
        return SUCCESS if moved else ERROR

    async def _start(self, sid: str, vmid: int) -> int:
        """Start a guest that is down; a failure is tried again in the next rounds, `max_restart` times."""
        guest = self.ha.cluster.guests[vmid]
        if guest.running or await self._run("qmstart", vmid, lambda task: workers.start(task, guest)):
            self._tries.pop(sid, None)
            return SUCCESS
        self._tries[sid] = self._tries.get(sid, 0) + 1
        if self._tries[sid] <= int(self.ha.resources.get(sid, {}).get("max_restart", 1)):
            return AGAIN
        del self._tries[sid]
        return ERROR

    async def _run(self, kind: str, vmid: int, work: Work) -> bool:
        """The real work shows up as a task of root@pam on this node."""
        task: Task = self.ha.cluster.tasks.begin(self.node, kind, str(vmid), ROOT, work)
        await task.done.wait()
        return task.exitstatus == "OK"
