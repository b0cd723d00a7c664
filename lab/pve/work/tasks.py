"""Tasks: what a node does after it has already answered with a UPID.

A task runs in lab time on one node, writes its log line by line and ends with an exit status.
A node that loses power takes its tasks along at once, without their last line: none goes on when it has booted.
"""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.pve.errors import PveError, rejected
from lab.pve.etc.access import Identity

if TYPE_CHECKING:
    from lab.pve.models import Cluster

_UPID = re.compile(
    r"UPID:[a-zA-Z0-9-]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s/]+:[^:\s/]*:[^:\s/]+:",
)
# A task that was running when its node died: the worker never wrote its last line (reference: proxmox-api §4).
DIED = "unexpected status"


class NodeDied(Exception):
    """The node that the task ran on has no power."""


@dataclass
class Task:
    """One worker. `target` is the id field of the UPID: for a clone the *source*'s vmid."""

    cluster: "Cluster"
    node: str
    pid: int
    pstart: int
    starttime: int
    kind: str
    target: str
    identity: Identity
    lines: list[str] = field(default_factory=list)
    exitstatus: str | None = None
    endtime: int | None = None
    ended_at: float | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    worker: "asyncio.Task[None] | None" = None
    died: bool = False  # with its node

    @property
    def upid(self) -> str:
        """The identifier that the caller got."""
        return (
            f"UPID:{self.node}:{self.pid:08X}:{self.pstart:08X}:{self.starttime:08X}:"
            f"{self.kind}:{self.target}:{self.identity.name}:"
        )

    def log(self, text: str) -> None:
        """One more line of the task's log."""
        self.lines.append(text)

    async def pause(self, lab_seconds: float) -> None:
        """Let lab time pass; raises when the node died meanwhile."""
        try:
            await self.cluster.sleep(lab_seconds)
        except asyncio.CancelledError:
            if self.died:
                raise NodeDied from None
            raise

    async def may_write(self, file: str) -> None:
        """Wait while a membership is under way, as pmxcfs does; PveError when its node may not write a file then."""
        membership = self.cluster.world.membership
        while membership.stalled(self.node):
            await self.pause(_BLOCKED)
        if not membership.writable(self.node):
            raise PveError(f"unable to open file '/etc/pve/{file}.tmp.{self.pid}' - Permission denied")

    def end(self, exitstatus: str, last_line: str | None) -> None:
        """Close the log and let everyone who waits go on."""
        if last_line is not None:
            self.lines.append(last_line)
        self.exitstatus = exitstatus
        self.ended_at = self.cluster.world.clock.now()
        self.endtime = int(self.ended_at)
        self.done.set()

    def header(self) -> dict[str, Any]:
        """What every answer about this task holds; a token's name stands apart from its user."""
        found: dict[str, Any] = {
            "upid": self.upid,
            "node": self.node,
            "pid": self.pid,
            "pstart": self.pstart,
            "starttime": self.starttime,
            "type": self.kind,
            "id": self.target,
            "user": self.identity.user,
        }
        if self.identity.token:
            found["tokenid"] = self.identity.token
        return found

    def status(self) -> dict[str, Any]:
        """The answer of ``tasks/{upid}/status``; there is no end time in it."""
        if self.exitstatus is None:
            return {**self.header(), "status": "running"}
        return {**self.header(), "status": "stopped", "exitstatus": self.exitstatus}

    def entry(self, as_of: float = math.inf) -> dict[str, Any]:
        """The task as lists show it once it has ended; one that ran when it was last heard of has neither."""
        if not self.over(as_of):
            return self.header()
        return {**self.header(), "endtime": self.endtime, "status": self.exitstatus}

    def over(self, as_of: float = math.inf) -> bool:
        """Whether it had ended by then. That its node died, the node tells when it has booted, and nobody before."""
        return self.ended_at is not None and (self.ended_at < as_of or (self.ended_at == as_of and not self.died))


Work = Callable[[Task], Awaitable[None]]
# How often a write that blocks is looked at, lab seconds.
_BLOCKED = 0.5
# The process ids of a node that was booted long ago, and of the first worker after a boot.
_OLD_PID, _YOUNG_PID = 0x3A7F2, 0x5DC


class Tasks:
    """All tasks of the cluster, in the order they were started."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._pids = dict.fromkeys(cluster.world.nodes, _OLD_PID)
        self.all: list[Task] = []

    def begin(self, node: str, kind: str, target: str, identity: Identity, work: Work) -> Task:
        """Start a worker on a node; the caller answers with its UPID."""
        now = self._cluster.world.clock.now()
        up = now - self._cluster.world.nodes[node].up_since
        self._pids[node] += 1 + self._cluster.world.random.randrange(40)
        task = Task(
            cluster=self._cluster,
            node=node,
            pid=self._pids[node],
            pstart=int(up * 100) & 0xFFFFFFFF,  # clock ticks since the boot
            starttime=int(now),
            kind=kind,
            target=target,
            identity=identity,
        )
        self.all.append(task)
        task.worker = self._cluster.spawn(self._run(task, work))
        return task

    async def _run(self, task: Task, work: Work) -> None:
        try:
            with self._cluster.world.working(f"pve:{task.node} {task.kind} {task.target}"):
                await work(task)
        except (PveError, NodeDied, asyncio.CancelledError) as error:
            if task.died:
                return
            if isinstance(error, PveError):
                task.end(error.message, f"TASK ERROR: {error.message}")
                return
            task.end("interrupted by signal", "TASK ERROR: interrupted by signal")
            raise
        else:
            if not task.died:
                task.end("OK", "TASK OK")

    def node_died(self, node: str) -> None:
        """The workers of a node are gone; what they had done so far stays as it is. Its next pids are small ones."""
        self._pids[node] = _YOUNG_PID
        for task in self.all:
            if task.node == node and task.exitstatus is None:
                task.died = True
                task.end(DIED, None)
                if task.worker is not None:
                    task.worker.cancel()

    def find(self, node: str, upid: str) -> Task:
        """The task of that UPID on that node."""
        if not _UPID.fullmatch(upid):
            raise rejected(upid="unable to parse worker upid")
        for task in self.all:
            if task.upid == upid and task.node == node:
                return task
        raise rejected(upid="no such task")
